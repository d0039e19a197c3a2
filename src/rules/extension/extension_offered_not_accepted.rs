use super::Side;
use crate::connection::{Connection, Request, Response};
use crate::role::Role;
use crate::rules::handshake::forwarded;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Severity, negotiation, quote, trust};

rule! {
    /// # What it finds
    /// The client offered an extension, and the answer that opened the WebSocket does not list it. Or the extension was
    /// required, and the session is without it: then it is an error.
    ///
    /// # Why it matters
    /// An offer is a question. The server may say no by saying nothing, and the session then runs without the
    /// extension, in most cases uncompressed. It matters where the client cannot do without it (it then closes with
    /// 1010), where traffic has grown, or where only one path to the server loses it. Nothing on the wire tells which.
    ///
    /// # What causes it
    /// Compression is off on the server, or its library has none. Or a gateway removed the field from the request or
    /// from the answer; one side of the gateway alone cannot tell which.
    ///
    /// # How to fix
    /// Nothing, if nobody misses it. Otherwise switch it on at the server: ws `perMessageDeflate: true`, gorilla
    /// `EnableCompression: true`, Cowboy `compress => true`, uvicorn `--ws-per-message-deflate true`; tungstenite has
    /// no extensions. Then compare this field on both sides of every gateway, and remove header filters there.
    /// `--require-extension NAME`, or `NAME@HOST/PATH`, makes it an error where it must not be missing.
    ///
    /// # What it does not report
    /// `bbf-usp-protocol`, whose absence clients must ignore (USP R-WS.11b), unless it is required. Connections whose
    /// request or answer was not captured, and those that were refused.
    pub static RULE = "WS-EX-001" "extension-offered-not-accepted" {
        severity: Info, category: Extension, reference: "RFC 6455 §4.2.2, §9.1; RFC 7692 §5",
        explains: [], asked_on: [Extension, Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let has = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut missing = negotiation::missing(&request.extensions, &response.extensions);
    let accepted = &response.extensions.list;
    let mut required = context.selection.required(connection);
    required.retain(|name| !accepted.iter().any(|known| known.name.eq_ignore_ascii_case(name)));
    let (declined, unasked): (Vec<&str>, Vec<&str>) =
        required.iter().copied().partition(|name| has(&missing, name));
    // One that is there in other letters is told by a rule of its own.
    let respelt = |name: &str| accepted.iter().any(|known| known.name.eq_ignore_ascii_case(name));
    missing.retain(|name| {
        !has(&required, name) && !name.eq_ignore_ascii_case("bbf-usp-protocol") && !respelt(name)
    });

    if !declined.is_empty() {
        found.push(required_and_declined(&quote::list(&declined), connection, request, response));
    }
    if !unasked.is_empty() {
        found.push(required_and_not_offered(&quote::list(&unasked), request, response));
    }
    if !missing.is_empty() {
        let names = quote::list(&missing);
        found.push(
            finding("extension offered, not accepted", request, response)
                .origin(Role::Server)
                .blame(Blame::Nobody)
                .message(format!(
                    "the client offered {names} and the server did not accept, so the session runs without; this is allowed{}",
                    super::elsewhere(connection, context, &missing)
                ))
                .help(format!(
                    "if {names} {} on at the server{} and check that no gateway removes Sec-WebSocket-Extensions",
                    if missing.len() == 1 { "is needed, switch it" } else { "are needed, switch them" },
                    super::setting(connection, &missing)
                )),
        );
    }
}

fn required_and_declined(
    names: &str,
    connection: &Connection,
    request: &Request,
    response: &Response,
) -> Finding {
    let side = Side::of(connection);
    finding("required extension offered, not accepted", request, response)
        .raised(Severity::Error)
        .confidence(side.confidence)
        .origin(Role::Server)
        .blame(side.blame)
        .message(format!(
            "{names} is required; the client offered it and the {} answered {} without",
            side.name, response.head.status
        ))
        .help(format!("enable {names} on the {}{}", side.name, side.advice))
}

fn required_and_not_offered(names: &str, request: &Request, response: &Response) -> Finding {
    let forwarded = forwarded(request);
    let finding = finding("required extension not offered", request, response)
        .raised(Severity::Error)
        .origin(Role::Client);
    if forwarded.is_empty() {
        finding
            .confidence(Confidence::Likely)
            .blame(Role::Client)
            .message(format!("{names} is required, and the request does not offer it"))
            .help(format!("make the client offer {names}; if it does, look for a gateway before this point that removes Sec-WebSocket-Extensions"))
    } else {
        finding
            .shows_all(request.seen, forwarded)
            .confidence(Confidence::Possible)
            .blame(Blame::Unknown)
            .message(format!("{names} is required, and the request does not offer it; it came through a gateway, which may have removed the offer"))
            .help(format!("check whether the client offers {names}: if it does, let the gateway forward Sec-WebSocket-Extensions, otherwise correct the client"))
    }
}

fn finding(title: &'static str, request: &Request, response: &Response) -> Finding {
    Finding::new(&RULE, response.seen, title)
        .shows(request.seen, super::offer(request))
        .shows(response.seen, super::answer(response))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::selection::{Requirement, Selection};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Context, Finding, Severity, judge};

    fn required(name: &str, scene: Scene) -> Vec<Finding> {
        let selection = Selection::default().require(vec![Requirement::parse(name).unwrap()]);
        let findings = judge(&scene.build(), &Context { selection: &selection, ..Context::alone() });
        findings.into_iter().filter(|finding| finding.rule.code == RULE.code).collect()
    }

    #[test]
    fn a_silent_decline_is_told_and_blamed_on_nobody() {
        let finding =
            Scene::session("permessage-deflate; client_max_window_bits, x-mux", "x-mux").finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Nobody));
        assert!(finding.message.contains("permessage-deflate"));
    }

    #[test]
    fn an_accepted_one_is_not() {
        Scene::session("permessage-deflate", "permessage-deflate").silent(RULE.name);
        Scene::session("bbf-usp-protocol", "").silent(RULE.name);
        Scene::session("permessage-deflate", "Permessage-Deflate").silent(RULE.name);
    }

    #[test]
    fn what_other_sessions_of_the_server_got_is_told() {
        let session = |accepted: &str| Scene::session("permessage-deflate", accepted).build();
        let all = [session(""), session("permessage-deflate"), session("permessage-deflate")];
        let message = named(&judged_together(&all, &[])[0], RULE.name).unwrap().message.clone();
        assert!(message.contains("2 of 3 sessions of this server"), "{message}");
        let alone = [session(""), session("")];
        assert!(!named(&judged_together(&alone, &[])[0], RULE.name).unwrap().message.contains("sessions of"));
    }

    #[test]
    fn half_a_handshake_says_nothing() {
        Scene::session("permessage-deflate", "").unseen(crate::role::Role::Client).silent(RULE.name);
        Scene::session("permessage-deflate", "")
            .with(|connection| connection.quality.unknown_fields.server = 1)
            .silent(RULE.name);
    }

    #[test]
    fn an_answer_on_several_lines_is_read_whole() {
        let answer = format!(
            "{ANSWER}Sec-WebSocket-Extensions: x-mux\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
        );
        let request = format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate, x-mux\r\n");
        Scene::tcp().request(&request).answer(&answer, "").silent(RULE.name);
    }

    #[test]
    fn a_required_one_is_an_error_of_the_server() {
        let findings = required("Permessage-Deflate", Scene::session("permessage-deflate, x-mux", ""));
        let of = |index: usize| (findings[index].severity, findings[index].blame, findings[index].confidence);
        assert_eq!(findings.len(), 2);
        assert_eq!(of(0), (Severity::Error, Blame::Server, Confidence::Certain));
        assert_eq!(of(1), (Severity::Info, Blame::Nobody, Confidence::Certain));
        assert!(findings[1].message.contains("x-mux") && !findings[1].message.contains("permessage"));
    }

    #[test]
    fn behind_a_gateway_a_required_one_is_asked_of_the_upstream() {
        let scene = Scene::tcp()
            .request(&format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate\r\n"))
            .answer(&format!("{ANSWER}Via: 1.1 Caddy\r\n"), "");
        let findings = required("permessage-deflate", scene);
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Upstream, Confidence::Likely));
    }

    #[test]
    fn a_required_one_that_was_never_offered_is_the_clients_unless_a_gateway_may_have_removed_it() {
        let finding = &required("permessage-deflate", Scene::session("", ""))[0];
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Client));
        assert_eq!(finding.title, "required extension not offered");
        let forwarded =
            Scene::tcp().request(&format!("{REQUEST}X-Forwarded-For: 192.0.2.7\r\n")).answer(ANSWER, "");
        let finding = &required("permessage-deflate", forwarded)[0];
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Possible));
    }

    #[test]
    fn a_requirement_that_is_met_or_not_meant_is_silent() {
        let met = || Scene::session("permessage-deflate", "permessage-deflate");
        assert!(required("permessage-deflate", met()).is_empty());
        assert!(required("x-mux@other.example/", met()).is_empty());
        assert!(required("permessage-deflate", Scene::answered("HTTP/1.1 404 Not Found\r\n", "")).is_empty());
    }
}
