//! Five kinds of traffic in miniature, the same in every run: what the figures of `README.md` are measured on at length.

#![allow(dead_code, reason = "each bench takes the shapes it needs")]

use crate::traffic::{self, CLIENT, Flow, MASK, SERVER, Step, TEXT, frame};

/// The shapes, each with its name.
pub const ALL: [(&str, Shape); 5] =
    [("w1 chat", w1), ("w2 bulk", w2), ("w3 haystack", w3), ("w4 storm", w4), ("w5 hostile", w5)];

/// The shape with this name.
pub fn named(name: &str) -> Step {
    let (_, shape) = ALL.iter().find(|(other, _)| *other == name).unwrap();
    shape()
}

/// Begins such traffic.
pub type Shape = fn() -> Step;

/// Small messages on sessions that come and go.
pub fn w1() -> Step {
    talk(0, 50, 100)
}

/// Messages of 64 KiB.
pub fn w2() -> Step {
    traffic::bulk()
}

/// A little WebSocket among much that is none.
pub fn w3() -> Step {
    traffic::haystack()
}

/// One short connection after the other.
pub fn w4() -> Step {
    traffic::storm(1010)
}

/// Packets out of order, twice or missing; heads without end; SYNs that nobody answers; and honest sessions among them.
pub fn w5() -> Step {
    let mut steps =
        [talk(0, 20, 10), disorder(1_000_000, 20), endless_heads(2_000_000, 20), flood(3_000_000)];
    let mut turn = 0;
    Box::new(move |wire| {
        let count = steps.len();
        steps[turn % count](wire);
        turn += 1;
    })
}

/// `sessions` at a time, each of which ends after about `messages` of both sides and makes place for another. `first`
/// is the number of the first one.
fn talk(first: u32, sessions: u32, messages: u32) -> Step {
    let mut flows: Vec<(Flow, u32)> =
        (first..first + sessions).map(|number| (Flow::new(number), 0)).collect();
    let (mut begun, mut turn) = (first + sessions, 0);
    Box::new(move |wire| {
        let index = turn % flows.len();
        let (flow, said) = &mut flows[index];
        if *said == 0 {
            flow.open(wire);
        }
        flow.send(wire, CLIENT, &frame(0x81, Some(MASK), &TEXT[..20 + turn % 80]));
        flow.send(wire, SERVER, &frame(0x81, None, &TEXT[..40 + turn % 150]));
        *said += 1;
        // Those that began together do not end together.
        if *said > messages + index as u32 {
            flow.send(wire, CLIENT, &frame(0x88, Some(MASK), &1000_u16.to_be_bytes()));
            flow.send(wire, SERVER, &frame(0x88, None, &1000_u16.to_be_bytes()));
            flow.finish(wire);
            flows[index] = (Flow::new(begun), 0);
            begun += 1;
        }
        turn += 1;
    })
}

/// Sessions of which segments come out of order, twice, or not at all.
fn disorder(first: u32, sessions: u32) -> Step {
    let (one, two) = (frame(0x81, None, &TEXT[..100]), frame(0x82, None, &TEXT[..200]));
    traffic::in_turns(first, sessions, move |flow, wire, turn, is_first| {
        if is_first {
            flow.open(wire);
        }
        match turn % 13 {
            0 | 3 | 6 => flow.send_swapped(wire, SERVER, &one, &two),
            5 | 10 => flow.send_twice(wire, SERVER, &one),
            12 => flow.skip(SERVER, one.len()),
            _ => flow.send(wire, SERVER, &two),
        }
        flow.acknowledge(wire, CLIENT);
    })
}

/// Requests that never come to their end.
fn endless_heads(first: u32, sessions: u32) -> Step {
    traffic::in_turns(first, sessions, |flow, wire, _, is_first| {
        if is_first {
            flow.greet(wire);
            flow.send(wire, CLIENT, b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n");
        } else {
            flow.send(wire, CLIENT, b"X-More: nothing to speak of\r\n");
        }
    })
}

/// Connections that nobody answers.
fn flood(first: u32) -> Step {
    traffic::one_by_one(first, |flow, wire| flow.call(wire))
}
