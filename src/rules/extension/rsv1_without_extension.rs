use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, negotiation, trust};

rule! {
    /// # What it finds
    /// A message marked as compressed (RSV1) on a session that agreed on no compression.
    ///
    /// # Why it matters
    /// The receiver must fail the connection. Libraries then say `RSV1 must be clear`, `RSV1 set` or
    /// `Reserved bits are non-zero`.
    ///
    /// # What causes it
    /// The sender compresses although it was not agreed. Or a gateway took the acceptance out of the answer, so that
    /// one end believes in compression and the other was never told. Or the bytes are no WebSocket frame at all.
    ///
    /// # How to fix
    /// Compare `Sec-WebSocket-Extensions` on both sides of every gateway: a gateway must remove it from the request and
    /// the answer, or from neither. Switch compression off at the sender to confirm.
    ///
    /// # What it does not report
    /// Sessions whose answer was not captured, and drafts such as `x-webkit-deflate-frame`, which use RSV1, too. After
    /// missing bytes it is only likely.
    pub static RULE = "WS-EX-009" "rsv1-without-extension" {
        severity: Error, category: Extension, reference: "RFC 6455 §5.2; RFC 7692 §6",
        explains: ["close-reports-peer-violation", "closed-without-close-frame"], asked_on: [Compressed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some(frames), Some(response)) = (&connection.frames, &connection.response) else { return };
    if !trust::switched(connection)
        || connection.quality.unknown_fields.server > 0
        || negotiation::defines_rsv1(&response.extensions)
    {
        return;
    }
    for from in Role::BOTH {
        let Some(seen) = frames[from].first_compressed.filter(|_| frames[from].compressed > 0) else {
            continue;
        };
        let doubt = trust::doubt(connection, from);
        let via = crate::gateway::relay(&response.head, &response.body);
        let suspicion = match &via {
            Some(sign) => format!(
                "; the answer came through a gateway ({}), which may have removed the acceptance",
                sign.found
            ),
            None => String::new(),
        };
        found.push(
            Finding::new(&RULE, seen, "compressed frame without agreed compression")
                .doubted(&doubt, Confidence::Likely)
                .doubted(&via, Confidence::Likely)
                .origin(from)
                .blame(from)
                .message(format!(
                    "the {} sent {} with RSV1, and the answer lists no extension that defines it{suspicion}",
                    from.name(),
                    match frames[from].compressed {
                        1 => String::from("a frame"),
                        count => format!("{count} frames"),
                    }
                ))
                .shows(response.seen, super::answer(response))
                .shows(seen, format!("first frame of the {} with RSV1 set", from.name()))
                .shows_all(seen, doubt.into_iter().collect())
                .help("compare Sec-WebSocket-Extensions before and behind every gateway, and switch compression off at the sender to confirm"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_compressed_frame_nobody_agreed_to_is_its_senders_error() {
        let finding = Scene::session("permessage-deflate", "").compressed(Server).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
    }

    #[test]
    fn after_a_gap_it_is_only_likely() {
        let finding = Scene::session("", "").gap(Client).compressed(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
    }

    #[test]
    fn agreed_drafted_and_unseen_compression_is_silent() {
        Scene::session("permessage-deflate", "permessage-deflate").compressed(Server).silent(RULE.name);
        Scene::session("x-webkit-deflate-frame", "x-webkit-deflate-frame")
            .compressed(Server)
            .silent(RULE.name);
        Scene::session("", "").compressed(Client).unseen(Server).silent(RULE.name);
        Scene::session("", "")
            .compressed(Client)
            .with(|connection| connection.quality.unknown_fields.server = 1)
            .silent(RULE.name);
    }
}
