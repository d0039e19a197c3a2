//! Whose each finding is where both legs of a session are known.

use super::pair::{blame, matched, origin};
use super::{Blame, Confidence, Evidence, Finding, Origin, Severity, gateway};
use crate::connection::{Connection, Outcome};
use crate::gateway::{Party, Verdict, answer, ending};
use crate::legs::{Legs, Passage, Place};
use crate::role::Role;
use crate::rules::extension::{stripped_acceptance, stripped_offers};
use Subject::{Answer, Ending, Fields, Negotiation, Session, Time};

/// What a rule's finding is about, where the other leg can tell whose it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The answer to the upgrade.
    Answer,
    /// Fields of the 101 that may not be there, or not so.
    Fields,
    /// Extensions that were agreed on.
    Negotiation,
    /// How the session ended.
    Ending,
    /// How long the answer took.
    Time,
    /// Anything else that the server's side did.
    Session,
}

pub(super) fn subject(name: &str) -> Subject {
    match name {
        "response-not-101"
        | "response-200-upgrade-ignored"
        | "response-426-upgrade-lost"
        | "response-forbidden"
        | "response-redirect"
        | "response-not-http"
        | "handshake-unanswered"
        | "gateway-error-before-upgrade" => Answer,
        "close-1010-mandatory-extension" | "extension-offered-not-accepted" | "rsv1-without-extension" => {
            Negotiation
        }
        "handshake-slow" => Time,
        "response-101-malformed"
        | "response-upgrade-headers-invalid"
        | "extension-accepted-not-offered"
        | "extension-response-params-illegal"
        | "subprotocol-selected-not-offered" => Fields,
        "closed-without-close-frame"
        | "close-1014-bad-gateway"
        | "close-internal-error"
        | "close-going-away"
        | "close-restart-or-overload"
        | "close-application-code"
        | "mass-disconnect"
        | "reset-around-close" => Ending,
        _ => Session,
    }
}

/// Corrects who spoke and who is to blame by what the two legs show together. Findings of rules that know both legs
/// already say it. What bytes prove of one leg stays with that leg's own ends where the match is no more than possible.
pub(super) fn attribute(legs: &Legs<'_>, client: &mut [Finding], upstream: &mut [Finding]) {
    let forwarded = !client.iter().any(|finding| finding.rule.name == "upgrade-not-forwarded");
    // What the gateway copies, the client's leg shows as well.
    let is_whole = super::trust::doubt(legs.client, Role::Client).is_none();
    let shown: Vec<&str> = client.iter().map(|finding| finding.rule.code).collect();
    let is_sure = legs.pair.confidence > Confidence::Possible;
    let is_of_one_leg = |finding: &&mut Finding| finding.related.is_empty();
    // Whose client still waits may ask another upstream.
    let goes_on = legs.client.outcome == Outcome::Unanswered && legs.client.ending.by.is_none();
    for finding in upstream.iter_mut().filter(is_of_one_leg).filter(|_| is_sure) {
        if goes_on && subject(finding.rule.name) == Answer {
            finding.severity = finding.severity.min(Severity::Warning);
        }
        inner(legs, finding, forwarded, is_whole && !shown.contains(&finding.rule.code));
        // A RST of the client is a packet that nothing else speaks of: it may be among those that are missing.
        if subject(finding.rule.name) == Ending
            && finding.blame == Blame::Gateway
            && !legs.client.quality.is_whole()
        {
            finding.confidence = finding.confidence.min(Confidence::Likely);
        }
    }
    let outer = Outer { legs, upstream, answer: answer(legs), ending: ending(legs), forwarded, is_sure };
    client.iter_mut().filter(is_of_one_leg).for_each(|finding| outer.attribute(finding));
}

/// What findings on the client's leg are corrected by.
struct Outer<'a> {
    legs: &'a Legs<'a>,
    /// What the rules say of the upstream leg.
    upstream: &'a [Finding],
    /// Who made the answer, and who ended the session.
    answer: Option<Verdict>,
    ending: Option<Verdict>,
    /// Whether the gateway passed the upgrade on.
    forwarded: bool,
    /// Whether the match of the legs is more than possible.
    is_sure: bool,
}

