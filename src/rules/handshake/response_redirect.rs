use crate::connection::{Connection, Request};
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
    // Who sends plain HTTP to TLS is who ends TLS; a login page or another name of the host is of the server.
    let (tls, elsewhere) = leads(request, &to);
    let to_tls = connection.tls.is_none() && tls && !elsewhere;
    // The location may carry a token in its query, so it is not quoted as a field.
    let mut finding =
        super::refused(&RULE, request, response, format!("upgrade redirected with {}", response.head.status));
    finding.evidence.retain(|evidence| !evidence.text.starts_with("Location:"));
    if to_tls {
        finding = finding.origin(Origin::Gateway).blame(Blame::Gateway);
    } else {
        let own_page = finding.origin == Some(Origin::Gateway);
        finding = finding.blame(if own_page { Blame::Gateway } else { Blame::Server });
    }
    found.push(
        finding
            .at_most(if browser { Severity::Error } else { Severity::Warning })
            .confidence(Confidence::Likely)
            .message(format!(
                "the upgrade was redirected to {to}{}{}",
                if to_tls {
                    ", as whatever ends TLS there does with plain HTTP"
                } else if elsewhere {
                    ", which is another host"
                } else {
                    ""
                },
                if browser { ", and browsers do not follow redirects for WebSocket" } else { "" }
            ))
            .shows(response.seen, format!("redirects to {to}"))
            .help("connect to the final URL, and except this path from the redirect"),
    );
}

/// Whether a location is one of TLS, and whether it is on another host than the one asked for, `www.` or not.
fn leads(request: &Request, to: &str) -> (bool, bool) {
    let Some((scheme, rest)) = to.split_once("://") else { return (false, false) };
    let bare = |host: &str| {
        // The colons of an IPv6 address stand in brackets.
        let port = host.rfind(':').filter(|&at| !host[at..].contains(']'));
        let host = host[..port.unwrap_or(host.len())].to_ascii_lowercase();
        host.strip_prefix("www.").map_or(host.clone(), String::from)
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let asked = request.head.head.text("Host");
    let elsewhere = asked.is_some_and(|asked| bare(&asked) != bare(authority));
    (matches!(scheme, "https" | "wss"), elsewhere)
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
        let other = "HTTP/1.1 302 Found\r\nLocation: https://login.example/?next=/chat\r\n";
        let finding = Scene::answered(other, "").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
        assert!(finding.message.contains("which is another host"), "{}", finding.message);
        let named = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://www.Example.org:443/chat\r\n";
        assert_eq!(Scene::answered(named, "").finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn not_modified_is_no_redirect() {
        Scene::answered("HTTP/1.1 304 Not Modified\r\n", "").silent(RULE.name);
    }
}
