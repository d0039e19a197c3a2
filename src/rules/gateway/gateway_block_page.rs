use crate::connection::{Connection, Response};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote};

rule! {
    /// # What it finds
    /// An upgrade that was answered with the page of a bot check or an interstitial: `cf-mitigated: challenge` of
    /// Cloudflare, `ERR_NGROK_6024` of ngrok, or the words of such pages.
    ///
    /// # Why it matters
    /// The request never reached the application. The page wants a browser that runs scripts or a person who clicks, and
    /// a WebSocket client is neither.
    ///
    /// # What causes it
    /// A firewall rule, a bot check, or the warning page of a free tunnel.
    ///
    /// # How to fix
    /// Except the path of the WebSocket from the check: on Cloudflare a WAF rule with the action Skip. With ngrok send
    /// the field `ngrok-skip-browser-warning`.
    ///
    /// # What it does not report
    /// Refusals without such a mark. An application may send its own page: marks that only stand in the text make it
    /// possible, no more.
    pub static RULE = "WS-GW-014" "gateway-block-page" {
        severity: Error, category: Gateway, reference: "RFC 6455 §4.2.2",
        explains: ["response-forbidden", "response-not-101", "response-200-upgrade-ignored", "gateway-error-before-upgrade"], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some(request), Some(response)) = (&connection.request, &connection.response) else { return };
    let Some(mark) = mark(response) else { return };
    found.push(
        Finding::new(&RULE, response.seen, "upgrade answered by a block page")
            .confidence(mark.confidence)
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "{} answered the upgrade with {} and its own page, which no WebSocket client can get past",
                mark.who,
                quote::status(response)
            ))
            .shows(request.seen, quote::request_line(request))
            .shows(response.seen, format!("{}: {}", quote::status(response), quote::short(&mark.text)))
            .help(mark.help),
    );
}

/// What betrays such a page.
struct Mark {
    who: &'static str,
    text: String,
    confidence: Confidence,
    help: &'static str,
}

/// Whether an answer is such a page.
pub(in crate::rules) fn is_block_page(response: &Response) -> bool {
    mark(response).is_some()
}

fn mark(response: &Response) -> Option<Mark> {
    if response.head.status == 101 {
        return None;
    }
    let head = &response.head.head;
    let says = |name: &str, word: &str| {
        head.text(name)
            .filter(|value| value.to_ascii_lowercase().contains(word))
            .map(|value| format!("{name}: {value}"))
    };
    if let Some(text) = says("cf-mitigated", "challenge") {
        let help = "add a rule to Cloudflare that skips challenges for the path of the WebSocket";
        return Some(Mark { who: "Cloudflare", text, confidence: Confidence::Likely, help });
    }
    if let Some(text) = says("ngrok-error-code", "err_ngrok_6024") {
        let help = "send the field ngrok-skip-browser-warning, or use an endpoint without the warning page";
        return Some(Mark { who: "ngrok", text, confidence: Confidence::Likely, help });
    }
    let body = String::from_utf8_lossy(&response.body).to_ascii_lowercase();
    let word = WORDS.iter().find(|word| body.contains(**word))?;
    matches!(response.head.status, 403 | 429 | 503).then(|| Mark {
        who: if says("Server", "cloudflare").is_some() { "Cloudflare" } else { "a gateway" },
        text: format!("{} in the body", quote::quoted(word)),
        confidence: Confidence::Possible,
        help: "find out which firewall or bot check stands before the server, and except the path of the WebSocket from it",
    })
}

/// Words of such pages, in lower case.
const WORDS: [&str; 5] = [
    "<title>just a moment",
    "attention required! | cloudflare",
    "/cdn-cgi/challenge-platform",
    "captcha",
    "verify you are human",
];

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_challenge_is_likely_and_the_refusal_its_consequence() {
        let findings = Scene::answered(
            "HTTP/1.1 403 Forbidden\r\nServer: cloudflare\r\ncf-mitigated: challenge\r\n",
            "",
        )
        .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Gateway, Confidence::Likely));
        assert_eq!(findings[0].consequences[0].rule.name, "response-forbidden");
    }

    #[test]
    fn no_upstream_is_blamed_for_a_challenge_with_503() {
        let scene = Scene::answered(
            "HTTP/1.1 503 Service Unavailable\r\nCF-RAY: 8\r\n",
            "<title>Just a moment...</title>",
        );
        assert_eq!(scene.finds(RULE.name).confidence, Confidence::Possible);
        Scene::answered("HTTP/1.1 503 Service Unavailable\r\ncf-mitigated: challenge\r\n", "")
            .silent("gateway-error-before-upgrade");
    }

    #[test]
    fn the_warning_page_of_a_tunnel_is_told_and_other_errors_of_it_are_not() {
        let ngrok = |code| Scene::answered(&format!("HTTP/1.1 404 X\r\nngrok-error-code: {code}\r\n"), "");
        assert!(ngrok("ERR_NGROK_6024").finds(RULE.name).help.contains("ngrok-skip-browser-warning"));
        ngrok("ERR_NGROK_3200").silent(RULE.name);
    }

    #[test]
    fn plain_refusals_and_sessions_are_silent() {
        Scene::answered("HTTP/1.1 403 Forbidden\r\nServer: cloudflare\r\n", "<h1>no</h1>").silent(RULE.name);
        Scene::answered("HTTP/1.1 200 OK\r\n", "captcha").silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