impl Outer<'_> {
    fn attribute(&self, finding: &mut Finding) {
        let servers =
            matches!(finding.blame, Blame::Server | Blame::Upstream | Blame::Gateway | Blame::Unknown);
        match subject(finding.rule.name) {
            // An error of the upstream's own stays that, whatever the gateway made of the request.
            Answer if !self.forwarded && !self.is_error_of_upstream(finding) => {
                finding.blame = Blame::Gateway
            }
            // A client that hardly waited proves nothing of the upstream.
            Answer if finding.origin == Some(Origin::Client) => {}
            Answer => self.answer(finding),
            Ending if servers || finding.origin != Some(Origin::Client) => self.ending(finding),
            Ending if finding.rule.name == "closed-without-close-frame" => self.left(finding),
            Negotiation if servers || finding.blame == Blame::Nobody => negotiated(self.legs, finding),
            Fields if servers && altered(self.legs, self.upstream, finding) => self.fields(finding),
            Time => finding.blame = slow(self.upstream),
            _ if finding.rule.name == "http-bytes-in-stream" => self.http_bytes(finding),
            _ if finding.blame == Blame::Server && self.is_sure => match self.legs.pair.passage {
                _ if self.is_on_upstream(finding) => finding.blame = Blame::Upstream,
                Passage::Terminating => finding.blame = Blame::Gateway,
                Passage::Tunnel => finding.blame = Blame::Upstream,
                Passage::Unknown => {}
            },
            _ => {}
        }
    }

    /// Whether the upstream leg has the same fault.
    fn is_on_upstream(&self, finding: &Finding) -> bool {
        self.upstream.iter().any(|other| other.rule.code == finding.rule.code)
    }

    fn answer(&self, finding: &mut Finding) {
        let (legs, verdict) = (self.legs, self.answer.as_ref());
        let is_upstreams = verdict.is_some_and(|verdict| verdict.origin == Party::Upstream);
        if finding.rule.name == "gateway-error-before-upgrade" && is_upstreams {
            gateway::gateway_error_before_upgrade::passed_on(finding, legs.upstream);
            finding.origin = Some(Origin::Server);
            finding.blame = Blame::Upstream;
            finding.confidence = legs.pair.confidence;
            return;
        }
        let is_gateways =
            |verdict: &Verdict| verdict.origin == Party::Gateway && verdict.confidence >= Confidence::Likely;
        if verdict.is_some_and(is_gateways) {
            gateway::gateway_error_before_upgrade::made_here(finding);
        }
        apply(finding, verdict);
        if is_upstreams {
            rewritten(legs, finding);
        }
        if legs.upstream.garbled.as_deref().is_some_and(|garbled| garbled.unfinished) {
            let upstream = legs.upstream.tcp.server;
            finding.help = format!(
                "read the log of {upstream} at this second for why it ended the connection amid its answer"
            )
            .into();
        }
    }

    fn is_error_of_upstream(&self, finding: &Finding) -> bool {
        finding.rule.name == "gateway-error-before-upgrade"
            && self.answer.as_ref().is_some_and(|verdict| verdict.origin == Party::Upstream)
    }

    /// A client that leaves after its upstream had, which the gateway did not tell it.
    fn left(&self, finding: &mut Finding) {
        let legs = self.legs;
        let verdict = self
            .ending
            .as_ref()
            .filter(|verdict| verdict.origin == Party::Upstream && verdict.confidence >= Confidence::Likely);
        let reason = verdict.and_then(|verdict| verdict.reasons.first());
        let Some((verdict, ended, text)) =
            verdict.zip(reason).and_then(|(verdict, reason)| Some((verdict, reason.seen?, &reason.text)))
        else {
            return;
        };
        let late = finding.seen.at.nanos_since(legs.upstream_time(ended)) - legs.pair.clock.uncertainty;
        if late < UNTOLD {
            return;
        }
        let late = super::quote::seconds(late as f64 / 1e9);
        finding.blame = Blame::Upstream;
        finding.confidence = finding.confidence.min(verdict.confidence);
        finding.message.push_str(&format!(
            "; both legs were captured: {text} came {late} before, and the gateway did not tell the client"
        ));
        finding.help = "find out why the upstream ended the session first, and why the gateway kept the client's connection open after that".into();
    }

    fn ending(&self, finding: &mut Finding) {
        let verdict = self.ending.as_ref();
        let is_upstreams = |verdict: &Verdict| {
            verdict.origin == Party::Upstream && verdict.confidence == Confidence::Certain
        };
        if finding.rule.name == "close-1014-bad-gateway" && verdict.is_some_and(is_upstreams) {
            gateway::close_1014_bad_gateway::passed_on(finding, self.legs);
        }
        apply(finding, verdict);
    }

    fn fields(&self, finding: &mut Finding) {
        finding.origin = Some(Origin::Gateway);
        finding.blame = Blame::Gateway;
        finding.confidence = self.legs.pair.confidence;
        let answer = self.legs.upstream.response.as_ref();
        let asked = finding.rule.name == "extension-accepted-not-offered"
            && answer.is_some_and(|answer| !answer.extensions.list.is_empty());
        finding.message.push_str(if asked {
            "; both legs were captured: the gateway offered it to the upstream, which accepted"
        } else {
            "; both legs were captured: the upstream's 101 is in order here, so the gateway made it so"
        });
        finding.help = "find what writes this field of the handshake in the gateway, and let it pass on what the client and the upstream sent".into();
    }

    /// Bytes that are no frame and no error page: whoever made them, the leg behind the gateway shows it.
    fn strange(&self, finding: &mut Finding) {
        let whole = super::trust::doubt(self.legs.upstream, Role::Server).is_none();
        if self.is_on_upstream(finding) {
            finding.blame = Blame::Upstream;
        } else if whole {
            (finding.origin, finding.blame) = (Some(Origin::Gateway), Blame::Gateway);
            finding.message.push_str("; both legs were captured: the upstream did not send it");
        }
    }

    fn http_bytes(&self, finding: &mut Finding) {
        if finding.origin == Some(Origin::Server) && self.is_sure {
            self.strange(finding);
            return;
        }
        let verdict = self.ending.as_ref().filter(|verdict| verdict.blame == Party::Upstream);
        if let Some(verdict) = verdict.filter(|_| !self.is_on_upstream(finding)) {
            let (spoke, confidence) = (finding.origin, finding.confidence);
            apply(finding, Some(verdict));
            (finding.origin, finding.confidence) = (spoke, confidence.min(verdict.confidence));
        }
    }
}

