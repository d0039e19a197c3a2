//! Judgement of the legs of one session together, so that one fault is told once, by the party it belongs to.

use super::{
    Blame, Category, Confidence, Context, Cues, Evidence, Finding, Origin, Rule, Selection, arrange,
    attribution, find, further, handshake,
};
use crate::capture::Seen;
use crate::connection::Connection;
use crate::gateway::{Party, Verdict, one_leg};
use crate::legs::{LegPair, Legs};

/// What the rules say of the legs of one session, for each leg. `pairs` joins each of `chain` to the next; a chain of one
/// connection and no pairs is judged as [`super::judge`] does.
pub fn judge_chain(chain: &[&Connection], pairs: &[&LegPair], context: &Context<'_>) -> Vec<Vec<Finding>> {
    let mut judged: Vec<Vec<Finding>> = Vec::with_capacity(chain.len());
    // From the innermost leg outwards: what is said of a pair may hang under what is said of the pair before it.
    for (place, connection) in chain.iter().enumerate().rev() {
        let legs = pairs.get(place).zip(chain.get(place + 1));
        let legs = legs.map(|(pair, upstream)| Legs { pair, client: connection, upstream });
        let subrequest = legs.filter(|legs| legs.pair.is_subrequest());
        let legs = legs.filter(|legs| !legs.pair.is_subrequest());
        let mut findings = find(connection, Cues::of(connection), &Context { legs, ..*context });
        if place > 0 {
            // The client of an inner leg is a gateway: those who come back are many behind one address.
            // And the key is the one of its own client.
            let of_clients = ["reconnect-without-backoff", KEY_REUSED];
            findings.retain(|finding| !of_clients.contains(&finding.rule.name));
        }
        if let (Some(legs), Some(inner)) = (legs, judged.last_mut()) {
            drop_what_the_other_leg_refutes(&legs, &mut findings, inner);
            attribution::attribute(&legs, &mut findings, inner);
            join(&legs, context.selection, &mut findings, inner);
        }
        if let (Some(legs), Some(inner)) = (subrequest, judged.last_mut()) {
            // What the gateway asked of another service is no upgrade, and owes none.
            inner.clear();
            attribution::decided_elsewhere(&legs, &mut findings);
        }
        judged.push(findings);
    }
    judged.reverse();
    judged.into_iter().map(|found| arrange(found, context.selection)).collect()
}

/// The rule of keys that are not random.
pub(super) const KEY_REUSED: &str = "request-key-reused";

/// Says of a session of which one leg was captured what speaks for a gateway, what against it, and what would settle it.
pub(super) fn weigh_alone(connection: &Connection, found: &mut [Finding]) {
    doubt_client(connection, found);
    let Some(finding) = found.iter_mut().find(|finding| finding.rule.name == "closed-without-close-frame")
    else {
        return;
    };
    let verdict = one_leg(connection);
    let name = match verdict.origin {
        Party::Gateway => "a gateway",
        Party::Server => "the server itself",
        _ => return,
    };
    if finding.origin == Some(Origin::Client) {
        return;
    }
    finding.origin = origin(verdict.origin);
    for reason in &verdict.reasons {
        let packet = reason.seen.unwrap_or(finding.seen).packet;
        finding.evidence.push(Evidence { packet, text: format!("speaks for {name}: {}", reason.text) });
    }
    if let Some(counter) = &verdict.counter {
        let packet = counter.seen.unwrap_or(finding.seen).packet;
        finding.evidence.push(Evidence { packet, text: format!("speaks against it: {}", counter.text) });
    }
    if let Some(settle) = verdict.settle {
        finding.help.to_mut().push_str(&format!("; what would settle who ended it: {settle}"));
    }
}

/// Where a gateway sent the request, it is the client of this leg, and may have made what that sent.
fn doubt_client(connection: &Connection, found: &mut [Finding]) {
    let Some(request) = &connection.request else { return };
    let is_clients = |finding: &&mut Finding| {
        finding.rule.category == Category::Frame
            && finding.blame == Blame::Client
            && finding.confidence == Confidence::Certain
    };
    for finding in found.iter_mut().filter(is_clients) {
        let Some(field) = handshake::forwarded(request).into_iter().next() else { return };
        finding.confidence = Confidence::Likely;
        let text = format!(
            "a gateway stands for the client here, which may have made that or passed it on: {field}"
        );
        finding.evidence.push(Evidence { packet: request.seen.packet, text });
    }
}

/// A finding about a pair: it belongs to the client leg, concerns the upstream leg as well, is no surer than the match,
/// and names both legs.
pub(super) fn about(rule: &'static Rule, legs: &Legs<'_>, seen: Seen, title: &'static str) -> Finding {
    let mut finding = Finding::new(rule, seen, title)
        .confidence(legs.pair.confidence)
        .shows(first(legs.upstream), matched(legs));
    finding.related.push(legs.pair.upstream_leg);
    finding
}

/// Adds what speaks for a verdict, and the strongest thing against it.
pub(super) fn because(verdict: &Verdict, mut finding: Finding) -> Finding {
    for reason in &verdict.reasons {
        if let Some(seen) = reason.seen {
            finding = finding.shows(seen, reason.text.clone());
        }
    }
    if let Some(counter) = &verdict.counter {
        let seen = counter.seen.unwrap_or(finding.seen);
        finding = finding.shows(seen, format!("against it: {}", counter.text));
    }
    finding
}

/// The party in the words of a finding.
pub(super) fn blame(party: Party) -> Blame {
    match party {
        Party::Client => Blame::Client,
        Party::Gateway => Blame::Gateway,
        Party::Upstream => Blame::Upstream,
        Party::Server => Blame::Server,
        Party::Network => Blame::Network,
        Party::Unknown => Blame::Unknown,
    }
}

