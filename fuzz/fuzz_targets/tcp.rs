//! Segments of a few flows, eight bytes each: what is told of a side has no hole that was not told, and no overlap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::net::{Flags, FlowKey, Icmp, IcmpError, IcmpKind, Segment, Side};
use wsanalyze::tcp::{Event, FlowId, Interest, Sink, StreamEvent, Table};
use wsanalyze::time::Timestamp;

/// Holds the events to their promises.
#[derive(Default)]
struct Judge {
    open: HashMap<FlowId, [(u64, bool); 2]>,
    ignore: bool,
}

impl Sink for Judge {
    fn event(&mut self, e: StreamEvent<'_>) -> Interest {
        if let Event::Opened { .. } = e.event {
            assert!(self.open.insert(e.flow, [(0, false); 2]).is_none(), "opened twice");
            return Interest::Keep;
        }
        let sides = self.open.get_mut(&e.flow).expect("an event of a flow that is not open");
        let (next, ended) = &mut sides[e.from.index()];
        match e.event {
            Event::Data { offset, bytes } => {
                assert!(!*ended && !bytes.is_empty() && offset == *next);
                *next += bytes.len() as u64;
            }
            Event::Gap { offset, len, .. } => {
                assert!(!*ended && len > 0 && offset == *next);
                *next += len;
            }
            Event::Repeat { offset, bytes } => assert!(offset + bytes.len() as u64 <= *next),
            Event::Fin { .. } | Event::FinUnseen => assert!(!std::mem::replace(ended, true), "ended twice"),
            Event::Closed { .. } => drop(self.open.remove(&e.flow)),
            Event::Opened { .. } | Event::Syn { .. } | Event::SynAgain | Event::Conflict { .. } => {}
            Event::Reset { .. } | Event::Window { .. } | Event::Icmp { .. } => {}
        }
        let asked = matches!(e.event, Event::Data { .. } | Event::Gap { .. });
        if asked && self.ignore {
            self.open.remove(&e.flow);
            return Interest::Ignore;
        }
        Interest::Keep
    }
}

fuzz_target!(|data: &[u8]| {
    let (mut table, mut judge, mut at) = (Table::default(), Judge::default(), 0);
    let payload: Vec<u8> = (0..=255).cycle().take(1 << 12).collect();
    let mut seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::from_nanos(0) };
    for (number, op) in data.chunks_exact(8).enumerate() {
        let [who, flags, seq_high, seq_low, ack_high, ack_low, len, more] = *op else { return };
        let (key, low) =
            FlowKey::v4(([10, 0, 0, 1], 1000 + u16::from(who >> 5)), ([10, 0, 0, 2], 80), 0);
        let from = if who & 1 == 0 { low } else if low == Side::Low { Side::High } else { Side::Low };
        // Numbers around the wrap, and now and then anywhere.
        let near = |high: u8, low: u8| {
            let number = u32::from(u16::from_be_bytes([high, low]));
            if high == 0xff { number << 16 } else { (u32::MAX - 0x2000).wrapping_add(number) }
        };
        let declared = u32::from(len) * if more & 1 == 0 { 1 } else { 300 };
        let captured = (declared as usize).min(payload.len()).min(if more & 2 == 0 { usize::MAX } else { 96 });
        at += i64::from(more >> 4) * 100_000_000;
        seen = Seen { packet: PacketId::new(0, number as u64 + 1), at: Timestamp::from_nanos(at) };
        judge.ignore = more & 12 == 12;
        if who & 6 == 6 {
            let says = Icmp { by: [10, 0, 0, 3].into(), kind: IcmpKind::Other, code: (3, flags) };
            table.icmp(&IcmpError { key, from, seq: near(seq_high, seq_low), says }, seen, &mut judge);
            continue;
        }
        let segment = Segment {
            key,
            from,
            seq: near(seq_high, seq_low),
            ack: near(ack_high, ack_low),
            flags: Flags(flags),
            window: 1,
            ttl: 64,
            ip_id: number as u16,
            declared_len: declared,
            payload: payload.get(usize::from(more)..).and_then(|p| p.get(..captured)).unwrap_or(&payload[..captured.min(96)]),
        };
        table.push(&segment, seen, &mut judge);
    }
    judge.ignore = false;
    let open: Vec<FlowId> = table.open().collect();
    open.into_iter().for_each(|flow| table.end(flow, seen, &mut judge));
    assert!(judge.open.is_empty(), "a flow was not closed");
});
