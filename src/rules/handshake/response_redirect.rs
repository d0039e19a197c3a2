use crate::connection::Connection;
use crate::http::without_query;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote};

rule! {
    /// # What it finds
    /// A redirect in answer to an upgrade.
    ///
    /// # Why it matters
    /// Browsers never follow it, and many libraries do not either.
    ///
    /// # What causes it
    /// A rule that sends http to https, adds a slash, corrects the host name, or leads to a login page.
    ///
    /// # How to fix
    /// Connect to the final `wss://` URL, and except the path from the rule. Authenticate by cookie or ticket instead of
    /// a login redirect. nginx: no `return 301` for this path in the server block of port 80. Django:
    /// `SECURE_REDIRECT_EXEMPT`.
    ///
    /// # What it does not report
    /// 304, which is no redirect.
    pub static RULE = "WS-HS-012" "response-redirect" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1; WHATWG WebSockets",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = super::refusal(connection) else { return };
    if !matches!(response.head.status, 300..=303 | 305..=399) {
        return;
    }
    let browser = request.head.head.field("Origin").is_some();
    let to = response
        .head
        .head
        .text("Location")
        .map_or(String::from("nowhere"), |location| quote::target(&location));
    // Who sends plain HTTP to TLS, and changes nothing else, is who ends TLS; any other place may be a page for people.
    let same = |rest: &str| {
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let asked = request.head.head.text("Host").unwrap_or_default();
        let path = if path.is_empty() { "/" } else { path };
        name(host).eq_ignore_ascii_case(name(&asked))
            && without_query(path) == without_query(&request.head.target)
    };
    let tls = to.strip_prefix("https://").or_else(|| to.strip_prefix("wss://"));
    let to_tls = connection.tls.is_none() && tls.is_some_and(same);
    // The location may carry a token in its query, so it is not quoted as a field.
    let mut finding =
        super::refused(&RULE, request, response, format!("upgrade redirected with {}", response.head.status));
    finding.evidence.retain(|evidence| !evidence.text.starts_with("Location:"));
    if to_tls {
        finding = finding.origin(Origin::Gateway).blame(Blame::Gateway);
    } else {
        let by_gateway = finding.origin == Some(Origin::Gateway);
        finding = finding.blame(if by_gateway { Blame::Gateway } else { Blame::Server });
    }
    found.push(
        finding
            .at_most(if browser { Severity::Error } else { Severity::Warning })
            .confidence(Confidence::Likely)
            .message(format!(
                "the upgrade was redirected to {to}{}{}",
                if to_tls { ", as whatever ends TLS there does with plain HTTP" } else { "" },
                if browser { ", and browsers do not follow redirects for WebSocket" } else { "" }
            ))
            .shows(response.seen, format!("redirects to {to}"))
            .help("connect to the final URL, and except this path from the redirect"),
    );
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Severity};

    const MOVED: &str =
        "HTTP/1.1 301 Moved Permanently\r\nLocation: https://example.org/chat?ticket=s3cret\r\n";

    #[test]
    fn a_browser_fails_and_a_library_may_follow() {
        let finding = Scene::tcp()
            .request(&format!("{REQUEST}Origin: https://example.org\r\n"))
            .answer(MOVED, "")
            .finds(RULE.name);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains("https://example.org/chat?ticket=…"));
        assert!(finding.evidence.iter().all(|evidence| !evidence.text.contains("s3cret")));
        assert_eq!(Scene::answered(MOVED, "").finds(RULE.name).severity, Severity::Warning);
    }

    #[test]
    fn a_redirect_to_tls_is_the_gateways_and_any_other_the_servers() {
        assert_eq!(Scene::answered(MOVED, "").finds(RULE.name).blame, Blame::Gateway);
        let login = "HTTP/1.1 302 Found\r\nLocation: /login\r\n";
        assert_eq!(Scene::answered(login, "").finds(RULE.name).blame, Blame::Server);
        for elsewhere in ["https://status.example.org/", "https://example.org/sorry", "https://example.org"] {
            let sorry = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\n");
            let finding = Scene::answered(&sorry, "").finds(RULE.name);
            assert_eq!(finding.blame, Blame::Server);
            assert!(!finding.message.contains("ends TLS"), "{}", finding.message);
        }
    }

    #[test]
    fn not_modified_is_no_redirect() {
        Scene::answered("HTTP/1.1 304 Not Modified\r\n", "").silent(RULE.name);
    }
}
