use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, frame};
use crate::websocket::{Corrupt, Instead, Undecodable, Violation};

rule! {
    /// # What it finds
    /// A compressed message that cannot be inflated, though all that its sender may refer to is in the capture; or only
    /// with a larger window than was agreed.
    ///
    /// # Why it matters
    /// The receiver cannot inflate it either. Libraries then fail the connection with 1002 or 1007, or without a Close,
    /// and say `invalid distance too far back`, `invalid stored block lengths`, `decompression failed` or `Could not
    /// decode a text frame as UTF-8`. A larger window than was agreed fails only receivers that keep no larger one, and
    /// only once a message refers that far back: the fault seems to come and go with the traffic.
    ///
    /// # What causes it
    /// The two ends disagree about context takeover: the sender refers to earlier messages although it was agreed that
    /// it does not. Or the sender writes a zlib or gzip stream instead of bare DEFLATE data, or marks text as compressed
    /// that is not. Or a server compresses with the window of its library and ignores `server_max_window_bits`, which it
    /// confirmed. Or a hop between them changed bytes, dropped a message, or took `*_no_context_takeover` or
    /// `*_max_window_bits` out of the handshake.
    ///
    /// # How to fix
    /// Switch compression off at one end to confirm. Then make both ends agree: `client_no_context_takeover` and
    /// `server_no_context_takeover` in the answer bind the side that they name, and so do `client_max_window_bits` and
    /// `server_max_window_bits`. Compare `Sec-WebSocket-Extensions` on both
    /// sides of every gateway.
    ///
    /// # What it does not report
    /// Messages after lost ones, or in sessions joined midway: what they refer to is not in the capture. Compressed
    /// messages are inflated where the end of the session asks for it (a Close with 1002, 1003, 1006, 1007, 1009 or 1011,
    /// or a side without any Close) and no more than 8 KiB of them were sent by a side; with `--decode`, all are. Of a
    /// larger window than was agreed, only what reaches from one message too far into those before it; references within
    /// a message are not measured.
    pub static RULE = "WS-EX-011" "compressed-message-undecodable" {
        severity: Error, category: Extension, reference: "RFC 7692 §7.1.1, §7.2",
        explains: ["close-reports-peer-violation", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        let Violation::Undecodable(Undecodable { number, corrupt, instead }) = anomaly.kind else { continue };
        let name = anomaly.from.name();
        let why = match (instead, corrupt) {
            (Some(Instead::LargerWindow(window)), _) => format!(
                "it refers further back than the {} bytes of {name}_max_window_bits={}, which was agreed",
                window.bytes(),
                window.bits()
            ),
            (Some(Instead::Takeover), _) => format!(
                "it inflates with the messages before it as context, though {name}_no_context_takeover was agreed"
            ),
            (Some(Instead::Zlib), _) => String::from(
                "it inflates once its zlib header is taken away, and bare DEFLATE data was expected",
            ),
            (Some(Instead::Gzip), _) => {
                String::from("it begins with a gzip header, and bare DEFLATE data was expected")
            }
            (Some(Instead::Text), _) => {
                String::from("it is plain text that was not compressed, and RSV1 says that it was")
            }
            (None, Corrupt::Distance) => {
                String::from("it refers to data before all that the sender had sent to be referred to")
            }
            (None, Corrupt::Data) => String::from("it is no DEFLATE data, with or without context"),
        };
        let help = match instead {
            Some(Instead::LargerWindow(window)) => format!(
                "let the {name} compress with a window of {} bits, or take {name}_max_window_bits out of the handshake",
                window.bits()
            ),
            Some(Instead::Takeover) => format!(
                "let the {name} forget its compression context after each message, or take {name}_no_context_takeover out of the handshake"
            ),
            Some(Instead::Zlib | Instead::Gzip) => {
                format!("let the {name} write bare DEFLATE data, without a header (RFC 7692 §7.2.1)")
            }
            Some(Instead::Text) => {
                format!(
                    "let the {name}, or the gateway before it, set RSV1 only on messages that it compressed"
                )
            }
            None => String::from(
                "switch compression off at one end to confirm, then look for a hop that changes or drops messages",
            ),
        };
        let mut finding =
            frame::violation(&RULE, connection, anomaly, "compressed message that does not inflate")
                // A hop may have changed the bytes that its sender is blamed for.
                .doubted(&instead.is_none().then_some(()), Confidence::Likely)
                .message(format!("compressed message {number} of the {name} does not inflate: {why}"))
                .help(help);
        if let Some(response) = &connection.response {
            finding = finding.shows(response.seen, super::answer(response));
        }
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, flat, named};
    use crate::rules::{Blame, Confidence};
    use crate::websocket::{Corrupt, Instead, Undecodable, Violation, Window};

    fn broken(instead: Option<Instead>) -> Violation {
        Violation::Undecodable(Undecodable { number: 2, corrupt: Corrupt::Distance, instead })
    }

    #[test]
    fn the_rule_that_would_have_worked_is_told_and_the_close_hangs_under_it() {
        let answer = "permessage-deflate; server_no_context_takeover";
        let findings = Scene::session("permessage-deflate", answer)
            .compressed(Server)
            .anomaly(Server, broken(Some(Instead::Takeover)), b"")
            .close(Client, 1002, "")
            .close(Server, 1002, "")
            .findings();
        let finding = named(&findings, RULE.name).unwrap();
        assert!(finding.message.contains("server_no_context_takeover was agreed"), "{}", finding.message);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        assert_eq!((findings.len(), flat(&findings).len()), (1, 2));
    }

    #[test]
    fn a_larger_window_than_was_agreed_is_told_with_its_size() {
        let answer = "permessage-deflate; server_max_window_bits=9";
        let instead = Some(Instead::LargerWindow(Window::parse("9").unwrap()));
        let finding = Scene::session("permessage-deflate", answer)
            .compressed(Server)
            .anomaly(Server, broken(instead), b"")
            .finds(RULE.name);
        assert!(finding.message.contains("the 512 bytes of server_max_window_bits=9"), "{}", finding.message);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
    }

    #[test]
    fn what_fits_no_rule_may_be_the_fault_of_a_hop() {
        let finding = Scene::session("permessage-deflate", "permessage-deflate")
            .anomaly(Client, broken(None), b"")
            .finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
    }

    #[test]
    fn compressed_messages_that_inflate_are_silent() {
        Scene::session("permessage-deflate", "permessage-deflate").compressed(Client).silent(RULE.name);
    }
}
