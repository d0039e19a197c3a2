use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};

rule! {
    /// # What it finds
    /// A Close frame that carries 1004, 1005, 1006 or 1015.
    ///
    /// # Why it matters
    /// 1005, 1006 and 1015 exist only for a program to report that no code, no Close or no TLS handshake came; 1004 has
    /// no meaning. On the wire they are violations: most receivers answer 1002, and browsers fail the connection.
    ///
    /// # What causes it
    /// Nearly always a relay that passes the code its library reported on one side to `close()` on the other.
    ///
    /// # How to fix
    /// In a relay turn 1005 into a Close without a code, and 1006 and 1015 into 1011 or 1014.
    ///
    /// # What it does not report
    /// The same codes in logs and APIs, where they belong. After missing bytes of its sender it is only likely. aiohttp
    /// takes a 1006 for valid, so that between two of its ends nothing breaks; it is a violation all the same.
    pub static RULE = "WS-CL-002" "close-code-reserved-on-wire" {
        severity: Error, category: Close, reference: "RFC 6455 §7.4.1",
        explains: ["close-reports-peer-violation", "close-reply-differs"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection) {
        let Some(code @ (1004..=1006 | 1015)) = close.code else { continue };
        found.push(
            super::said_oddly(&RULE, connection, close, format!("reserved code {code} in a Close frame"))
                .message(format!(
                    "the {} sent {}, a code that must never travel",
                    close.from.name(),
                    quote::close(close)
                ))
                .help(match code {
                    1005 => "if this is a relay, send a Close without a code instead of the 1005 that its library reported; Deno.serve sends it to open sessions when it is aborted, so close them with 1001 before",
                    1004 => "use a code with a meaning, such as 1000 or 1011",
                    _ => "if this is a relay, send 1011 or 1014 instead of the code that its library reported",
                }),
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
    fn a_1006_on_the_wire_is_its_senders_error_and_the_1002_its_consequence() {
        let findings = Scene::session("", "")
            .close(Server, 1006, "bad")
            .close(Client, 1002, "invalid close code")
            .fin(Server)
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name, findings[0].blame), (1, RULE.name, Blame::Server));
    }

    #[test]
    fn an_answer_is_no_reason_of_the_close_that_it_answers() {
        for (code, rule) in [(1005, RULE.name), (1001, "close-reply-differs"), (7, "close-payload-malformed")]
        {
            let scene = Scene::session("", "").messages(Client, 1).close(Server, 1009, "").after(1.0);
            let findings = scene.close(Client, code, "").fin(Server).findings();
            let roots: Vec<_> = findings.iter().map(|finding| finding.rule.name).collect();
            assert!(roots.contains(&"close-reports-peer-violation") && roots.contains(&rule), "{roots:?}");
        }
    }

    #[test]
    fn what_may_be_an_echo_is_possible_and_valid_codes_are_silent() {
        let finding = Scene::session("", "").gap(Server).close(Client, 1005, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        let finding = Scene::session("", "")
            .gap(Server)
            .close(Server, 1006, "")
            .close(Client, 1002, "")
            .finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        Scene::session("", "").close(Server, 1007, "").silent(RULE.name);
    }
}
