//! The first lines, on the captures, and the last one, which sums up.

use super::Taken;
use super::groups::BySeverity;
use crate::capture::CaptureInfo;
use crate::pipeline::{Summary, Totals};
use crate::report::escape;
use crate::report::page::counted;
use crate::report::page::{self, Page, wrap};
use crate::rules::Severity;
use crate::time::Timestamp;
use anstyle::{AnsiColor, Style};

/// What was read, in one line, and under it whatever is wrong with it, each on its own line.
pub(super) fn captures(summary: &Summary, page: Page) -> String {
    let name = match summary.captures.as_slice() {
        [one] if one.path == "-" => String::from("standard input"),
        [one] => escape::terminal_at_most(&one.path, 200),
        many => counted(many.len() as u64, "capture", "captures"),
    };
    let Totals { packets, tcp_connections, tls_connections, websocket_connections, .. } = summary.totals;
    let mut line = format!("{name}: {}{}", counted(packets, "packet", "packets"), span(&summary.captures));
    line.push_str(&format!(", {}", counted(tcp_connections, "TCP connection", "TCP connections")));
    if tls_connections > 0 {
        line.push_str(&format!(" ({tls_connections} TLS)"));
    }
    let websocket = counted(websocket_connections, "WebSocket connection", "WebSocket connections");
    line.push_str(&format!(", {websocket}"));
    let mut text = wrap(&line, page.prose(), "");
    for error in &summary.unreadable {
        let told = format!("not in this report, for it could not be read: {error}");
        let wrapped = wrap(&escape::terminal_at_most(&told, 500), page.prose(), "! ");
        text.push('\n');
        text.push_str(&page.paint(Style::new().fg_color(Some(AnsiColor::Red.into())), &wrapped));
    }
    for capture in &summary.captures {
        for warning in warnings(capture, summary.captures.len() > 1) {
            let wrapped = wrap(&warning, page.prose(), "! ");
            text.push('\n');
            text.push_str(&page.paint(Style::new().fg_color(Some(AnsiColor::Yellow.into())), &wrapped));
        }
        for note in &capture.notes {
            text.push('\n');
            text.push_str(&wrap(&escape::terminal_at_most(note, 500), page.prose(), "  "));
        }
    }
    text
}

/// What cannot be concluded because of what the captures lack, a line each; `None` where they lack nothing.
pub(super) fn limitations(summary: &Summary, page: Page) -> Option<String> {
    let told = summary.totals.quality.limitations();
    if told.is_empty() {
        return None;
    }
    let mut text = page.paint(page::HEADING, "What this capture cannot tell");
    for limitation in told {
        text.push('\n');
        text.push_str(&wrap(&limitation, page.prose(), &format!("  {} ", page.bullet())));
    }
    Some(text)
}

/// `2 errors, 3 warnings, 1 info in 12 WebSocket connections`; or that all is well; or that there was nothing to judge,
/// what there was instead, and what would help.
pub(super) fn closing(summary: &Summary, taken: Taken, found: BySeverity, page: Page) -> String {
    let all = summary.totals.websocket_connections;
    let connections = match taken.connections {
        some if some < all => {
            format!("{some} of {}", counted(all, "WebSocket connection", "WebSocket connections"))
        }
        _ => counted(all, "WebSocket connection", "WebSocket connections"),
    };
    // Where there is nothing to judge, what is said of the capture as a whole stands above.
    let of_connections = found.sum().saturating_sub(summary.findings.len() as u64);
    if of_connections > 0 || (all > 0 && found.sum() > 0) {
        let mut width = 2 + connections.len();
        let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Info]
            .into_iter()
            .filter(|&severity| found.of(severity) > 0)
            .map(|severity| {
                let many = if severity == Severity::Info { "info" } else { &format!("{}s", severity.name()) };
                let count = counted(found.of(severity), severity.name(), many);
                width += count.len() + 2;
                page.paint(page::severity(severity), &count)
            })
            .collect();
        let counts = counts.join(", ");
        let between = if width > page.prose() { "\n" } else { " " };
        return match all {
            0 => format!("{counts}\n{}", none_seen(summary.totals, page)),
            _ => format!("{counts}{between}in {connections}"),
        };
    }
    if taken.connections > 0 {
        let all = format!("nothing found in {connections}, {} established", taken.established);
        return page::wrap(&all, page.prose(), "");
    }
    if all > 0 {
        return format!(
            "none of {} was selected",
            counted(all, "WebSocket connection", "WebSocket connections")
        );
    }
    none_seen(summary.totals, page)
}

