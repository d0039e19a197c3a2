use super::page::Page;
use super::*;
use crate::limits;
use crate::pipeline::Observer as _;
use crate::report::testing::{refused, report, summary, well};
use crate::report::{Collector, Secrets, escape};
use crate::rules::testing::{Scene, both};

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn without_own(page: &str) -> String {
    page.replace(STYLE, "").replace(SCRIPT, "")
}

#[test]
fn the_policy_lets_in_what_is_on_the_page_and_nothing_else() {
    let page = page(&report(vec![refused(0)]));
    for (open, text, close) in [("<style>", STYLE, "</style>"), ("<script>", SCRIPT, "</script>")] {
        assert!(page.contains(&format!("{open}{text}{close}")), "{open}");
        let hash = BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert!(page.contains(&format!("sha256-{hash}")));
        assert_eq!(page.matches(open).count(), 1);
    }
    assert!(page.contains("content=\"default-src &#39;none&#39;; style-src"));
    let rest = without_own(&page);
    for forbidden in
        ["style=", "http://", "https://", "javascript:", " onclick", " onload", "src=", "<link", "<img"]
    {
        assert!(!rest.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn hostile_text_is_no_markup_and_hides_nothing() {
    let evil = "</title></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{1b}";
    let (mut connection, mut findings) = refused(0);
    connection.closes[0].reason = evil.into();
    connection.request.as_mut().unwrap().head.target = format!("/{evil}").into();
    let finding = &mut findings[0];
    (finding.title, finding.help) = (evil.into(), evil.into());
    finding.message = evil.to_owned();
    finding.evidence[0].text = evil.to_owned();
    let mut report = report(vec![(connection, findings)]);
    report.captures[0].path = evil.to_owned();
    report.captures[0].warnings = vec![evil.to_owned()];
    let page = page(&report);
    let rest = without_own(&page);
    assert!(rest.contains("&lt;script&gt;alert(1)"));
    assert!(!rest.contains("<script>alert") && !rest.contains("<img"));
    assert!(!rest.chars().any(|c| c != '\n' && escape::is_hidden(c)));
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn what_a_gateway_removed_stands_before_everything_else() {
    let both = both(Scene::session("permessage-deflate", ""), Scene::session("", ""));
    let (found, rest) = both.findings();
    let (pair, [client, upstream]) = both.into_parts();
    let mut collector = Collector::new(Secrets::Hidden);
    collector.legs(pair);
    collector.connection(Box::new(client), found);
    collector.connection(Box::new(upstream), rest);
    let page = page(&collector.finish(&summary(2)));
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    let sentence = "Gateway <code>10.0.0.9</code> <strong>removed</strong> <code>Sec-WebSocket-Extensions</code> from the request";
    assert!(place(sentence) < place("id=\"findings\""));
    assert!(page.contains("<em>not there</em>"));
    assert!(page.contains("tcp.stream eq 0 or tcp.stream eq 1"));
}

#[test]
fn a_page_on_very_many_connections_stays_a_page_and_says_what_it_leaves_out() {
    let all = 3 * limits::PAGE_CONNECTIONS;
    let page = page(&report((0..all as u64).map(refused).collect()));
    let (drawn, listed) = (limits::PAGE_SESSIONS, limits::PAGE_CONNECTIONS);
    assert_eq!(page.matches("class=\"ladder\"").count(), drawn);
    let left = all - drawn;
    assert!(
        page.contains(&format!("{drawn} sessions are drawn, those with findings first; {left} more are not"))
    );
    assert!(page.contains(&format!("The first {listed} of {all} connections")));
    assert!(page.contains("and 2995 more like it"));
    assert!(page.len() < 4 << 20, "{}", page.len());
}

#[test]
fn causes_and_choices_of_a_page_are_bounded() {
    let size = |times: usize| {
        let many = (0..(times * limits::PAGE_CAUSES) as u64).map(|n| {
            let (mut connection, mut findings) = refused(n);
            findings[0].title = format!("cause {n}").into();
            connection.tcp.server.port = 1000 + n as u16;
            connection.closes[0].code = Some(3000 + n as u16);
            (connection, findings)
        });
        let report = report(many.collect());
        let page = Page::new(&report);
        assert_eq!(page.causes.len(), limits::PAGE_CAUSES);
        assert_eq!(page.endpoints.len(), limits::PAGE_CHOICES);
        // Those of the last connection that had room, and the rules, may come on top.
        assert!(
            (limits::PAGE_CHOICES..limits::PAGE_CHOICES + 5).contains(&page.codes.len()),
            "{}",
            page.codes.len()
        );
    };
    size(2);
    size(4);
}

#[test]
fn every_part_of_the_page_can_be_reached_and_is_named() {
    let page = page(&report(vec![refused(0), (well(), Vec::new())]));
    for id in ["summary", "findings", "timeline", "sessions", "connections", "quality"] {
        assert!(page.contains(&format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\"")), "{id}");
        assert!(page.contains(&format!("id=\"{id}-h\"")), "{id}");
    }
    // Every link leads somewhere.
    for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
    }
    for word in ["<html lang=\"en\">", "<main>", "<nav aria-label", "role=\"status\"", "<caption"] {
        assert!(page.contains(word), "{word}");
    }
    assert_eq!(
        page.matches("<svg ").count(),
        page.matches("aria-hidden=\"true\"").count() + page.matches("role=\"img\"").count()
    );
}

#[test]
fn a_report_on_nothing_is_a_page_too() {
    let page = page(&report(Vec::new()));
    assert!(page.contains("No WebSocket handshake or frame was seen"));
    assert!(page.contains("There is no connection to draw."));
}
