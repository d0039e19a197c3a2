use super::Side;
use crate::capture::Seen;
use crate::connection::{Close, Connection, Request};
use crate::gateway;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, negotiation, quote, trust};
use crate::websocket::Extensions;

rule! {
    /// # What it finds
    /// The client closed with 1010 Mandatory Extension: it completed the handshake and then left, because of the
    /// extensions in the answer. The finding compares offer, answer and reason, and says which of these it was:
    ///
    /// 1. The answer lacks an extension that was offered. This is what the code is for.
    /// 2. The answer has extensions or parameters that do not fit the offer. OkHttp closes like this, with the reason
    ///    `unexpected Sec-WebSocket-Extensions in response header`.
    /// 3. Everything that was offered was accepted. Then the client contradicts itself.
    /// 4. The reason names an extension that the request does not offer. No server could have accepted it.
    ///
    /// # Why it matters
    /// The session is over before it began to be of use, and will be on every retry. 1010 exists only after a 101: the
    /// server believed that all was well, and its log shows a normal connection that the client closed.
    ///
    /// # What causes it
    /// Compression is off on the server, or a gateway drops `Sec-WebSocket-Extensions`, and the client was configured
    /// to insist. Almost no client insists by itself: browsers cannot send 1010, most libraries simply go on without
    /// compression. So there is a deliberate check, in the client's code or in OkHttp.
    ///
    /// # How to fix
    /// Enable the extension on the server, and let every gateway forward the field in both directions; or make the
    /// extension optional in the client. If the answer has parameters that do not fit, correct the server. A server
    /// that needs an extension itself must refuse the handshake with an HTTP status instead.
    ///
    /// # What it does not report
    /// A 1010 from the server, which is a rule of its own, and the server's echo of a client's 1010, which is correct.
    /// Where request or answer was not captured, the finding says so and draws no conclusion from their absence.
    pub static RULE = "WS-EX-012" "close-1010-mandatory-extension" {
        severity: Error, category: Extension, reference: "RFC 6455 §7.4.1",
        explains: ["extension-stripped-by-gateway", "extension-offered-not-accepted", "extension-accepted-not-offered", "extension-response-params-illegal",
            "close-reply-differs"], asked_on: [Close], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(close) = connection.first_to_say(1010).filter(|close| close.from == Role::Client) else {
        return;
    };
    let mut finding = Finding::new(&RULE, close.seen, "client closed with 1010 Mandatory Extension")
        .origin(Role::Client)
        .shows(close.seen, format!("client sends {}", quote::close(close)));
    if let Some(request) = &connection.request {
        finding = finding.shows(request.seen, super::offer(request));
    }
    if let Some(response) = &connection.response {
        finding = finding.shows(response.seen, super::answer(response));
        if let Some(sign) = gateway::relay(&response.head, &response.body) {
            finding =
                finding.shows(response.seen, format!("the answer came through a gateway: {}", sign.found));
        }
    }
    if let Some(echo) = connection.closes.iter().find(|echo| echo.from == Role::Server) {
        let what = if echo.code == close.code { "echoes" } else { "answers with" };
        finding = finding.shows(echo.seen, format!("server {what} {}", quote::close(echo)));
    }
    found.push(verdict(connection, context, close, finding));
}

/// Which of the four it is, or that the capture does not show it.
fn verdict(connection: &Connection, context: &Context<'_>, close: &Close, finding: Finding) -> Finding {
    let known = trust::knows_fields(connection);
    let (Some(request), Some(response), true) = (&connection.request, &connection.response, known) else {
        return half_seen(connection, close, finding);
    };
    let (offer, answer) = (&request.extensions, &response.extensions);
    let packets =
        format!("offer in packet {}, answer in packet {}", number(request.seen), number(response.seen));
    let missing = negotiation::missing(offer, answer);
    let named = named(&close.reason, offer);
    let side = Side::of(connection);
    let faults = negotiation::deflate_faults(offer, answer);
    let unasked = negotiation::unasked(offer, answer);

    if !faults.is_empty() || !unasked.is_empty() {
        let fault =
            faults.first().cloned().unwrap_or_else(|| format!("{} was not offered", quote::list(&unasked)));
        return finding
            .confidence(side.confidence)
            .blame(side.blame)
            .message(format!(
                "the client closed with 1010 because the answer's extensions do not fit its offer: {fault} ({packets})"
            ))
            .help(format!("correct the {}: {fault}", side.name));
    }
    if let Some(never) = named.never_offered.first().filter(|_| !named.any_missing(&missing)) {
        return not_offered(never, &missing, request, &packets, finding);
    }
    if missing.is_empty() {
        let what = if offer.list.is_empty() {
            "it offered no extension"
        } else {
            "every extension it offered was accepted"
        };
        // Whoever misses what was accepted here did not get it, or checks something else.
        let missed = !named.offered.is_empty();
        let forwarded = crate::rules::handshake::is_forwarded(request);
        return finding
            .confidence(if missed || forwarded { Confidence::Possible } else { Confidence::Likely })
            .blame(if missed && forwarded { Blame::Gateway } else { Blame::Client })
            .message(format!("the client closed with 1010 although {what} ({packets}), so the handshake at this point does not explain it"))
            .help("see on the client's side of every gateway before this point whether the answer still has Sec-WebSocket-Extensions; if it has, look in the client for the code that closes with 1010: it checks something else, or checks it wrongly");
    }
    let names = quote::list(&missing);
    let them = if missing.len() == 1 { "it" } else { "them" };
    let reason = if close.reason.is_empty() {
        String::from("; its Close has no reason, where a list of the extensions is expected")
    } else if !named.any_missing(&missing) {
        format!("; its reason {} does not name {}", quote::quoted(&close.reason), them)
    } else {
        String::new()
    };
    finding
        .confidence(side.confidence)
        .blame(side.blame)
        .message(format!(
            "the client offered {names}, {} {} without {them}, and the client closed because it insists ({packets}){reason}{}",
            side.answered,
            response.head.status,
            super::elsewhere(connection, context, &missing)
        ))
        .help(format!(
            "enable {names} on the {}{}, or make {them} optional in the client{}",
            side.name,
            super::setting(connection, &missing),
            side.advice
        ))
}

/// The client insists on what its request does not offer. A request without any offer more probably lost it on the way.
fn not_offered(name: &str, missing: &[&str], request: &Request, packets: &str, finding: Finding) -> Finding {
    if request.extensions.lines > 0 {
        return finding
            .confidence(Confidence::Likely)
            .blame(Role::Client)
            .message(format!(
                "the client closed with 1010 for want of {name}, which its request does not offer, so that no server could accept it ({packets}){}",
                also(missing)
            ))
            .help(format!("make the client offer {name} in its request, or stop demanding it"));
    }
    finding
        .confidence(Confidence::Possible)
        .blame(Blame::Gateway)
        .message(format!(
            "the client closed with 1010 for want of {name}, and its request offers no extension at this point ({packets}): a gateway before it removed the offer, or the client demands what it never offered"
        ))
        .help(format!("check whether the client offers {name}; if it does, let the gateway before this point forward Sec-WebSocket-Extensions"))
}

/// Offer or answer is not in the capture.
fn half_seen(connection: &Connection, close: &Close, finding: Finding) -> Finding {
    let what = match (&connection.request, &connection.response) {
        (None, None) => "neither offer nor answer is in the capture",
        (None, _) => "the offer is not in the capture",
        (_, None) => "the answer is not in the capture",
        _ => "not all fields of offer and answer are known",
    };
    let reason =
        if close.reason.is_empty() { String::new() } else { format!(" {}", quote::quoted(&close.reason)) };
    let doubt = trust::doubt(connection, Role::Server).or_else(|| trust::doubt(connection, Role::Client));
    finding
        .confidence(Confidence::Possible)
        .blame(Side::of(connection).blame)
        .message(format!(
            "the client closed with 1010{reason}, which says that it missed an extension; {what}{}, so the cause cannot be checked",
            doubt.map_or(String::new(), |doubt| format!(" ({doubt})"))
        ))
        .help("capture both directions from the start of the connection, and compare Sec-WebSocket-Extensions of request and answer")
}

/// Extension names in the reason: a list by RFC 6455 §7.4.1, but often prose or nothing.
struct Named<'a> {
    offered: Vec<&'a str>,
    never_offered: Vec<&'a str>,
}

