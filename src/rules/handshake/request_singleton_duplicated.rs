use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, quote};

rule! {
    /// # What it finds
    /// More than one `Sec-WebSocket-Key` or `Sec-WebSocket-Version` in a request.
    ///
    /// # Why it matters
    /// One server takes the first, another the last, a third refuses: the same request works here and fails there.
    ///
    /// # What causes it
    /// A proxy rule that adds a field where it should set it; or a hand-written client.
    ///
    /// # How to fix
    /// Set the field instead of adding it: nginx `proxy_set_header`, HAProxy `http-request set-header` in place of
    /// `add-header`, Apache httpd `RequestHeader set`, Envoy `append_action: OVERWRITE_IF_EXISTS_OR_ADD`.
    ///
    /// # What it does not report
    /// `Sec-WebSocket-Extensions` and `Sec-WebSocket-Protocol`, which may be on several lines of a request.
    pub static RULE = "WS-HS-007" "request-singleton-duplicated" {
        severity: Warning, category: Handshake, reference: "RFC 6455 §11.3.1, §11.3.5",
        explains: ["response-not-101"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = &connection.request else { return };
    let head = &request.head.head;
    for name in ["Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
        if head.count(name) < 2 {
            continue;
        }
        let values: Vec<&[u8]> = head.values(name).collect();
        let equal = values.windows(2).all(|pair| pair.first() == pair.last());
        found.push(
            Finding::new(&RULE, request.seen, format!("{name} more than once"))
                .confidence(Confidence::Likely)
                .origin(crate::role::Role::Client)
                .blame(if equal { Blame::Gateway } else { Blame::Client })
                .message(format!(
                    "the request has {} lines of {name}, expected 1{}",
                    values.len(),
                    if equal { "; they are equal, as if a proxy had added one" } else { "" }
                ))
                .shows(request.seen, quote::field_or_none(head, name))
                .help(format!("send {name} once: set it instead of adding it")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Blame;
    use crate::rules::testing::{REQUEST, Scene};

    #[test]
    fn two_versions_are_told() {
        let finds = |more: &str| Scene::tcp().request(&format!("{REQUEST}{more}")).finds(RULE.name).blame;
        assert_eq!(finds("Sec-WebSocket-Version: 13\r\n"), Blame::Gateway);
        assert_eq!(finds("Sec-WebSocket-Version: 8\r\n"), Blame::Client);
    }

    #[test]
    fn lists_on_several_lines_are_silent() {
        let lines = "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n";
        Scene::tcp().request(&format!("{REQUEST}{lines}")).silent(RULE.name);
    }
}
