use super::*;
use crate::report::testing::{refused, report};
use crate::report::times::Times;
use crate::report::{Glyphs, Page};
use unicode_width::UnicodeWidthStr as _;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

fn many(count: u64) -> Timeline {
    let connection = &report(vec![refused(0)]).connections[0];
    let mut timeline = Timeline::new(Secrets::Hidden);
    for n in 0..count {
        let mut connection = connection.clone();
        connection.tcp_stream = n as u32;
        connection.started = at(n as f64);
        // One in ten lives long; all of those end at once.
        connection.ended = at(if n % 10 == 0 { 5_000.0 } else { n as f64 + 0.5 });
        timeline.add(&connection);
    }
    timeline
}

#[test]
fn few_are_drawn_one_by_one_in_order_of_their_packets() {
    let timeline = Timeline::of(&report(vec![refused(3), refused(0)]));
    let streams: Vec<u32> = timeline.all().unwrap().iter().map(|life| life.stream).collect();
    assert_eq!(streams, [0, 3]);
    assert_eq!((timeline.total(), timeline.ended(End::Closed)), (2, 2));
    let text =
        text::render(&timeline, Some(at(0.0)), Page::new(80, false, Glyphs::Unicode), &Times::Relative);
    assert!(text.contains("● 1010"), "{text}");
}

#[test]
fn many_are_counted_by_time_and_only_the_longest_are_kept() {
    let timeline = many(1_000);
    assert!(timeline.all().is_none() && timeline.lives.len() < 2 * limits::TIMELINE_LIVES);
    let longest = timeline.longest(2);
    assert_eq!(longest.iter().map(|life| life.stream).collect::<Vec<_>>(), [0, 10]);
    let columns = timeline.bins().columns(100);
    assert_eq!(columns.iter().map(|column| column.count.opened).sum::<u64>(), 1_000);
    assert_eq!(columns.iter().map(|column| column.count.ended()).sum::<u64>(), 1_000);
    // Of those that live long, all hundred are open before the end.
    assert!((100..=101).contains(&columns[50].open), "{}", columns[50].open);
    let bursts = timeline.bins().bursts(|count| count.ended());
    assert_eq!(bursts.len(), 1);
    assert!(bursts[0].0 >= 100);
    for (width, glyphs) in [(40, Glyphs::Ascii), (60, Glyphs::Unicode), (200, Glyphs::Unicode)] {
        let text = text::render(&timeline, Some(at(0.0)), Page::new(width, false, glyphs), &Times::Relative);
        assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
        assert!(text.contains("opened") && text.contains("The longest lives"), "{text}");
    }
}

#[test]
fn bins_grow_with_the_time_they_cover_and_lose_nothing() {
    let mut bins = Bins::default();
    let mut moments = 0;
    // From nanoseconds to centuries, forwards and backwards.
    for power in 0..62 {
        for sign in [1, -1] {
            bins.add(Timestamp::from_nanos(sign * (1i64 << power)), |count| &mut count.opened);
            moments += 1;
        }
    }
    let room = limits::TIMELINE_BINS;
    assert!((room / 2..=room).contains(&bins.counts.len()), "{} of {room} bins", bins.counts.len());
    for columns in [1, 7, 300] {
        let drawn = bins.columns(columns);
        assert_eq!(drawn.len(), columns);
        assert_eq!(drawn.iter().map(|column| column.count.opened).sum::<u64>(), moments);
    }
    bins.reach(Timestamp::from_nanos(i64::MIN));
    bins.add(Timestamp::from_nanos(i64::MAX), |count| &mut count.closed);
    assert_eq!(bins.columns(9).iter().map(|column| column.count.opened).sum::<u64>(), moments);
}

#[test]
fn no_connection_is_no_picture() {
    let text = text::render(
        &Timeline::new(Secrets::Hidden),
        None,
        Page::new(80, false, Glyphs::Unicode),
        &Times::Utc,
    );
    assert_eq!(text, "no connections\n");
}

#[test]
fn a_time_is_as_long_as_it_is_told() {
    let told = [0.0061, 12.34, 200.0, 7_500.0].map(text::seconds);
    assert_eq!(told, ["0.006 s", "12.3 s", "3 min 20 s", "2 h 5 min"]);
}
