use super::*;
use crate::pipeline::Observer as _;
use crate::report::testing::{refused, report};
use crate::report::times::Times;
use crate::report::{Collector, Glyphs, Page, Secrets};
use crate::role::Role::{Client, Server};
use crate::rules::testing::{Scene, both};

fn ladder(connection: crate::connection::Connection) -> Ladder {
    let report = report(vec![(connection, Vec::new())]);
    Ladder::new(&report, &sessions(&report)[0])
}

fn words(ladder: &Ladder) -> Vec<&str> {
    ladder.rows.iter().map(|row| row.text.as_str()).collect()
}

fn two_legs() -> crate::report::model::Report {
    let client = Scene::session("permessage-deflate", "").close(Client, 1010, "permessage-deflate");
    let both = both(client, Scene::session("", "").close(Client, 1010, "permessage-deflate"));
    let (found, _) = both.findings();
    let (mut pair, [client, upstream]) = both.into_parts();
    pair.clock.offset = -5_000_000;
    let mut collector = Collector::new(Secrets::Hidden);
    collector.legs(pair);
    collector.connection(Box::new(client), found);
    collector.connection(Box::new(upstream), Vec::new());
    collector.finish(&crate::report::testing::summary(2))
}

#[test]
fn a_session_is_told_from_handshake_to_fin() {
    let mut connection = refused(0).0;
    connection.tcp.fins.server = connection.ending.by.map(|(_, seen)| seen);
    let ladder = ladder(connection);
    assert_eq!(
        words(&ladder),
        [
            "TCP opens",
            "GET /chat?token=…",
            "101 Switching Protocols",
            "0 ⇄ 2 text",
            "Close 1010 Mandatory Extension \"permessage-deflate\"",
            "Close 1010 Mandatory Extension",
            "FIN",
        ]
    );
    let details: Vec<&str> = ladder.rows[2].details.iter().map(|detail| detail.text.as_str()).collect();
    assert_eq!(details[0], "no Sec-WebSocket-Extensions");
    assert_eq!(ladder.rows[1].shape, Shape::Arrow { from: 0, to: 1 });
    assert_eq!(ladder.rows[2].shape, Shape::Arrow { from: 1, to: 0 });
    assert_eq!(ladder.lanes.iter().map(|lane| lane.name).collect::<Vec<_>>(), ["client", "server"]);
}

#[test]
fn a_long_time_without_anything_is_a_row_of_its_own() {
    let scene = Scene::session("", "").messages(Client, 1).after(60.0).close(Server, 1001, "");
    let ladder = ladder(scene.build());
    let silent: Vec<&Row> = ladder.rows.iter().filter(|row| row.shape == Shape::Silence).collect();
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0].text, "60.0 s nothing");
    assert_eq!(silent[0].packets.len(), 2);
}

#[test]
fn both_legs_stand_in_one_ladder_by_one_clock_and_what_differs_is_marked() {
    let report = two_legs();
    let sessions = sessions(&report);
    assert_eq!(sessions.len(), 1);
    assert!(sessions[0].has(0) && sessions[0].has(1));
    let ladder = Ladder::new(&report, &sessions[0]);
    let lanes: Vec<&str> = ladder.lanes.iter().map(|lane| lane.name).collect();
    assert_eq!(lanes, ["client", "gateway", "upstream"]);
    let marked = |text: &str| {
        let details = ladder.rows.iter().flat_map(|row| &row.details);
        details.filter(|detail| detail.text == text).map(|detail| detail.changed).collect::<Vec<_>>()
    };
    assert_eq!(marked("Sec-WebSocket-Extensions: permessage-deflate"), [true]);
    // The request of the upstream leg is marked, its answer and the client's lack the same.
    assert_eq!(marked("no Sec-WebSocket-Extensions").iter().filter(|changed| **changed).count(), 1);
    let at = |text: &str, from: usize| {
        let row = ladder.rows.iter().find(|row| {
            row.text.starts_with(text) && matches!(row.shape, Shape::Arrow { from: lane, .. } if lane == from)
        });
        row.unwrap().at.unwrap()
    };
    // At the same time by its own clock, five milliseconds earlier by the client's.
    assert_eq!(at("GET", 1).nanos_since(at("GET", 0)), -5_000_000);
    assert!(ladder.rows.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn the_row_that_a_finding_is_about_bears_its_code() {
    let report = two_legs();
    let page = Page::new(100, false, Glyphs::Unicode);
    let text = text::render(&Ladder::new(&report, &sessions(&report)[0]), &report, page, &Times::Relative);
    let code = report.findings[0].code;
    assert!(text.lines().any(|line| line.contains(code)), "{text}");
}

#[test]
fn a_page_without_room_for_arrows_tells_the_same_in_words() {
    let report = two_legs();
    let ladder = Ladder::new(&report, &sessions(&report)[0]);
    for (width, glyphs) in [(40, Glyphs::Unicode), (60, Glyphs::Ascii), (200, Glyphs::Ascii)] {
        let text = text::render(&ladder, &report, Page::new(width, false, glyphs), &Times::Utc);
        assert!(text.contains("1010") && text.contains("101 Switching"), "{text}");
        assert!(glyphs == Glyphs::Unicode || text.replace('…', "").is_ascii(), "{text}");
    }
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let scene = Scene::session("", "").close(Client, 1000, "\u{1b}[2J\u{202e}");
    let report = report(vec![(scene.build(), Vec::new())]);
    let page = Page::new(100, true, Glyphs::Unicode);
    let text = text::render(&Ladder::new(&report, &sessions(&report)[0]), &report, page, &Times::Relative);
    assert!(text.contains("\\x1b[2J\\u{202e}"), "{text}");
}

#[test]
fn fields_are_spelled_as_the_protocol_spells_them() {
    assert_eq!(spelled("sec-websocket-extensions"), "Sec-WebSocket-Extensions");
    assert_eq!(spelled("x-forwarded-for"), "X-Forwarded-For");
}