/// Nanoseconds that an end on the upstream leg may take to the client without having been kept from it.
const UNTOLD: i64 = 500_000_000;

/// Says of an upstream's refusal which fields of the request it got from the gateway and not from the client: servers hold
/// `Origin` against a list, or against `Host`.
fn rewritten(legs: &Legs<'_>, finding: &mut Finding) {
    let (Some(asked), Some(forwarded)) = (&legs.client.request, &legs.upstream.request) else { return };
    if !matches!(finding.rule.name, "response-forbidden" | "response-not-101") {
        return;
    }
    let status = legs.upstream.response.as_ref().map(|answer| answer.head.status);
    if status == Some(400) && legs.upstream.proxied.is_some() {
        finding.message.push_str("; the gateway puts a PROXY protocol header before the request, which a server that expects none refuses so");
        finding.help = PROXY_HEADER.into();
        finding.blame = Blame::Gateway;
        finding.confidence = finding.confidence.min(Confidence::Likely);
        return;
    }
    let changed = legs
        .pair
        .changes
        .iter()
        .filter(|change| change.place == Place::Request && matches!(change.field, "host" | "origin"));
    let names: Vec<&str> =
        changed.map(|change| if change.field == "host" { "Host" } else { "Origin" }).collect();
    if names.is_empty() {
        return;
    }
    finding.message.push_str(&format!(
        "; of the request that it refused, {} {} written by the gateway",
        super::quote::list(&names),
        if names.len() == 1 { "was" } else { "were" }
    ));
    for name in &names {
        for (leg, request) in [("client", asked), ("upstream", forwarded)] {
            let text = format!("{leg} leg: {}", super::quote::field_or_none(&request.head.head, name));
            finding.evidence.push(Evidence { packet: request.seen.packet, text });
        }
    }
    // Where the client names no origin, only one that the gateway wrote can be refused.
    let held = forwarded.head.head.field("Origin").is_some();
    if finding.rule.name == "response-forbidden" && held {
        finding.blame = Blame::Gateway;
        finding.confidence = finding.confidence.min(Confidence::Likely);
        finding.help = "let the gateway forward Host and Origin as the client sent them, in nginx with proxy_set_header Host $http_host, and then allow that origin on the upstream".into();
    }
}

