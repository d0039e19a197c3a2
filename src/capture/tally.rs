//! What is counted and noted while a capture is read, and how it is told.

use super::names::HostNames;
use super::packet::LinkType;
use crate::error::Error;
use crate::limits::DAMAGE_TOLD;
use crate::time::Timestamp;
use std::io;

/// Counts and notes of one capture.
#[derive(Default)]
pub(super) struct Tally {
    /// Packet records.
    pub(super) packets: u64,
    /// Records that Wireshark numbers as frames: packets, and the few others that it shows among them.
    pub(super) frames: u64,
    /// Time of the first packet.
    pub(super) first: Option<Timestamp>,
    /// Time of the last packet.
    pub(super) last: Option<Timestamp>,
    /// Packets that the capturing system says it lost.
    pub(super) dropped: u64,
    /// What hosts are called.
    pub(super) names: HostNames,
    /// Packets passed over because their section does not describe their interface.
    pub(super) without_interface: u64,
    /// Packets whose blocks have no time.
    pub(super) untimed: u64,
    /// Link types of packets, each once.
    links: Vec<LinkType>,
    last_link: Option<LinkType>,
    /// Packets of which the record holds the beginning only.
    pub(super) cut: u64,
    cut_at: u32,
    damage: Vec<String>,
    more_damage: u64,
    more_damage_bytes: u64,
    /// How reading ended, if not well.
    ending: Option<String>,
    notes: Vec<String>,
    /// What an offset is an offset of.
    of: &'static str,
}

impl Tally {
    /// Counts nothing yet. `of` follows each offset that is told.
    pub(super) fn new(of: &'static str) -> Self {
        Tally { of, ..Tally::default() }
    }

    /// Counts a packet and gives its number.
    #[inline]
    pub(super) fn packet(&mut self, at: Timestamp, link: LinkType, captured: u32, original: u32) -> u64 {
        self.packets = self.packets.wrapping_add(1);
        self.frames = self.frames.wrapping_add(1);
        if self.first.is_none() {
            self.first = Some(at);
        }
        self.last = Some(at);
        if self.last_link != Some(link) {
            self.link(link);
        }
        if captured < original {
            self.cut = self.cut.wrapping_add(1);
            self.cut_at = self.cut_at.max(captured);
        }
        self.frames
    }

    /// The link types of the packets so far.
    pub(super) fn links(&self) -> &[LinkType] {
        &self.links
    }

    /// Notes damage: what is wrong at `offset`, how many bytes were passed over, and whether a record was found
    /// behind them.
    pub(super) fn damage(&mut self, offset: u64, what: &str, skipped: u64, found: bool) {
        if self.damage.len() >= DAMAGE_TOLD {
            self.more_damage = self.more_damage.saturating_add(1);
            self.more_damage_bytes = self.more_damage_bytes.saturating_add(skipped);
            return;
        }
        let (bytes, of) = (plural(skipped, "byte"), self.of);
        self.damage.push(if found {
            format!("damaged at offset {offset}{of}: {what}; {bytes} skipped up to the next believable record")
        } else {
            format!("damaged at offset {offset}{of}: {what}; no believable record follows, the last {bytes} were not read")
        });
    }

    /// Notes that the source ended where `need` bytes of `what` were expected at `offset` and `have` were there.
    pub(super) fn cut_short(&mut self, offset: u64, what: &str, have: usize, need: usize) {
        let of = self.of;
        self.ending = Some(format!(
            "the capture ends inside the {what} at offset {offset}{of}: {have} of {need} bytes are there"
        ));
    }

    /// Notes that the stored file had `total` bytes when it was opened and only `read` of them could be read.
    pub(super) fn shorter(&mut self, read: u64, total: u64) {
        self.ending.get_or_insert_with(|| {
            format!(
                "the file became shorter while it was read: {read} of {} were there",
                plural(total, "byte")
            )
        });
    }

    /// Notes that nothing could be read when its turn came.
    pub(super) fn unread(&mut self, reason: &Error) {
        self.ending = Some(format!("none of it was read: {reason}"));
    }

    /// Notes something that leaves the capture complete.
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < DAMAGE_TOLD {
            self.notes.push(note);
        }
    }

    /// Whether nothing is missing that the file itself should hold.
    pub(super) fn complete(&self) -> bool {
        self.damage.is_empty() && self.ending.is_none() && self.without_interface == 0
    }

    /// What is wrong with the capture, one sentence each. `failure` is the offset and reason of a read error: it
    /// explains the cut that it caused; `dropped` is how many packets the capturing system lost.
    pub(super) fn warnings(&self, failure: Option<&(u64, io::Error)>, dropped: u64) -> Vec<String> {
        let mut told = self.damage.clone();
        if self.more_damage > 0 {
            told.push(format!(
                "damaged at {}, {} skipped there",
                plural(self.more_damage, "further place"),
                plural(self.more_damage_bytes, "byte")
            ));
        }
        match failure {
            Some((offset, reason)) => {
                let of = self.of;
                told.push(format!(
                    "reading failed at offset {offset}{of}: {reason}; the packets before it are analysed"
                ));
            }
            None => told.extend(self.ending.clone()),
        }
        if self.without_interface > 0 {
            let their = if self.without_interface == 1 { "its" } else { "their" };
            told.push(format!(
                "{} skipped: the section does not describe {their} interface",
                plural(self.without_interface, "packet")
            ));
        }
        if self.untimed > 0 {
            let have = if self.untimed == 1 { "has" } else { "have" };
            told.push(format!(
                "{} {have} no time (simple packet blocks): silences and durations there are unknown, and shown too short",
                plural(self.untimed, "packet")
            ));
        }
        if self.cut > 0 {
            let were = if self.cut == 1 { "was" } else { "were" };
            let packets = plural(self.cut, "packet");
            told.push(format!(
                "{packets} {were} cut by a snap length of {}",
                plural(self.cut_at.into(), "byte")
            ));
        }
        if dropped > 0 {
            let packets = plural(dropped, "packet");
            told.push(format!(
                "the capturing system lost {packets}: what looks missing may have been on the wire"
            ));
        }
        told.extend(self.notes.iter().cloned());
        told
    }

    #[cold]
    fn link(&mut self, link: LinkType) {
        self.last_link = Some(link);
        if let Err(at) = self.links.binary_search(&link) {
            self.links.insert(at, link);
        }
    }
}

/// `1 byte`, `2 bytes`.
fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
