//! What is said of a session does not depend on how TCP carried it, nor on strangers in the same capture.

use crate::support::copies::{Capture, Dice, Told, all};
use etherparse::{PacketBuilder, TcpHeader};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use wsanalyze::capture::{LinkType, Packet, Seen, Writer};
use wsanalyze::net::{Decoder, Endpoint, Flags};
use wsanalyze::rules::{Blame, Confidence};
use wsanalyze::time::Timestamp;
use wsanalyze::websocket::Depth;

#[test]
fn segments_cut_anew_change_nothing() {
    hold_to_it("cut anew", |segments, dice| {
        let cut = |segment: &Segment| {
            let len = segment.payload.len() as u64;
            let at = if len < 2 { 0 } else { 1 + dice.roll(len - 1) as usize };
            if at == 0 { vec![segment.clone()] } else { segment.cut(at) }
        };
        segments.iter().flat_map(cut).collect()
    });
}

#[test]
fn segments_joined_change_nothing() {
    hold_to_it("joined", |segments, _| {
        let mut all: Vec<Segment> = Vec::new();
        for segment in segments {
            match all.last_mut() {
                Some(last) if last.goes_on_in(segment) => {
                    last.payload.extend(&segment.payload);
                    last.flags = Flags(last.flags.0 | segment.flags.0);
                }
                _ => all.push(segment.clone()),
            }
        }
        all
    });
}

#[test]
fn numbers_that_pass_zero_change_nothing() {
    hold_to_it("renumbered", |segments, dice| {
        // What a direction starts from, and what is added to it: not far below zero.
        let mut shift: HashMap<(Endpoint, Endpoint), u32> = HashMap::new();
        for segment in segments {
            let mut begin = |way, number: u32| {
                shift.entry(way).or_insert_with(|| number.wrapping_neg().wrapping_sub(dice.roll(900) as u32));
            };
            begin((segment.from, segment.to), segment.seq);
            if segment.flags.has(Flags::ACK) {
                begin((segment.to, segment.from), segment.ack);
            }
        }
        let renumbered = |segment: &Segment| {
            let by = |way| shift.get(&way).copied().unwrap_or_default();
            let seq = segment.seq.wrapping_add(by((segment.from, segment.to)));
            let acks = segment.flags.has(Flags::ACK);
            let ack = segment.ack.wrapping_add(if acks { by((segment.to, segment.from)) } else { 0 });
            Segment { seq, ack, ..segment.clone() }
        };
        segments.iter().map(renumbered).collect()
    });
}

#[test]
fn segments_sent_again_or_late_change_nothing() {
    hold_to_it("sent again and late", |segments, dice| {
        let mut all: Vec<Segment> = Vec::new();
        for segment in segments {
            let half = segment.payload.len() / 2;
            let halves = if half > 0 { segment.cut(half) } else { vec![segment.clone()] };
            match (&halves[..], dice.roll(3)) {
                // The second half overtakes the first.
                ([one, two], 0) if !two.flags.has(Flags::FIN) => {
                    all.extend([two.at(one.seen), one.at(two.seen)])
                }
                // All of it comes again, with another cut.
                ([one, _], 1) => all.extend([one.clone(), segment.clone()]),
                _ => all.push(segment.clone()),
            }
        }
        all
    });
}