/// What there was instead of WebSocket, and what would help.
fn none_seen(totals: Totals, page: Page) -> String {
    let (seen, advice) = instead(totals);
    format!(
        "{}\n{}",
        wrap(&format!("no WebSocket handshake or frame was seen: {seen}"), page.prose(), ""),
        wrap(advice, page.prose(), "")
    )
}

fn instead(totals: Totals) -> (String, &'static str) {
    let Totals { packets, tcp_connections, tls_connections, tls_decrypted, quality, .. } = totals;
    let tcp = counted(tcp_connections, "TCP connection", "TCP connections");
    let closed = tls_connections.saturating_sub(tls_decrypted);
    if packets == 0 {
        let advice =
            "check the interface and the filter of the capture, and that it was stopped after the traffic";
        return (String::from("the capture holds no packets"), advice);
    }
    if tcp_connections == 0 {
        let advice = "check the interface and the filter of the capture: WebSocket runs over TCP";
        return (format!("{} and no TCP", counted(packets, "packet", "packets")), advice);
    }
    if closed > 0 && quality.encrypted == 0 {
        let advice = "a WebSocket is asked for when the handshake of TLS is over: that comes first";
        return (format!("{tcp}, {closed} of them with TLS that carried nothing"), advice);
    }
    if closed > 0 {
        let advice = "TLS hides a WebSocket: capture where the traffic is in the clear, between the gateway that \
                      ends TLS and the server, or on the server's loopback interface";
        return (format!("{tcp}, {closed} of them encrypted with TLS"), advice);
    }
    // A client that gets no TCP connection can ask for nothing, and this is the fault then.
    if totals.tcp_refused > 0 {
        let advice = "a client whose connection is refused cannot ask for a WebSocket: find out whether the server \
                      listens on that address and port, in Wireshark tcp.flags.reset == 1";
        return (format!("{tcp}, {} of them refused with RST", totals.tcp_refused), advice);
    }
    if totals.tcp_unanswered > 0 {
        let advice = "a SYN without an answer is a wrong address, a firewall, or a host that is down, unless the \
                      capture holds one direction only";
        return (format!("{tcp}, {} of them never answered", totals.tcp_unanswered), advice);
    }
    if quality.cut > 0 {
        let cut = counted(quality.cut, "packet was", "packets were");
        let advice = "what a connection asks for stands in the part that was cut: capture whole packets \
                      (tcpdump -s 0), from before the client connects";
        return (format!("{tcp}, and {cut} cut"), advice);
    }
    let advice = "start the capture before the client connects, on the port that the WebSocket uses, with whole \
                  packets (tcpdump -s 0); a WebSocket over HTTP/3 is not read";
    (format!("{tcp}, none of them asks for a WebSocket"), advice)
}

/// ` over 12.345 s from 2026-11-22T10:00:00Z`.
fn span(captures: &[CaptureInfo]) -> String {
    let first = captures.iter().filter_map(|c| c.first).min();
    let last = captures.iter().filter_map(|c| c.last).max();
    match (first, last) {
        (Some(first), Some(last)) => {
            format!(" over {:.3} s from {}", last.seconds_since(first).max(0.0), to_the_second(first))
        }
        _ => String::new(),
    }
}

fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

fn warnings(capture: &CaptureInfo, named: bool) -> Vec<String> {
    let mut warnings: Vec<String> =
        capture.warnings.iter().map(|w| escape::terminal_at_most(w, 500)).collect();
    if !capture.complete && warnings.is_empty() {
        warnings
            .push(String::from("the capture ends inside a record or is damaged; this is what came before"));
    }
    if named {
        let path = escape::terminal_at_most(&capture.path, 200);
        warnings.iter_mut().for_each(|warning| *warning = format!("{path}: {warning}"));
    }
    warnings
}