/// What there is to do where a server may not expect the header of the PROXY protocol.
pub(super) const PROXY_HEADER: &str = "let both sides agree on the PROXY protocol: switch it off in the gateway (send-proxy in HAProxy, proxy_protocol in nginx), or on in the upstream";

/// Whether the upstream's 101 lacks what is wrong with the gateway's.
fn altered(legs: &Legs<'_>, upstream: &[Finding], finding: &Finding) -> bool {
    let answered = |leg: &Connection| leg.response.as_ref().is_some_and(|answer| answer.head.status == 101);
    let also = upstream.iter().any(|other| other.rule.code == finding.rule.code);
    !also && answered(legs.client) && answered(legs.upstream) && super::trust::knows_fields(legs.upstream)
}

/// Where the time of a slow answer went: the upstream took it where its leg is slow as well, and else the gateway.
fn slow(upstream: &[Finding]) -> Blame {
    let also = upstream.iter().any(|finding| subject(finding.rule.name) == Time);
    if also { Blame::Upstream } else { Blame::Gateway }
}

/// What the upstream leg calls its client is the gateway, unless that only copies what the client sends; and its server
/// is the upstream. `alone`: nothing like it is on the client's leg, of which all was seen.
fn inner(legs: &Legs<'_>, finding: &mut Finding, forwarded: bool, alone: bool) {
    let copied = legs.pair.passage != Passage::Terminating && !alone;
    let who = subject(finding.rule.name);
    match finding.blame {
        Blame::Server if who == Answer && !forwarded => finding.blame = Blame::Gateway,
        Blame::Server => finding.blame = Blame::Upstream,
        // What is in a message, and how long it is, stays its author's, whoever frames it.
        Blame::Client if finding.rule.name == "close-reports-peer-violation" && is_about_content(legs) => {}
        Blame::Client if !copied => finding.blame = Blame::Gateway,
        _ => {}
    }
    if !copied && finding.origin == Some(Origin::Client) {
        finding.origin = Some(Origin::Gateway);
    }
    let removed = !stripped_offers(legs).is_empty() || !stripped_acceptance(legs).is_empty();
    if who == Negotiation && removed && finding.blame != Blame::Nobody {
        finding.blame = Blame::Gateway;
    }
}

/// Whether the upstream closed over what a message is or how long it is, and not over how it is framed.
fn is_about_content(legs: &Legs<'_>) -> bool {
    let close = legs.upstream.first_close(Role::Server);
    close.is_some_and(|close| matches!(close.code, Some(1003 | 1007 | 1009)))
}

/// Says of an answer to the upgrade that the gateway first asked another service, and what that answered.
pub(super) fn decided_elsewhere(legs: &Legs<'_>, findings: &mut [Finding]) {
    let Some(question) = &legs.upstream.request else { return };
    let service = legs.upstream.tcp.server;
    let status = |connection: &Connection| connection.response.as_ref().map(|answer| answer.head.status);
    let (granted, answered) = match &legs.upstream.response {
        Some(answer) => {
            (matches!(answer.head.status, 200..=299), format!("answered {}", super::quote::status(answer)))
        }
        None => (false, String::from("did not answer")),
    };
    for finding in findings.iter_mut().filter(|finding| subject(finding.rule.name) == Answer) {
        let seen = legs.upstream.response.as_ref().map_or(question.seen, |answer| answer.seen);
        finding.related.push(legs.pair.upstream_leg);
        finding.evidence.push(Evidence { packet: question.seen.packet, text: matched(legs) });
        finding.evidence.push(Evidence {
            packet: question.seen.packet,
            text: format!("upstream leg: {}", super::quote::request_line(question)),
        });
        finding
            .evidence
            .push(Evidence { packet: seen.packet, text: format!("upstream leg: {service} {answered}") });
        if granted {
            let text = format!("; before it the gateway had asked {service}, which let the upgrade through");
            finding.message.push_str(&text);
            continue;
        }
        finding.message.push_str(&format!(
            "; the gateway asks {service} before it lets an upgrade through, and that {answered}"
        ));
        finding.origin = Some(Origin::Gateway);
        if finding.blame == Blame::Server || status(legs.upstream).is_none_or(|status| status >= 500) {
            finding.blame = Blame::Upstream;
        }
        if finding.blame == Blame::Upstream {
            finding.help = format!(
                "read the log of {service}, which decides for the gateway: auth_request, forward_auth or ForwardAuth in its configuration"
            )
            .into();
        }
    }
}

