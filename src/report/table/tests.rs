use super::*;
use crate::limits;
use crate::report::Glyphs;
use crate::report::testing::{OFFERED, finding, listed, refused, summary, well};
use crate::role::Role;
use crate::rules::Severity;
use crate::rules::testing::{ANSWER, REQUEST, Scene};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr as _;

fn page(width: usize) -> Page {
    Page::new(width, false, Glyphs::Unicode)
}

fn written(page: Page, summary: &Summary, connections: Vec<(Connection, Vec<Finding>)>) -> String {
    let mut report = TableReport::new(Secrets::Hidden);
    for (connection, findings) in connections {
        report.connection(Box::new(connection), findings);
    }
    let mut out = Vec::new();
    report.write(page, summary, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn info(title: impl Into<Cow<'static, str>>) -> (Connection, Vec<Finding>) {
    let connection = well();
    let seen = connection.first;
    (connection, vec![finding(&OFFERED, seen, title)])
}

#[test]
fn a_page_of_eighty_columns() {
    let text = written(page(80), &summary(3), vec![refused(0), refused(7), info("nothing was agreed")]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_brief_page_has_the_facts_and_leaves_out_what_the_rules_mean() {
    let mut report = TableReport::new(Secrets::Hidden).in_detail(Detail::Brief);
    for (connection, findings) in [refused(0), info("nothing was agreed")] {
        report.connection(Box::new(connection), findings);
    }
    let mut out = Vec::new();
    report.write(page(80), &summary(3), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_narrow_page_and_a_wide_one() {
    let narrow = written(page(60), &summary(3), vec![refused(0), info("nothing was agreed")]);
    let wide = written(page(130), &summary(3), vec![refused(0), info("nothing was agreed")]);
    let table = |text: &str| text.split("\n\n").nth(1).unwrap().to_owned();
    insta::assert_snapshot!(format!("{}\n\n{}", table(&narrow), table(&wide)));
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in [40, 60, 72, 80, 100, 132, 200] {
        for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
            let mut long = refused(0);
            long.0.tcp.client.ip = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
            long.1[0].message = "x".repeat(3_000);
            long.1[0].title = "東京 ".repeat(90).into();
            long.0.messages = Some(Box::new(listed(long.0.first, "東京".repeat(33).as_bytes())));
            let text =
                written(Page::new(width, false, glyphs), &summary(3), vec![long, refused(1), info("no")]);
            // Code of the manual stays as it is.
            for line in text.lines().filter(|line| !line.contains("proxy_set_header")) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn addresses_are_not_broken_where_there_is_a_layout_that_holds_them() {
    for (width, ip) in
        [(80, "10.0.0.5"), (60, "192.168.100.200"), (80, "2001:db8:1111:2222:3333:4444:5555:6666")]
    {
        let mut one = refused(0);
        one.0.tcp.client.ip = ip.parse().unwrap();
        let client = one.0.tcp.client.to_string();
        assert!(written(page(width), &summary(1), vec![one]).matches(&client).count() >= 2, "{width} {ip}");
    }
}

#[test]
fn equal_causes_are_one_row_with_a_count_and_five_examples() {
    let text = written(page(100), &summary(38), (0..38).rev().map(refused).collect());
    assert_eq!(text.matches("1010 Mandatory Extension ×38").count(), 1, "{text}");
    assert_eq!(text.matches("also: ").count(), limits::REPORT_EXAMPLES - 1);
    assert!(text.contains("and 33 more like it"));
    assert!(
        text.contains("tcp.stream eq 0 or tcp.stream eq 1 or"),
        "the earliest are shown, whatever came first"
    );
    assert!(text.ends_with("38 errors in 38 WebSocket connections\n"));
}

#[test]
fn a_flood_of_causes_is_counted() {
    let mut report = TableReport::new(Secrets::Hidden);
    for n in 0..2 * limits::REPORT_GROUPS + 50 {
        let (connection, findings) = info(format!("cause {n}"));
        report.connection(Box::new(connection), findings);
    }
    let mut out = Vec::new();
    report.write(page(80), &summary(450), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("and 50 more of other kinds; --format json lists them"));
    assert!(text.ends_with("450 info in 450 WebSocket connections\n"));
}

/// The fault of another server.
fn of_server(server: u32) -> (Connection, Vec<Finding>) {
    let (mut connection, findings) = refused(server.into());
    connection.tcp.server.ip = (0x0a01_0000 + server).to_be_bytes().into();
    (connection, findings)
}

#[test]
fn servers_of_one_fault_are_counted_up_to_their_bound() {
    for (servers, counted) in [
        (limits::REPORT_SERVERS / 2, limits::REPORT_SERVERS / 2),
        (2 * limits::REPORT_SERVERS, limits::REPORT_SERVERS),
    ] {
        let mut report = TableReport::new(Secrets::Hidden);
        (0..servers as u32).map(of_server).for_each(|(connection, findings)| {
            report.connection(Box::new(connection), findings);
        });
        let groups = report.groups.in_order();
        assert_eq!((groups.len(), groups[0].count), (1, servers as u64));
        assert_eq!(groups[0].servers.len(), counted);
    }
}

#[test]
fn a_fault_of_many_servers_is_told_once() {
    let one = |n: u64, _| of_server(n as u32);
    let most = limits::REPORT_PER_SERVER;
    let few = written(page(80), &summary(9), (0..most as u64).map(|n| one(n, n as u8)).collect());
    assert_eq!(few.matches(" WS-XX-001 ").count(), most + 1, "{few}");
    let just = written(page(80), &summary(9), (0..=most as u64).map(|n| one(n, n as u8)).collect());
    assert_eq!(just.matches(" WS-XX-001 ").count(), 1 + 1, "{just}");
    let many = written(page(80), &summary(9), (0..9).map(|n| one(n, n as u8)).collect());
    assert_eq!(many.matches(" WS-XX-001 ").count(), 1 + 1, "{many}");
    assert!(many.contains("×9 on 9") && many.contains("9 errors in 9 WebSocket connections"), "{many}");
}

#[test]
fn the_gravest_come_first_then_the_earliest() {
    let mut warning = refused(3);
    warning.1[0].severity = Severity::Warning;
    let text = written(page(100), &summary(3), vec![info("nothing was agreed"), warning, refused(9)]);
    let rows: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let at = |word: &str| rows.iter().position(|row| *row == word).unwrap();
    assert!(at("error") < at("warning") && at("warning") < at("info"), "{text}");
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let mut hostile = refused(0);
    let evil = "\u{1b}]0;owned\u{7}\u{202e}\u{9b}2J\r\n\u{200b}";
    hostile.1[0].title = format!("title {evil}").into();
    hostile.1[0].message = evil.to_owned();
    hostile.1[0].help = evil.into();
    hostile.1[0].evidence[0].text = evil.to_owned();
    hostile.1[0].consequences[0].title = evil.into();
    hostile.0.request.as_mut().unwrap().head.target = format!("/{evil}?a={evil}").into();
    let mut summary = summary(1);
    summary.captures[0].path = evil.to_owned();
    summary.captures[0].warnings = vec![evil.to_owned()];
    let text = written(page(80), &summary, vec![hostile]);
    assert!(!text.chars().any(|c| c != '\n' && escape::is_hidden(c)), "{text:?}");
    assert!(text.contains("\\x1b]0;owned\\x07\\u{202e}\\u{9b}2J\\r\\n\\u{200b}"));
}

#[test]
fn values_of_a_query_are_hidden_unless_asked_for() {
    let show = |secrets| {
        let mut report = TableReport::new(secrets);
        let (connection, findings) = refused(0);
        report.connection(Box::new(connection), findings);
        let mut out = Vec::new();
        report.write(page(100), &summary(1), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(show(Secrets::Hidden).contains("/chat?token=…") && !show(Secrets::Hidden).contains("s3cret"));
    assert!(show(Secrets::Shown).contains("/chat?token=s3cret"));
}

#[test]
fn colour_is_for_pages_that_take_it() {
    let colored = written(Page::new(80, true, Glyphs::Unicode), &summary(1), vec![refused(0)]);
    let plain = written(page(80), &summary(1), vec![refused(0)]);
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&anstream::adapter::strip_str(&colored).to_string()), lines(&plain));
    assert!(colored.contains('\u{1b}') && !plain.contains('\u{1b}'));
}

#[test]
fn a_clean_capture_takes_two_lines() {
    assert_eq!(
        written(page(100), &summary(12), vec![(well(), vec![]); 12]),
        "edge.pcapng: 120 packets over 10.000 s from 1970-01-01T00:00:00Z, 14 TCP connections, 12 WebSocket\n\
         connections\n\nnothing found in 12 WebSocket connections, 12 established\n"
    );
}

#[test]
fn a_capture_without_websocket_says_what_there_was_and_what_would_help() {
    let closing = |change: fn(&mut Summary)| {
        let mut summary = summary(0);
        change(&mut summary);
        written(page(200), &summary, vec![]).split_once("\n\n").unwrap().1.to_owned()
    };
    assert!(
        closing(|_| ())
            .starts_with("no WebSocket handshake or frame was seen: 2 TCP connections, none of them")
    );
    let tls = closing(|s| (s.totals.tls_connections, s.totals.quality.encrypted) = (1, 1));
    assert!(tls.contains("2 TCP connections, 1 of them encrypted with TLS\nTLS hides"), "{tls}");
    let failed = closing(|s| s.totals.tls_connections = 1);
    assert!(failed.contains("1 of them with TLS that carried nothing\na WebSocket is asked for"), "{failed}");
    assert!(
        closing(|s| s.totals.tcp_connections = 0).contains("120 packets and no TCP\ncheck the interface")
    );
    let cut = closing(|s| s.totals.quality.cut = 3);
    assert!(cut.contains("2 TCP connections, and 3 packets were cut\nwhat a connection asks for"), "{cut}");
    assert!(closing(|s| s.totals.packets = 0).contains("the capture holds no packets"));
}

#[test]
fn what_is_wrong_with_a_capture_is_said_under_it() {
    let mut summary = summary(1);
    summary.captures[0].warnings = vec![String::from("3 packets were cut by a snap length of 96")];
    let text = written(page(100), &summary, vec![]);
    assert!(text.contains("\n! 3 packets were cut by a snap length of 96\n"));
    summary.captures[0].warnings.clear();
    summary.captures[0].complete = false;
    assert!(
        written(page(100), &summary, vec![]).contains("\n! the capture ends inside a record or is damaged")
    );
}

#[test]
fn several_captures_are_told_apart() {
    let mut summary = summary(2);
    summary.captures.push(summary.captures[0].clone());
    summary.captures[1].path = String::from("/tmp/other.pcap");
    summary.captures[1].warnings = vec![String::from("damaged")];
    let mut other = refused(4);
    other.0.tcp.capture = 1;
    let text = written(page(120), &summary, vec![refused(0), other]);
    assert!(text.starts_with("2 captures: 120 packets"), "{text}");
    assert!(text.contains("! /tmp/other.pcap: damaged"));
    assert!(text.contains("packet 6 of edge.pcapng"), "{text}");
    let narrow = written(page(60), &summary, vec![refused(0)]);
    assert!(narrow.contains("+0.050 s, packet 6 of edge.pcapng"), "{narrow}");
    assert!(
        text.contains(
            "Wireshark (edge.pcapng): tcp.stream eq 0\n    Wireshark (other.pcap): tcp.stream eq 4"
        )
    );
}

#[test]
fn a_session_through_a_gateway_shows_all_three_hosts_in_eighty_columns() {
    let (client, upstream) = (
        crate::rules::testing::Scene::session("permessage-deflate", ""),
        crate::rules::testing::Scene::session("", ""),
    );
    let both = crate::rules::testing::both(client, upstream);
    let (found, rest) = both.findings();
    let (pair, connections) = both.into_parts();
    let mut report = TableReport::new(Secrets::Hidden);
    report.legs(pair);
    for (connection, findings) in connections.into_iter().zip([found, rest]) {
        report.connection(Box::new(connection), findings);
    }
    let mut out = Vec::new();
    report.write(page(80), &summary(2), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let row: Vec<&str> = text.lines().skip_while(|line| !line.contains("10.0.0.5:51234")).take(3).collect();
    for (line, shown) in row.iter().zip(["10.0.0.5:51234 →", "10.0.0.9:80 →", "10.1.0.20:8080"]) {
        assert!(line.contains(shown), "{text}");
    }
    assert!(text.contains("10.0.0.5:51234 → 10.0.0.9:80 → 10.1.0.20:8080 /chat"), "{text}");
    assert!(text.contains("Wireshark: tcp.stream eq 0 or tcp.stream eq 1"), "{text}");
    assert!(text.contains("packet 3 ") && text.contains("packet 103 "), "{text}");
    assert!(text.lines().all(|line| line.contains("proxy_set_header") || line.width() <= 80), "{text}");
}

#[test]
fn hosts_are_called_by_the_names_that_the_capture_brings_and_these_are_escaped() {
    let mut summary = summary(1);
    let connection = refused(0);
    summary.captures[0].names.name(connection.0.tcp.server.ip, "edge\u{1b}[31m.example");
    let text = written(page(80), &summary, vec![connection]);
    assert!(text.contains(" is edge") && text.contains(".example") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn what_cannot_be_told_stands_before_the_last_line() {
    let mut summary = summary(1);
    assert!(!written(page(80), &summary, vec![refused(0)]).contains("cannot tell"));
    summary.totals.quality.gaps = 2;
    let text = written(page(80), &summary, vec![refused(0)]);
    let (_, told) = text.split_once("What this capture cannot tell").unwrap();
    insta::assert_snapshot!(told);
}

#[test]
fn of_several_causes_the_end_says_with_which_to_start() {
    let other = |severity| {
        let (connection, mut findings) = info("another cause".to_owned());
        findings[0].severity = severity;
        (connection, findings)
    };
    let start = |all| {
        let text = written(page(80), &summary(2), all);
        let (_, last) = text.rsplit_once("\n\n").unwrap();
        let before = text.strip_suffix(last).unwrap().trim_end();
        before.rsplit_once("\n\n").unwrap().1.split_once("start with: ").map(|(_, start)| start.to_owned())
    };
    let told = start(vec![other(Severity::Info), refused(0)]).unwrap();
    assert!(told.starts_with("client closed with 1010 Mandatory Extension (WS-XX-001, packet"), "{told}");
    assert_eq!(start(vec![refused(0)]), None, "its facts stand right above");
    let mut info_alone = refused(0);
    info_alone.1[0].severity = Severity::Info;
    assert_eq!(start(vec![other(Severity::Info), info_alone]), None, "nothing is urgent");
}

#[test]
fn a_certain_fault_comes_before_the_end_that_may_follow_from_it() {
    let start = |scene: Scene| {
        let connection = scene.build();
        let findings = crate::rules::judge(&connection, &crate::rules::Context::alone());
        let text = written(page(80), &summary(1), vec![(connection, findings)]);
        text.split_once("start with: ").map(|(_, start)| start.split_once(" (").unwrap().0.to_owned())
    };
    let offering = |list: &str| {
        let request = format!("{REQUEST}Sec-WebSocket-Extensions: {list}\r\n");
        Scene::tcp().request(&request).answer(ANSWER, "").messages(Role::Client, 1).fin(Role::Client)
    };
    assert_eq!(
        start(offering("permessage-deflate;;")).as_deref(),
        Some("malformed Sec-WebSocket-Extensions")
    );
    assert_eq!(start(offering("x-own")).as_deref(), Some("client ended TCP without a Close frame"));
}

#[test]
fn where_some_connections_were_selected_the_last_line_counts_those() {
    let last = |connections| written(page(80), &summary(3), connections).lines().last().unwrap().to_owned();
    assert_eq!(last(vec![refused(0)]), "1 error in 1 of 3 WebSocket connections");
    assert_eq!(last(vec![(well(), vec![])]), "nothing found in 1 of 3 WebSocket connections, 1 established");
    assert_eq!(last(vec![]), "none of 3 WebSocket connections was selected");
}

#[test]
fn messages_are_listed_by_connection_with_why_one_cannot_be_read() {
    let (mut first, mut second) = (refused(0), refused(7));
    for (connection, _) in [&mut first, &mut second] {
        connection.messages =
            Some(Box::new(listed(connection.first, "a\u{1b}[31m\u{202e}é\u{fe}".as_bytes())));
    }
    let text = written(page(80), &summary(2), vec![second, first]);
    let sections: Vec<_> = text.split("\n\n").filter(|part| part.starts_with("messages of")).collect();
    assert_eq!(sections.len(), 2);
    assert!(sections[0].contains("tcp.stream eq 0") && sections[1].contains("tcp.stream eq 7"), "{text}");
    insta::assert_snapshot!(sections[0]);
}
