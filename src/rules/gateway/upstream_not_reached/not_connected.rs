//! The gateway got no TCP connection to its upstream.

use super::RULE;
use crate::connection::{Connection, Outcome, Transport};
use crate::legs::{Attempts, Fate};
use crate::role::Role;
use crate::rules::{Blame, Confidence, Finding, Origin, quote, undelivered};

/// Names the attempts, and what became of them.
pub(super) fn not_connected(connection: &Connection, tried: &Attempts<'_>) -> Option<Finding> {
    let first = tried.tried.first()?;
    let count = tried.tried.len();
    let (title, what, help) = match tried.fate {
        Fate::Refused => (
            "gateway's upstream refused the TCP connection",
            "refused the TCP connection with RST: nothing listens there",
            "start the upstream, or correct the address and port that the gateway uses",
        ),
        Fate::Unanswered => (
            "gateway's upstream did not answer the SYN",
            "did not answer the SYN: a firewall, a host that is down, or a full accept queue",
            "check the address, the path and the accept queue of the upstream",
        ),
        Fate::ThrownOut => (
            "gateway's upstream accepted TCP and ended it at once",
            "accepted the TCP connection and ended it before either side had sent a byte: what listens there did not let it in, or has nothing behind it",
            "find out what listens there: a list of allowed addresses, a limit of connections, a port proxy of containers with no program behind it; then read its log at this second",
        ),
    };
    // A router or a firewall may say why a SYN got no answer.
    let reason = tried.tried.iter().filter(|_| tried.fate == Fate::Unanswered);
    let reason = reason.filter_map(|one| undelivered::of_syn(&one.undelivered, one.server)).next();
    let (title, what, help) = match &reason {
        Some(reason) => (
            format!("gateway's upstream not reached: {}", reason.name()),
            format!("was not reached: {}", reason.told()),
            reason.help(),
        ),
        None => (title.to_owned(), what.to_owned(), help.to_owned()),
    };
    let times = if count == tried.upstreams.len() { String::new() } else { format!(" {count} times") };
    let upstreams: Vec<String> =
        tried.upstreams.iter().take(SHOWN).map(|upstream| upstream.to_string()).collect();
    let upstreams: Vec<&str> = upstreams.iter().map(String::as_str).collect();
    let more = match tried.upstreams.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let that = if tried.upstreams.len() == 1 { "that host" } else { "each of them" };
    // Where all are on one host its address names nobody.
    let gateway = connection.tcp.server.ip;
    let same_host = first.client.ip == gateway && connection.tcp.client.ip != gateway;
    let mut finding = Finding::new(&RULE, first.opened, title)
        .confidence(match tried.fate {
            Fate::Refused if same_host => Confidence::Certain,
            _ => Confidence::Likely,
        })
        .origin(Origin::Gateway)
        .blame(reason.as_ref().map_or(Blame::Upstream, |reason| reason.blame(Blame::Upstream)))
        .message(format!(
            "the gateway tried {}{more}{times} {}; {that} {what}",
            quote::list(&upstreams),
            match &connection.response {
                Some(answer) if answer.head.status == 101 => "before it closed the client's session",
                None if connection.ending.by.is_some_and(|(by, _)| by == Role::Client) => {
                    "before the client gave up without an answer"
                }
                None if connection.outcome == Outcome::Unanswered => {
                    "before it ended the client's connection without an answer"
                }
                _ => "before it answered the client",
            }
        ))
        .help(help);
    for one in tried.tried.iter().take(SHOWN) {
        let again = if one.syns > 1 { format!(", sent {} times", one.syns) } else { String::new() };
        finding = finding.shows(one.opened, format!("SYN {} to {}{again}", one.client, one.server));
        if let Some(accepted) = one.accepted {
            finding = finding.shows(accepted, format!("SYN-ACK from {}", one.server));
        }
        match (one.ended, tried.fate) {
            (Some((_, _, seen)), Fate::Refused) => {
                finding = finding.shows(seen, format!("RST from {}", one.server));
            }
            (Some((_, transport, seen)), Fate::ThrownOut) => {
                let how = if transport == Transport::Reset { "RST" } else { "FIN" };
                finding = finding.shows(seen, format!("{how} from {}, no byte before it", one.server));
            }
            _ => {}
        }
    }
    if let Some(reason) = &reason {
        finding = reason.shown(finding);
    }
    if let Some(answer) = connection.response.as_ref().filter(|answer| answer.head.status != 101) {
        finding = finding.shows(answer.seen, format!("client is answered {}", quote::status(answer)));
    }
    Some(finding)
}

/// Attempts that are quoted.
const SHOWN: usize = 3;