impl Named<'_> {
    fn any_missing(&self, missing: &[&str]) -> bool {
        self.offered.iter().any(|name| missing.contains(name))
    }
}

fn named<'a>(reason: &'a str, offer: &Extensions) -> Named<'a> {
    let is_token = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    // One word with a hyphen, as every extension has; prose is not a list.
    let listed = reason.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    let (offered, other): (Vec<&str>, Vec<&str>) = listed
        .filter(is_token)
        .partition(|name| offer.list.iter().any(|extension| extension.name.eq_ignore_ascii_case(name)));
    let never_offered = other.into_iter().filter(|name| name.contains('-') && name.len() > 3).collect();
    // An offered name inside prose names it as well.
    let mut offered = offered;
    if offered.is_empty() {
        let words = reason.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.'));
        offered.extend(words.filter(|word| offer.list.iter().any(|extension| extension.name == **word)));
    }
    Named { offered, never_offered }
}

fn also(missing: &[&str]) -> String {
    match missing {
        [] => String::new(),
        missing => format!("; {} was offered and not accepted", quote::list(missing)),
    }
}

fn number(seen: Seen) -> u64 {
    seen.packet.number()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Finding};

    #[test]
    fn the_setting_of_a_server_that_names_itself_is_told() {
        let help = |server: &str, offer: &str| {
            let request = format!("{REQUEST}Sec-WebSocket-Extensions: {offer}\r\n");
            let scene = Scene::tcp().request(&request).answer(&format!("{ANSWER}Server: {server}\r\n"), "");
            scene.close(Client, 1010, offer).finds(RULE.name).help
        };
        assert!(
            help("Cowboy", "permessage-deflate").contains("on the server (compress => true of Cowboy), or")
        );
        assert!(help("other", "permessage-deflate").contains("on the server, or"));
        assert!(help("Cowboy", "bbf-usp-protocol").contains("on the server, or"));
    }

    fn closed(offer: &str, answer: &str, reason: &str) -> Finding {
        Scene::session(offer, answer)
            .close(Client, 1010, reason)
            .close(Server, 1010, reason)
            .fin(Server)
            .finds(RULE.name)
    }

    #[test]
    fn a_missing_extension_is_named_with_offer_answer_and_reason() {
        let finding = closed("permessage-deflate; client_max_window_bits", "", "permessage-deflate");
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        let texts: Vec<_> = finding
            .evidence
            .iter()
            .map(|evidence| (evidence.packet.number(), evidence.text.as_str()))
            .collect();
        assert_eq!(
            texts,
            [
                (3, "offered Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
                (4, "101 with no Sec-WebSocket-Extensions"),
                (5, "client sends Close 1010 Mandatory Extension \"permessage-deflate\""),
                (6, "server echoes Close 1010 Mandatory Extension \"permessage-deflate\""),
            ]
        );
        assert!(finding.message.contains("offer in packet 3, answer in packet 4"));
    }

    #[test]
    fn that_other_sessions_got_what_this_one_misses_is_told() {
        let session = |accepted: &str| Scene::session("permessage-deflate", accepted);
        let closed = session("").close(Client, 1010, "permessage-deflate").fin(Server).build();
        let judged = judged_together(&[closed, session("permessage-deflate").build()], &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert!(finding.message.contains("1 of 2 sessions of this server"), "{}", finding.message);
    }

    #[test]
    fn an_empty_reason_is_said_to_be_empty() {
        let finding = closed("permessage-deflate, x-mux; max=4", "", "");
        assert!(
            finding.message.contains("permessage-deflate and x-mux") && finding.message.contains("no reason")
        );
    }

    #[test]
    fn a_reason_that_names_something_else_is_told() {
        let finding = closed("permessage-deflate", "", "extensions mismatch");
        assert_eq!(finding.blame, Blame::Server);
        assert!(finding.message.contains("does not name it"), "{}", finding.message);
    }

    #[test]
    fn an_extension_that_was_never_offered_is_the_clients_matter() {
        let finding = closed("permessage-deflate", "permessage-deflate", "x-lab-required");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.message.contains("x-lab-required, which its request does not offer"));
    }

    #[test]
    fn an_offer_that_is_not_there_was_possibly_removed() {
        let finding = closed("", "", "permessage-deflate");
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Possible));
        assert!(finding.message.contains("removed the offer"));
    }

    #[test]
    fn a_client_that_got_everything_contradicts_itself() {
        // Or a gateway before this point removed the answer's field, which the client then rightly misses.
        let finding = closed("permessage-deflate", "permessage-deflate", "permessage-deflate");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Possible));
        assert!(finding.help.starts_with("see on the client's side of every gateway"), "{}", finding.help);
        let finding = closed("permessage-deflate", "permessage-deflate", "");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
    }

    #[test]
    fn impossible_parameters_are_the_servers() {
        let finding = closed(
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits=15",
            "unexpected Sec-WebSocket-Extensions in response header",
        );
        assert_eq!(finding.blame, Blame::Server);
        assert!(finding.message.contains("client_max_window_bits"));
    }

    #[test]
    fn behind_a_gateway_the_upstream_is_asked() {
        let finding = Scene::tcp()
            .request(&format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate\r\n"))
            .answer(&format!("{ANSWER}Via: 1.1 Caddy\r\n"), "")
            .close(Client, 1010, "permessage-deflate")
            .finds(RULE.name);
        assert_eq!(finding.blame, Blame::Upstream);
        assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("Via: 1.1 Caddy")));
    }

    #[test]
    fn half_a_capture_draws_no_conclusion() {
        let finding = Scene::session("permessage-deflate", "")
            .unseen(Server)
            .close(Client, 1010, "permessage-deflate")
            .finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        assert!(finding.message.contains("the answer is not in the capture"));
        assert!(finding.consequences.is_empty());
        let finding = Scene::session("permessage-deflate", "")
            .with(|connection| connection.quality.unknown_fields.server = 1)
            .close(Client, 1010, "permessage-deflate")
            .finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        assert!(finding.message.contains("not all fields"), "{}", finding.message);
    }

    #[test]
    fn the_servers_1010_is_another_rule() {
        Scene::session("a-b", "").close(Server, 1010, "").close(Client, 1010, "").silent(RULE.name);
        Scene::session("a-b", "").close(Client, 1000, "").silent(RULE.name);
    }
}