/// Takes over what the verdict says, with its reasons.
fn apply(finding: &mut Finding, verdict: Option<&Verdict>) {
    let Some(verdict) = verdict else { return };
    // Whoever sends 1014 calls itself a gateway, be it this one or one further on.
    if finding.rule.name != "close-1014-bad-gateway" || verdict.origin == Party::Gateway {
        finding.origin = origin(verdict.origin).or(finding.origin);
    }
    if finding.blame != Blame::Nobody {
        finding.blame = blame(verdict.blame);
    }
    finding.confidence = match finding.confidence {
        // Whether it happened at all is no surer for two legs.
        sure if finding.rule.name == "reset-around-close" => sure.min(verdict.confidence),
        Confidence::Possible => Confidence::Possible.max(verdict.confidence),
        _ => verdict.confidence,
    };
    for reason in &verdict.reasons {
        if let Some(seen) = reason.seen {
            finding.evidence.push(Evidence { packet: seen.packet, text: reason.text.clone() });
        }
    }
    if let Some(reason) = verdict.reasons.first() {
        let also = format!("; both legs were captured: {}", reason.text);
        finding.message.push_str(&also);
    }
}

/// Says whether the gateway or the upstream is the reason that an extension is missing.
fn negotiated(legs: &Legs<'_>, finding: &mut Finding) {
    let (Some(forwarded), Some(answer)) = (&legs.upstream.request, &legs.upstream.response) else { return };
    let offers = stripped_offers(legs);
    let accepted = stripped_acceptance(legs);
    // Whether an offer that the capture lacks was passed on, nothing shows.
    if accepted.is_empty() && legs.client.request.is_none() {
        return;
    }
    // What is no fault is not worth a guess.
    if finding.blame == Blame::Nobody && legs.pair.confidence < Confidence::Likely {
        return;
    }
    let (blame, what, first) = if !accepted.is_empty() {
        (
            Blame::Gateway,
            "the upstream accepted it and the gateway removed it from the answer",
            "let the gateway forward Sec-WebSocket-Extensions in the answer: the upstream accepts the offer",
        )
    } else if !offers.is_empty() && legs.pair.passage != Passage::Terminating {
        (
            Blame::Gateway,
            "the gateway did not pass the offer on",
            "let the gateway forward Sec-WebSocket-Extensions in the request; then see whether the upstream accepts it",
        )
    } else if legs.pair.passage == Passage::Terminating {
        (
            Blame::Gateway,
            "the gateway answers for itself",
            "enable the extension in the gateway, which negotiates by itself, or make it optional in the client",
        )
    } else {
        (
            Blame::Upstream,
            "the gateway passed the offer on, and the upstream did not accept it",
            "enable the extension on the upstream, which got the offer, or make it optional in the client",
        )
    };
    if finding.blame == Blame::Nobody {
        finding.help = format!("if it is needed, {first}").into();
    } else {
        finding.blame = blame;
        finding.confidence = legs.pair.confidence;
        finding.help = first.into();
    }
    finding.message.push_str(&format!("; both legs were captured: {what}"));
    for (seen, what, head) in
        [(forwarded.seen, "offered", &forwarded.head.head), (answer.seen, "answered", &answer.head.head)]
    {
        let field = super::quote::field_or_none(head, "Sec-WebSocket-Extensions");
        finding
            .evidence
            .push(Evidence { packet: seen.packet, text: format!("upstream leg: {what} {field}") });
    }
}
