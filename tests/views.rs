//! Looks at captures: the list of connections, the time line, the ladder, and the page for a browser.

use crate::support::{captures, run};
use unicode_width::UnicodeWidthStr as _;

const BOTH_LEGS: &str = "fixtures/captures/gw_nginx_stripreq.pcapng";
const ONE_LEG: &str = "fixtures/captures/gw_nginx_stripreq.client-leg.pcap";
const OTHER_LEG: &str = "fixtures/captures/gw_nginx_stripreq.upstream-leg.pcap";
const NO_WEBSOCKET: &str = "fixtures/captures/tls13_aes128gcm.pcapng";

#[test]
fn the_ladder_shows_both_legs_and_what_the_gateway_removed() {
    let ran = run(&["ladder", "1", BOTH_LEGS, "--width", "100"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(ran.out);
}

#[test]
fn two_captures_of_the_legs_make_one_ladder() {
    let ran = run(&["ladder", "0", ONE_LEG, OTHER_LEG, "--width", "100"]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.contains("1:4 ") && ran.out.contains("2:4 "), "{}", ran.out);
    assert!(ran.out.contains("≠ no Sec-WebSocket-Extensions"), "{}", ran.out);
}

#[test]
fn a_ladder_for_a_page_is_a_sequence_diagram_of_the_same_rows() {
    let ran = run(&["ladder", "0", "--mermaid", BOTH_LEGS, "--width", "40", "--color", "always"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("sequenceDiagram\n    participant p0 as client<br/>"), "{}", ran.out);
    assert!(ran.out.contains("Note over p1,p2: ≠ no Sec-WebSocket-Extensions<br/>"), "{}", ran.out);
    assert!(ran.out.contains("p0->>p1: Close 1010 Mandatory Extension"), "{}", ran.out);
    assert!(ran.out.contains("packet 19) [WS-EX-012]\n"), "{}", ran.out);
}

#[test]
fn the_list_and_the_time_line_name_a_connection_by_the_same_number() {
    let list = run(&["connections", BOTH_LEGS]).out;
    let line = run(&["timeline", BOTH_LEGS]).out;
    for (id, client) in [(0, "10.10.0.10:3"), (1, "10.20.0.1:50")] {
        for text in [&list, &line] {
            let found = text.lines().find(|line| line.contains(client)).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.split_whitespace().next(), Some(id.to_string().as_str()), "{text}");
        }
    }
}

#[test]
fn a_connection_on_both_sides_of_an_address_translation_is_told_once_and_shown_as_the_same() {
    let capture = "fixtures/captures/rec_nat_both_sides.pcap";
    let list = run(&["connections", capture]).out;
    assert!(list.lines().nth(2).is_some_and(|line| line.ends_with("same as 0")), "{list}");
    for format in ["json", "jsonl"] {
        let told = run(&["--format", format, capture]).out.replace(": ", ":");
        assert_eq!(told.matches("\"same_as\":0").count(), 1, "{told}");
        assert_eq!(told.matches("\"rule\":\"close-1010-mandatory-extension\"").count(), 1, "{told}");
    }
}

#[test]
fn every_line_of_every_look_fits_the_page() {
    for path in captures() {
        for command in [&["connections"][..], &["connections", "--wide"], &["timeline"], &["ladder", "0"]] {
            let width = if path.len() % 2 == 0 { 60 } else { 80 };
            let ran = run(&[command, &[&path, "--width", &width.to_string()]].concat());
            for line in ran.out.lines() {
                assert!(line.width() <= width, "{command:?} {path}: {} columns: {line}", line.width());
            }
            assert!(!ran.out.contains('\u{1b}'), "{path}");
        }
    }
}

#[test]
fn a_look_is_no_judgement() {
    for (args, status) in [
        (&["connections", BOTH_LEGS][..], 0),
        (&["timeline", BOTH_LEGS], 0),
        (&["ladder", "0", BOTH_LEGS], 0),
        (&["connections", "--group-by", "endpoint", "--limit", "1", "--no-trunc", BOTH_LEGS], 0),
        (&["connections", NO_WEBSOCKET], 4),
        (&["timeline", NO_WEBSOCKET], 4),
        (&["ladder", "7", BOTH_LEGS], 2),
        (&["ladder", "first", BOTH_LEGS], 2),
        (&["connections", "--group-by", "colour", BOTH_LEGS], 2),
        (&["connections", "fixtures/broken/text.pcap"], 3),
    ] {
        let ran = run(args);
        assert_eq!(ran.status, status, "{args:?}: {}{}", ran.out, ran.err);
    }
    assert!(run(&["ladder", "7", BOTH_LEGS]).err.contains("numbered 0 to 1"));
}

#[test]
fn a_look_heeds_the_selection_and_tells_times_as_asked() {
    let list = |args: &[&str]| run(&[&["connections", BOTH_LEGS, "--width", "120"], args].concat()).out;
    assert!(list(&["--filter", "port=8080"]).ends_with("1 connection\n"));
    assert!(list(&[]).ends_with("2 connections\n"));
    for (style, shown) in
        [("utc", "2026-11-22T11:14:32.555982Z"), ("epoch", "1795346072.555982"), ("relative", "+0.001 s")]
    {
        assert!(list(&["--time", style, "--no-trunc"]).contains(shown), "{style}");
    }
    let local = crate::support::program()
        .args(["connections", BOTH_LEGS, "--time", "local", "--no-trunc"])
        .env("TZ", "UTC-3")
        .output()
        .unwrap();
    let local = String::from_utf8(local.stdout).unwrap();
    assert!(local.contains("2026-11-22T14:14:32.555982+03:00"), "{local}");
}

#[test]
fn the_table_tells_times_and_as_many_causes_as_asked() {
    let two = ["fixtures/captures/fr_close_no_echo_rst.pcapng", BOTH_LEGS];
    let table = |args: &[&str]| run(&[&two[..], args].concat()).out;
    assert!(table(&["--time", "utc"]).contains("2026-11-22T11:14:32.560923Z"));
    let one = table(&["--limit", "1"]);
    assert!(one.contains("more cause") && one.contains("WS-EX-012"), "{one}");
    assert!(!table(&[]).contains("more cause"));
}

#[test]
fn the_page_for_a_browser_says_first_what_was_removed() {
    let ran = run(&["--format", "html", BOTH_LEGS]);
    assert_eq!(ran.status, 1);
    let removed = "<strong>removed</strong> <code>Sec-WebSocket-Extensions</code> from the request";
    let (removed, findings) = (ran.out.find(removed).unwrap(), ran.out.find("id=\"findings\"").unwrap());
    assert!(removed < findings);
    assert!(ran.out.contains("tcp.stream eq 0 or tcp.stream eq 1"));
}

#[test]
fn every_report_can_be_a_page_for_a_browser() {
    for path in captures() {
        let page = run(&["--format", "html", &path]).out;
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"), "{path}");
        for element in ["section", "article", "table", "details", "svg", "div", "ul", "ol", "dl", "p", "g"] {
            let opened =
                page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
            assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{path}: {element}");
        }
    }
}

#[test]
fn tls_that_no_key_opens_is_shown_with_its_name_and_sizes() {
    let list = run(&["connections", "--wide", "--width", "200", NO_WEBSOCKET]).out;
    assert!(list.contains("encrypted") && list.contains("ws.lab.test"), "{list}");
    let ladder = run(&["ladder", "0", NO_WEBSOCKET, "--width", "100"]).out;
    assert!(ladder.contains("TLS 1.3 for ws.lab.test, could not be read"), "{ladder}");
    assert!(ladder.contains("614 bytes by the client, 2087 by the server"), "{ladder}");
    let keys = ["--keylog", "fixtures/keys/tls13_aes128gcm.keys.log"];
    let ladder = run(&[&["ladder", "0", NO_WEBSOCKET, "--width", "100"], &keys[..]].concat()).out;
    assert!(!ladder.contains("bytes by the client"), "{ladder}");
}
