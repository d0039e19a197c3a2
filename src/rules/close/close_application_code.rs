use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, codes, quote};

rule! {
    /// # What it finds
    /// A Close with a code from 3000 to 4999.
    ///
    /// # Why it matters
    /// The application ended the session and said why in a code of its own. Nothing between the two ends is at fault.
    ///
    /// # What causes it
    /// Whatever the application or library means by it. 3000 (unauthorized), 3003 (forbidden) and 3008 (timeout) are
    /// widely listed; 4000 to 4999 are private.
    ///
    /// # How to fix
    /// Look the code up in the application's own documentation.
    ///
    /// # What it does not report
    /// The echo of the same code from the other side.
    pub static RULE = "WS-CL-015" "close-application-code" {
        severity: Info, category: Close, reference: "RFC 6455 §7.4.2",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection) {
        let Some(code @ 3000..=4999) = close.code else { continue };
        let known = codes::name(code).filter(|_| code < 4000);
        let sockjs = SOCKJS.iter().find(|(told, ..)| code == 3000 && close.reason == *told);
        let meaning = match (sockjs, known) {
            (Some((_, meaning, _)), _) => format!("which is not about access here: {meaning}"),
            (None, Some(name)) => format!("which is listed as {name}"),
            (None, None) => String::from("a code of its own"),
        };
        let help = match sockjs {
            Some((_, _, help)) => String::from(*help),
            None => format!("look up {code} in the documentation of the application"),
        };
        found.push(
            super::said(&RULE, connection, close, format!("application closed with {code}"))
                .message(format!(
                    "the application of the {} sent {}, {meaning}",
                    close.from.name(),
                    quote::close(close)
                ))
                .help(help),
        );
    }
}

/// Reasons with which SockJS sends 3000, what they mean there, and what to do: seen of sockjs-node 0.3.24.
const SOCKJS: [(&str, &str, &str); 2] = [
    (
        "Broken framing.",
        "SockJS got a message that is no JSON array of strings",
        "speak through a SockJS client, or let a plain WebSocket client use the path that ends in /websocket without a session",
    ),
    (
        "Go away!",
        "a program closed its SockJS session",
        "find out in the application that uses SockJS why it closed the session",
    ),
];

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};

    #[test]
    fn a_private_code_is_information() {
        let finding = Scene::session("", "")
            .close(Server, 4000, "private")
            .close(Client, 4000, "private")
            .finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Server));
    }

    #[test]
    fn protocol_codes_are_silent() {
        Scene::session("", "").close(Server, 1000, "").silent(RULE.name);
    }

    #[test]
    fn three_thousand_of_sockjs_is_not_about_access() {
        let scene = Scene::session("", "").messages(Client, 1).close(Server, 3000, "Broken framing.");
        let finding = scene.finds(RULE.name);
        assert!(finding.message.contains("not about access"), "{}", finding.message);
        assert!(finding.help.contains("SockJS client"), "{}", finding.help);
        let finding = Scene::session("", "").close(Server, 3000, "no token").finds(RULE.name);
        assert!(finding.message.ends_with("listed as Unauthorized"), "{}", finding.message);
    }
}
