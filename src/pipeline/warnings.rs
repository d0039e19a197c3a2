//! What the report warns of that no one connection shows: bounds that were reached, and what could not be read.

use crate::capture::LinkType;
use crate::connection::{Counters, Unread};
use crate::limits;
use crate::net;
use crate::tcp;
use crate::tls::KeyLog;

/// Bounds that were reached while following connections.
pub(super) fn flow_warnings(counters: Counters) -> Vec<String> {
    let mut warnings = Vec::new();
    if counters.http2_dropped > 0 {
        warnings.push(format!(
            "more than {} HTTP/2 connections were open at once: {} were not followed",
            limits::HTTP2_CONNECTIONS,
            counters.http2_dropped
        ));
    }
    if counters.given_up > 0 {
        warnings.push(format!(
            "{} TCP connections were given up before their first head was whole, because all together kept too many bytes",
            counters.given_up
        ));
    }
    warnings
}

/// Link types by name and number.
pub(super) fn name_links(links: &[LinkType]) -> String {
    let name = |&link: &LinkType| match net::link_name(link) {
        Some(name) => format!("{name} ({})", link.0),
        None => link.0.to_string(),
    };
    let told = links.iter().take(limits::LINKS_TOLD).map(name).collect::<Vec<_>>().join(", ");
    match links.len().saturating_sub(limits::LINKS_TOLD) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// What the packets of the run were that could not be followed.
pub(super) fn net_warnings(counters: &net::Counters) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |count: u64, one: &str, many: &str| match count {
        0 => {}
        1 => warnings.push(format!("1 {one}")),
        _ => warnings.push(format!("{count} {many}")),
    };
    for (&link, &count) in counters.unsupported.iter().take(limits::LINKS_TOLD) {
        let links = name_links(&[link]);
        warn(
            count,
            &format!("packet of link type {links} was not read"),
            &format!("packets of link type {links} were not read"),
        );
    }
    let others = counters.unsupported.values().skip(limits::LINKS_TOLD);
    warn(
        others.sum(),
        "packet of another link type was not read",
        "packets of other link types were not read",
    );
    warn(
        counters.cut,
        "packet was cut before the end of its headers",
        "packets were cut before the end of their headers",
    );
    warn(
        counters.malformed,
        "packet has headers that contradict themselves",
        "packets have headers that contradict themselves",
    );
    warn(
        counters.too_deep,
        "packet has too many headers in each other",
        "packets have too many headers in each other",
    );
    warn(counters.encrypted, "802.11 frame is encrypted", "802.11 frames are encrypted");
    warn(
        counters.datagrams_dropped,
        "fragmented datagram is not whole",
        "fragmented datagrams are not whole",
    );
    warn(counters.fragments_overlapping, "IP fragment overlaps another", "IP fragments overlap others");
    warnings
}

/// HTTP/3, which is seen and not read.
pub(super) fn http3_note(counters: &net::Counters, announced: u64) -> Option<String> {
    let quic = match counters.quic {
        0 => None,
        1 => Some(String::from("1 datagram begins a QUIC connection")),
        count => Some(format!("{count} datagrams begin QUIC connections")),
    };
    let alternative = match announced {
        0 => None,
        1 => Some(String::from("1 answer to an upgrade offers HTTP/3 (Alt-Svc)")),
        count => Some(format!("{count} answers to upgrades offer HTTP/3 (Alt-Svc)")),
    };
    let seen: Vec<String> = quic.into_iter().chain(alternative).collect();
    match seen.as_slice() {
        [] => None,
        seen => Some(format!("{}; WebSockets over HTTP/3 are not decoded", seen.join(", "))),
    }
}

/// What it means that connections were judged before all was read.
pub(super) fn judged_early_note(judged_early: u64) -> Option<String> {
    (judged_early > 0).then(|| {
        format!(
            "more than {} WebSocket connections: two legs of one session may not be matched where {} or more others ended between them",
            limits::WAITING_CONNECTIONS,
            limits::WAITING_CONNECTIONS / 2
        )
    })
}

