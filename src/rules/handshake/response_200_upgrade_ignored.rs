use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, quote, trust};

rule! {
    /// # What it finds
    /// A complete upgrade request that was answered as an ordinary one, with 2xx or 304.
    ///
    /// # Why it matters
    /// HTTP allows a server to ignore an upgrade; for the client the WebSocket has failed. The page in the answer shows
    /// what the server took the request for.
    ///
    /// # What causes it
    /// Nothing at this path speaks WebSocket: the path is wrong, or a single-page application answers every path. Or a
    /// cache answered. Or a hop behind this point dropped `Upgrade`; a capture there would show it.
    ///
    /// # How to fix
    /// nginx: a `location` of its own for the path, so that `try_files … /index.html` does not serve it. Cloudflare: a
    /// rule that bypasses the cache, and WebSockets switched on under Network. Azure Front Door: no caching on the
    /// route. Every gateway: forward `Upgrade` and `Connection`, see `WS-HS-002`.
    ///
    /// # What it does not report
    /// WebSocket over HTTP/2 and HTTP/3, where 200 is success.
    pub static RULE = "WS-HS-010" "response-200-upgrade-ignored" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1; RFC 9110 §7.8",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = super::refusal(connection) else { return };
    if !trust::is_http1(request) || !matches!(response.head.status, 200..=299 | 304) {
        return;
    }
    let head = &response.head.head;
    let cached = super::cached(head) || response.head.status == 304;
    // Nothing but a WebSocket server computes it.
    let accepted = quote::field(head, "Sec-WebSocket-Accept");
    let kind = head.text("Content-Type").map_or(String::new(), |kind| format!(" of {}", quote::short(&kind)));
    found.push(
        super::refused(&RULE, request, response, format!("upgrade ignored, answered with {}", response.head.status))
            .shows_all(response.seen, accepted.iter().cloned().collect())
            .confidence(Confidence::Likely)
            .blame(if cached { Blame::Gateway } else { Blame::Server })
            .message(format!(
                "the server answered the upgrade with {}{kind}, expected 101: {}",
                quote::status(response),
                if cached {
                    "a cache answered in place of a WebSocket server"
                } else if accepted.is_some() {
                    "it has Sec-WebSocket-Accept, so a WebSocket server took the upgrade, and it or a hop before it wrote the wrong status"
                } else {
                    "nothing at this path speaks WebSocket, or a hop behind this point dropped Upgrade"
                }
            ))
            .help(if cached {
                "switch caching off for this path"
            } else if accepted.is_some() {
                "compare the status on both sides of every gateway, and let whoever writes it answer 101 Switching Protocols"
            } else {
                "check the path against the routes of the server, and whether every gateway forwards Upgrade and Connection"
            }),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Blame;
    use crate::rules::testing::Scene;

    #[test]
    fn a_page_is_the_servers_and_a_cached_page_the_gateways() {
        let finding = Scene::answered("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "<!doctype html>")
            .finds(RULE.name);
        assert!(finding.blame == Blame::Server && finding.message.contains("200 OK of text/html"));
        let cached = Scene::answered("HTTP/1.1 200 OK\r\nCF-Cache-Status: HIT\r\nCF-RAY: 8\r\n", "");
        assert_eq!(cached.finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn an_answer_of_a_websocket_server_has_the_wrong_status() {
        let head =
            "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let finding = Scene::answered(head, "").finds(RULE.name);
        assert!(finding.message.contains("wrote the wrong status"), "{}", finding.message);
    }

    #[test]
    fn success_over_http_2_is_silent() {
        Scene::tcp()
            .request("CONNECT /chat HTTP/2.0\r\nsec-websocket-version: 13\r\n")
            .answer("HTTP/2.0 200 \r\n", "")
            .silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
