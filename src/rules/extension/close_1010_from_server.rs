use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// The server closed with 1010 Mandatory Extension without having received a 1010.
    ///
    /// # Why it matters
    /// 1010 is the client's word: it says that the client misses an extension. A server never needs it, because it can
    /// refuse the handshake. A client that gets it looks for a fault of compression that is not there.
    ///
    /// # What causes it
    /// An application that took the number for something else, such as "unauthorized" or "kicked". Or a relay that
    /// passes on what the client of its other leg said.
    ///
    /// # How to fix
    /// Close with 1008, or with a code of your own from 4000 to 4999. A server that needs an extension must refuse the
    /// handshake with an HTTP status of 4xx.
    ///
    /// # What it does not report
    /// The echo of the client's own 1010, which is correct. Where the client was not captured whole, the 1010 may be
    /// such an echo: then this is only possible.
    pub static RULE = "WS-EX-013" "close-1010-from-server" {
        severity: Error, category: Extension, reference: "RFC 6455 §7.4.1",
        explains: ["close-reply-differs"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(close) = connection.first_to_say(1010).filter(|close| close.from == Role::Server) else {
        return;
    };
    // The client's own Close was seen: with another code, so this is no echo of it.
    let answered = connection.closes.iter().any(|close| close.from == Role::Client);
    let doubt = trust::doubt(connection, Role::Client)
        .or_else(|| trust::request_doubt(connection))
        .filter(|_| !answered);
    let finding = Finding::new(&RULE, close.seen, "1010 sent by the server")
        .origin(Role::Server)
        .blame(Role::Server)
        .shows(close.seen, format!("server sends {}", quote::close(close)));
    found.push(match doubt {
        None => finding
            .message(format!("the server sent {}, a code that only clients use", quote::close(close)))
            .help("close with 1008 or a code from 4000 to 4999 instead, or refuse the handshake with an HTTP status"),
        Some(doubt) => finding
            .confidence(Confidence::Possible)
            .at_most(Severity::Warning)
            .message(format!(
                "the server sent {}; {doubt}, so this may be the echo of a client that missed an extension, or a misuse by the server",
                quote::close(close)
            ))
            .help("capture both directions from the start of the connection to see whether the client sent 1010 first"),
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Severity};

    #[test]
    fn a_server_that_says_1010_first_is_wrong() {
        let scene = Scene::session("", "")
            .close(Server, 1010, "Unauthorized")
            .close(Client, 1010, "Unauthorized")
            .fin(Server);
        let finding = scene.finds(RULE.name);
        assert_eq!(
            (finding.severity, finding.confidence, finding.blame),
            (Severity::Error, Confidence::Certain, Blame::Server)
        );
    }

    #[test]
    fn an_echo_captured_before_what_it_answers_is_told_by_its_missing_reason() {
        let scene = || Scene::session("x-a", "").close(Server, 1010, "").close(Client, 1010, "x-a");
        scene().silent(RULE.name);
        assert_eq!(scene().finds("close-1010-mandatory-extension").confidence, Confidence::Certain);
    }

    #[test]
    fn an_echo_is_correct() {
        Scene::session("", "")
            .close(Client, 1010, "x")
            .close(Server, 1010, "x")
            .fin(Server)
            .silent(RULE.name);
    }

    #[test]
    fn what_may_be_an_echo_is_only_possible() {
        for scene in [Scene::session("", "").gap(Client), Scene::session("", "").unseen(Client)] {
            let finding = scene.close(Server, 1010, "permessage-deflate").fin(Server).finds(RULE.name);
            assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Possible));
        }
    }
}
