use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote};

rule! {
    /// # What it finds
    /// A 101 without `Upgrade: websocket`, or whose `Connection` does not list `Upgrade`.
    ///
    /// # Why it matters
    /// The client must fail the connection while the server believes it open. The server's log then shows a session that
    /// ended at once with 1006.
    ///
    /// # What causes it
    /// A filter of response fields in a proxy, or a home-made server.
    ///
    /// # How to fix
    /// Send exactly `Upgrade: websocket` and `Connection: Upgrade` with the 101. Let no proxy remove them: nginx
    /// without `proxy_hide_header Upgrade;`, no filter that strips fields of one hop from a 101.
    ///
    /// # What it does not report
    /// Lists with further tokens, which are legal; only OkHttp refuses them, and where the client is OkHttp it is a
    /// warning. HTTP/2 has no such fields.
    pub static RULE = "WS-HS-014" "response-upgrade-headers-invalid" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.2",
        explains: ["client-aborts-after-101", "closed-without-close-frame"], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(response) = connection.response.as_ref().filter(|response| response.head.status == 101) else {
        return;
    };
    let head = &response.head.head;
    let upgrade = head.names_websocket();
    let connects = head.names_upgrade();
    if !upgrade || !connects {
        let lacks = match (upgrade, connects) {
            (false, false) => "neither Upgrade: websocket nor Connection: Upgrade",
            (false, true) => "no Upgrade: websocket",
            _ => "no Connection: Upgrade",
        };
        found.push(
            Finding::new(&RULE, response.seen, "101 without its upgrade fields")
                .origin(Role::Server)
                .blame(Role::Server)
                .message(format!("the 101 has {lacks}, so a conforming client fails the connection"))
                .shows(response.seen, quote::field_or_none(head, "Upgrade"))
                .shows(response.seen, quote::field_or_none(head, "Connection"))
                .help("send Upgrade: websocket and Connection: Upgrade with the 101, and let no proxy remove them"),
        );
        return;
    }
    let alone = head.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case(b"upgrade"));
    let okhttp = || {
        let agent = connection.request.as_ref().and_then(|request| request.head.head.text("User-Agent"));
        agent.is_some_and(|agent| agent.to_ascii_lowercase().contains("okhttp"))
    };
    if !alone && okhttp() {
        found.push(
            Finding::new(&RULE, response.seen, "Connection with more than Upgrade for OkHttp")
                .at_most(Severity::Warning)
                .confidence(Confidence::Likely)
                .origin(Role::Server)
                .blame(Blame::Client)
                .message("the 101 is in order, but its Connection has further tokens, which OkHttp refuses")
                .shows(response.seen, quote::field_or_none(head, "Connection"))
                .help("send exactly Connection: Upgrade with the 101 for this client"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::Client;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Severity};

    #[test]
    fn a_101_without_upgrade_is_the_servers_error() {
        let scene = Scene::tcp().request(REQUEST).answer(&ANSWER.replace("Upgrade: websocket\r\n", ""), "");
        let findings = scene.invalid().fin(Client).findings();
        assert_eq!((findings.len(), findings[0].rule.name, findings[0].blame), (1, RULE.name, Blame::Server));
    }

    #[test]
    fn okhttp_wants_the_token_alone() {
        let more = ANSWER.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade");
        let finding = Scene::tcp()
            .request(&format!("{REQUEST}User-Agent: okhttp/4.12\r\n"))
            .answer(&more, "")
            .finds(RULE.name);
        assert_eq!(finding.severity, Severity::Warning);
        Scene::tcp().request(REQUEST).answer(&more, "").silent(RULE.name);
    }
}