#[test]
fn strangers_prove_nothing_of_each_other() {
    let captures = all();
    let mut dice = Dice(7);
    let mut wrong = BTreeSet::new();
    for _ in 0..2 * captures.len() {
        let mut pick = || &captures[dice.roll(captures.len() as u64) as usize];
        let (one, other) = (pick(), pick());
        let hosts = |told: &Told| told.read.keys().flatten().copied().collect::<HashSet<Endpoint>>();
        let (Some(first), Some(last)) = (one.packets.first(), one.packets.last()) else { continue };
        let lasts = last.seen.at.nanos_since(first.seen.at).max(1);
        let begins = other.packets[0].seen.at;
        let shift = first.seen.at.nanos_since(begins) + dice.roll(lasts as u64) as i64;
        if !hosts(&one.told).is_disjoint(&hosts(&other.told)) {
            continue;
        }
        let later = |seen: Seen| Timestamp::from_nanos(seen.at.as_nanos() + shift);
        let mut packets: Vec<(Timestamp, Packet<'_>)> =
            one.packets.iter().map(|sent| (sent.seen.at, sent.packet())).collect();
        packets.extend(other.packets.iter().map(|sent| (later(sent.seen), sent.packet())));
        // Stable, so that what has one time keeps its order.
        packets.sort_by_key(|(at, _)| *at);
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (at, packet) in packets {
            writer.packet(&Packet { seen: Seen { at, ..packet.seen }, ..packet }).unwrap();
        }
        let told = one.tell(&writer.finish().unwrap(), Depth::default());
        for claim in told.claims.iter().filter(|claim| claim.confidence == Confidence::Certain) {
            let whole = [one, other].into_iter().find(|capture| capture.told.read.contains_key(&claim.of));
            if whole.is_none_or(|whole| whole.told.refutes(claim, true)) {
                wrong
                    .insert(format!("{} beside {}: {}: {}", one.path, other.path, claim.rule, claim.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Compares what is said of each fixture with what is said of it when its segments are carried otherwise.
fn hold_to_it(how: &str, mut carry: impl FnMut(&[Segment], &mut Dice) -> Vec<Segment>) {
    let (mut compared, mut wrong) = (0, Vec::new());
    for capture in all() {
        let Some(segments) = segments(&capture) else { continue };
        let tell = |segments: &[Segment]| capture.tell(&write(segments), Depth::default());
        let expected = tell(&segments);
        let told = tell(&carry(&segments, &mut Dice(capture.salt())));
        for (of, read) in &expected.read {
            let said = |told: &Told| {
                let of_it = told.claims.iter().filter(|claim| claim.of == *of);
                let brief = |claim| format!("{:?}", brief(claim));
                of_it.map(brief).collect::<BTreeSet<String>>()
            };
            let before = said(&expected);
            // Where framing is lost, frames are looked for at the beginnings of segments.
            if before
                .iter()
                .any(|claim| claim.contains("framing-lost") || claim.contains("http-bytes-in-stream"))
            {
                continue;
            }
            compared += 1;
            let (after, read_after) = (said(&told), told.read.get(of));
            if before != after || read_after != Some(read) {
                wrong.push(format!(
                    "{} {of:?}: {read} {before:#?}, {how}: {read_after:?} {after:#?}",
                    capture.path
                ));
            }
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn brief(claim: &crate::support::copies::Claim) -> (&'static str, Confidence, Blame) {
    (claim.rule, claim.confidence, claim.blame)
}

/// A TCP segment.
#[derive(Clone)]
struct Segment {
    seen: Seen,
    from: Endpoint,
    to: Endpoint,
    seq: u32,
    ack: u32,
    flags: Flags,
    window: u16,
    ttl: u8,
    payload: Vec<u8>,
}

impl Segment {
    /// In two, at that byte of its payload.
    fn cut(&self, at: usize) -> Vec<Segment> {
        let (one, two) = self.payload.split_at(at);
        let flags = Flags(self.flags.0 & !(Flags::FIN.0 | Flags::PSH.0));
        let seq = self.seq.wrapping_add(at as u32);
        vec![
            Segment { payload: one.to_vec(), flags, ..self.clone() },
            Segment { payload: two.to_vec(), seq, ..self.clone() },
        ]
    }

    fn at(&self, seen: Seen) -> Segment {
        Segment { seen, ..self.clone() }
    }

    /// Whether the next one may be joined to it.
    fn goes_on_in(&self, next: &Segment) -> bool {
        (self.from, self.to) == (next.from, next.to)
            && !self.payload.is_empty()
            && !next.payload.is_empty()
            && self.seq.wrapping_add(self.payload.len() as u32) == next.seq
            && self.payload.len() + next.payload.len() < 30_000
            && self.flags.0 & !(Flags::ACK.0 | Flags::PSH.0) == 0
            && next.seen.at.nanos_since(self.seen.at) < 1_000_000
    }
}

/// The segments of a capture that has nothing else, and of which each connection is there from its SYN on.
fn segments(capture: &Capture) -> Option<Vec<Segment>> {
    let (mut decoder, mut all, mut opened) = (Decoder::new(), Vec::new(), HashSet::new());
    // Equal numbers are what makes two connections one there.
    if capture.path.contains("nat_both_sides") {
        return None;
    }
    for sent in &capture.packets {
        let mut found = None;
        decoder.segment(&sent.packet(), |segment| {
            let (from, to) = (segment.key.endpoint(segment.from), segment.key.endpoint(segment.from.other()));
            let (seq, ack, flags, window, ttl) =
                (segment.seq, segment.ack, segment.flags, segment.window, segment.ttl);
            let is_whole = segment.declared_len as usize == segment.payload.len();
            let payload = segment.payload.to_vec();
            found = is_whole.then_some(Segment {
                seen: sent.seen,
                from,
                to,
                seq,
                ack,
                flags,
                window,
                ttl,
                payload,
            });
        });
        let segment = found?;
        if segment.flags.has(Flags::SYN) {
            opened.extend([(segment.from, segment.to), (segment.to, segment.from)]);
        } else if !opened.contains(&(segment.from, segment.to)) {
            return None;
        }
        all.push(segment);
    }
    Some(all)
}

fn write(segments: &[Segment]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for segment in segments {
        let mut header = TcpHeader::new(segment.from.port, segment.to.port, segment.seq, segment.window);
        header.acknowledgment_number = segment.ack;
        let has = |flag| segment.flags.has(flag);
        (header.syn, header.fin, header.rst) = (has(Flags::SYN), has(Flags::FIN), has(Flags::RST));
        (header.ack, header.psh) = (has(Flags::ACK), has(Flags::PSH));
        let builder = match (segment.from.ip, segment.to.ip) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), segment.ttl)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), segment.ttl)
            }
            _ => panic!("a segment from {} to {}", segment.from, segment.to),
        };
        let mut data = Vec::new();
        builder.tcp_header(header).write(&mut data, &segment.payload).unwrap();
        let (link, original_len) = (LinkType(RAW), data.len() as u32);
        writer.packet(&Packet { seen: segment.seen, link, original_len, fcs_len: 0, data: &data }).unwrap();
    }
    writer.finish().unwrap()
}

/// `LINKTYPE_RAW`: IP from its first byte.
const RAW: u32 = 101;