/// The same as the one who spoke.
pub(super) fn origin(party: Party) -> Option<Origin> {
    match party {
        Party::Client => Some(Origin::Client),
        Party::Gateway => Some(Origin::Gateway),
        Party::Upstream | Party::Server => Some(Origin::Server),
        Party::Network => Some(Origin::Network),
        Party::Unknown => None,
    }
}

fn first(connection: &Connection) -> Seen {
    connection.request.as_ref().map_or(connection.first, |request| request.seen)
}

/// `upstream leg 10.20.0.1:40000 to 10.20.0.20:8080, matched by the same Sec-WebSocket-Key`.
pub(super) fn matched(legs: &Legs<'_>) -> String {
    let tcp = &legs.upstream.tcp;
    // Where no request was on the leg, its target is not known.
    let means = if legs.upstream.request.is_some() { legs.pair.means.phrase() } else { "addresses and time" };
    let clock = legs.pair.clock;
    let offset = match clock.offset {
        0 => String::new(),
        offset => format!(
            "; its clock is {:.3} s {} (give or take {:.1} ms), which is allowed for",
            offset.abs() as f64 / 1e9,
            if offset > 0 { "behind" } else { "ahead" },
            clock.uncertainty as f64 / 1e6
        ),
    };
    format!("upstream leg {} to {}, matched by {means}{offset}", tcp.client, tcp.server)
}

/// A Close that one leg seems to lack stands on the other: where bytes of the one are missing, it was among them.
fn drop_what_the_other_leg_refutes(legs: &Legs<'_>, client: &mut Vec<Finding>, upstream: &mut Vec<Finding>) {
    for (findings, here, there) in
        [(client, legs.client, legs.upstream), (upstream, legs.upstream, legs.client)]
    {
        let refuted = !there.closes.is_empty() && here.quality.lacks_bytes();
        findings.retain(|finding| !(refuted && finding.rule.name == "closed-without-close-frame"));
    }
}

/// Makes one of what both legs show alike, and lets hang under the client leg's findings what they explain on the
/// upstream leg.
fn join(legs: &Legs<'_>, selection: &Selection, client: &mut Vec<Finding>, upstream: &mut Vec<Finding>) {
    let mut own = Vec::new();
    for finding in upstream.drain(..) {
        let same = client.iter_mut().find(|other| other.rule.code == finding.rule.code);
        if let Some(same) = same {
            same.severity = same.severity.max(finding.severity);
            absorb(legs, same, &finding);
            continue;
        }
        // What the client's own request lacks a gateway cannot pass on.
        let lacked = client.iter_mut().find(|root| {
            OF_REQUESTS.contains(&root.rule.name)
                && OF_REQUESTS.contains(&finding.rule.name)
                && selection.hides(root, &finding)
        });
        if let Some(lacked) = lacked {
            absorb(legs, lacked, &finding);
            lacked.consequences.push(finding);
            continue;
        }
        let root = client.iter_mut().find(|root| root.explains(&finding));
        match root {
            // Where the upstream is the cause, a gateway that hides it does not make it a consequence.
            Some(root) if may_hang(root, &finding) && selection.hides(root, &finding) => {
                absorb(legs, root, &finding);
                if finding.rule.name == "extension-stripped-by-gateway" {
                    further::stripped(legs, root, &finding);
                }
                client.push(finding);
            }
            _ => own.push(finding),
        }
    }
    for finding in &mut own {
        if !finding.related.contains(&legs.pair.client_leg) && finding.blame == Blame::Upstream {
            finding.related.push(legs.pair.client_leg);
        }
    }
    *upstream = own;
    if legs.pair.confidence == Confidence::Certain {
        further::hang(legs, selection, client, upstream);
    }
}

/// Whether a finding of the upstream leg may be told as a consequence: not where it has another culprit than its root.
pub(super) fn may_hang(root: &Finding, finding: &Finding) -> bool {
    root.blame == finding.blame || matches!(finding.blame, Blame::Nobody | Blame::Unknown | Blame::Gateway)
}

/// Takes over the addresses of a finding of the upstream leg.
fn absorb(legs: &Legs<'_>, root: &mut Finding, finding: &Finding) {
    for serial in [legs.pair.upstream_leg].iter().chain(&finding.related) {
        if !root.related.contains(serial) && *serial != legs.pair.client_leg {
            root.related.push(*serial);
        }
    }
    let how = Evidence { packet: first(legs.upstream).packet, text: matched(legs) };
    if !root.evidence.contains(&how) {
        root.evidence.push(how);
    }
    let room = EVIDENCE.saturating_sub(root.evidence.len());
    let new = finding.evidence.iter().filter(|new| root.evidence.iter().all(|known| !tells(known, new)));
    let lines: Vec<Evidence> = new
        .take(room)
        .map(|evidence| Evidence {
            packet: evidence.packet,
            text: match evidence.text.strip_prefix("upstream leg") {
                Some(_) => evidence.text.clone(),
                None => format!("upstream leg: {}", evidence.text),
            },
        })
        .collect();
    root.evidence.extend(lines);
}

/// Whether a line is told already; which leg it is on is told by its packet.
fn tells(known: &Evidence, new: &Evidence) -> bool {
    let alike = known.text.contains(&new.text) || new.text.contains(&known.text);
    known.packet == new.packet && (alike || known.text.starts_with("upstream leg: "))
}

/// Rules of what makes a request an upgrade.
const OF_REQUESTS: [&str; 3] =
    ["request-upgrade-missing", "request-connection-upgrade-missing", "request-key-invalid"];

/// Lines of evidence of one finding about a pair.
pub(super) const EVIDENCE: usize = 10;