/// What wrong TCP checksums mean. On the host that sends, a capture shows them before the network card has computed
/// them: then nearly all of one direction are wrong, and nothing is the matter. A few wrong ones are damage.
pub(super) fn checksum_note(counters: &net::Counters) -> Result<Option<String>, String> {
    let (bad, checked) = (counters.checksums_bad, counters.checksums_checked);
    match bad {
        0 => Ok(None),
        _ if bad >= checked / 4 => Ok(Some(format!(
            "TCP checksums were left to the network card ({bad} of {checked} not filled in)"
        ))),
        _ => Err(format!("{bad} of the first {checked} TCP checksums are wrong: packets may be damaged")),
    }
}

/// Bounds that were reached while following flows.
pub(super) fn tcp_warnings(counters: tcp::Counters) -> Vec<String> {
    let mut warnings = Vec::new();
    if counters.evicted > 0 {
        warnings.push(format!(
            "more than {} TCP connections were open at once: {} that were idle longest were given up",
            limits::FLOWS,
            counters.evicted
        ));
    }
    if counters.unanswered > 0 {
        warnings.push(format!(
            "{} TCP connections that nobody answered were given up, because {} later ones had begun or no more could be open",
            counters.unanswered,
            limits::UNANSWERED_FLOWS
        ));
    }
    match counters.duplicates {
        0 => {}
        1 => warnings.push(String::from("1 packet was captured twice; it counts once")),
        count => warnings.push(format!("{count} packets were captured twice; they count once")),
    }
    if counters.relieved > 0 {
        warnings
            .push(format!("{} gaps were given up early because too many bytes waited", counters.relieved));
    }
    warnings
}

/// TLS of which nothing could be read, and why: no key, the wrong key and a failed handshake want different remedies.
pub(super) fn tls_warnings(unread: &Unread, log: &KeyLog) -> Vec<String> {
    let names: Vec<&str> = unread.names.iter().map(String::as_str).collect();
    let mut names = match names.as_slice() {
        [] => String::new(),
        [one] => format!(" (server name {one})"),
        many if many.len() < limits::TLS_NAMES => format!(" (server names {})", many.join(", ")),
        many => format!(" (server names {} and perhaps others)", many.join(", ")),
    };
    let mut warnings = Vec::new();
    let mut warn = |count: u64, why_one: &str, why_many: &str| match count {
        0 => {}
        1 => warnings
            .push(format!("1 TLS connection could not be read{}: {why_one}", std::mem::take(&mut names))),
        _ => {
            let names = std::mem::take(&mut names);
            warnings.push(format!("{count} TLS connections could not be read{names}: {why_many}"));
        }
    };
    warn(unread.no_keys, "no key log was given", "no key log was given");
    let secrets = log.len();
    warn(
        unread.other_keys,
        &format!("none of the key log's secrets is of this connection ({secrets} given)"),
        &format!("none of the key log's secrets is of these connections ({secrets} given)"),
    );
    warn(
        unread.wrong_keys,
        "the key log has secrets of this connection that do not open it",
        "the key log has secrets of these connections that do not open them",
    );
    let unsupported = unread.unsupported_reason();
    warn(unread.unsupported, &unsupported, &unsupported);
    let lost = "the capture lacks the hello messages, or the key came too late";
    warn(unread.lost, lost, lost);
    warn(
        unread.failed,
        "it ended before it carried application data",
        "they ended before they carried application data",
    );
    if unread.unlisted > 0 {
        warnings.push(format!(
            "{} of the TLS connections that could not be read are not listed: the limit is {} of those that may be WebSocket, and as many \
             others",
            unread.unlisted,
            limits::TLS_UNREAD
        ));
    }
    if log.is_full() {
        warnings.push(format!(
            "secrets beyond the first {} of the key logs were not kept",
            limits::KEY_LOG_SECRETS
        ));
    }
    warnings
}
