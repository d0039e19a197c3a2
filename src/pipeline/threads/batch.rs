//! Segments on their way to the workers.

use super::super::shard;
use super::super::source::Target;
use crate::capture::{Chunk, Merged, Seen};
use crate::limits;
use crate::net::{Flags, FlowKey, IcmpError, LongKey, Segment, ShortKey, Side};
use crate::tls::KeyLog;
use std::mem::take;
use std::sync::mpsc::{Receiver, SyncSender};

/// The segments that one worker gets at a time.
#[derive(Default)]
pub(super) struct Batch {
    /// What payloads lie in: pieces of the captures, and a copy of those that were put together from fragments.
    chunks: Vec<Chunk>,
    copied: Chunk,
    pub(super) steps: Vec<Step>,
    keys: Vec<LongKey>,
    /// The position in the run at which this batch begins.
    from: u64,
    /// What comes between steps: the index of the step that it precedes, its position in the run, and what it is.
    pub(super) notices: Vec<(usize, u64, Notice)>,
    /// The position in the run after the last one of this batch.
    pub(super) until: u64,
    /// Bytes read so far, and how many there are.
    pub(super) progress: (u64, Option<u64>),
}

/// One segment without its payload. It fits one cache line.
#[repr(align(64))]
pub(super) struct Step {
    pub(super) seen: Seen,
    key: Key,
    seq: u32,
    ack: u32,
    declared_len: u32,
    /// Where its payload lies in its chunk.
    at: u32,
    len: u32,
    /// Its position in the run, counted from the batch's.
    order: u32,
    window: u16,
    ip_id: u16,
    flags: Flags,
    ttl: u8,
    chunk: u8,
    /// Index among the shards of the worker, shifted left by one; the lowest bit is 1 where [`Side::High`] sent it.
    shard: u8,
}

/// The key of a flow: short ones stand in the step, long ones by their index in [`Batch::keys`].
#[derive(Clone, Copy)]
enum Key {
    Short(ShortKey),
    Long(u32),
}

impl Step {
    /// Index among the shards of the worker.
    #[inline]
    pub(super) fn shard(&self) -> usize {
        usize::from(self.shard >> 1)
    }
}

const _: () = assert!(size_of::<Step>() == 64);

/// What a worker must know besides segments.
#[derive(Clone)]
pub(super) enum Notice {
    /// An error about a segment of a flow of this shard, by its index among those of the worker.
    Icmp(usize, Box<IcmpError>, Seen),
    /// The time of this packet was reached.
    Pass(Seen),
    /// There are more keys.
    Renew(KeyLog),
}

/// What a worker is sent.
pub(super) enum Message {
    Batch(Batch),
    /// The input is over, with this packet.
    End(Option<Seen>),
}

impl Batch {
    /// The position of a step among all steps and notices of the run.
    #[inline]
    pub(super) fn order(&self, step: &Step) -> u64 {
        self.from + u64::from(step.order)
    }

    /// The segment of a step.
    #[inline]
    pub(super) fn segment<'a>(&'a self, step: &Step) -> Segment<'a> {
        let key = match step.key {
            Key::Short(key) => FlowKey::Short(key),
            Key::Long(index) => FlowKey::Long(self.keys[index as usize]),
        };
        let chunk = if step.chunk == COPIED { &self.copied } else { &self.chunks[usize::from(step.chunk)] };
        let at = step.at as usize;
        Segment {
            key,
            from: if step.shard & 1 == 0 { Side::Low } else { Side::High },
            seq: step.seq,
            ack: step.ack,
            flags: step.flags,
            window: step.window,
            ttl: step.ttl,
            ip_id: step.ip_id,
            declared_len: step.declared_len,
            payload: &chunk[at..at + step.len as usize],
        }
    }
}

/// Collects segments and sends them to the workers.
pub(super) struct Batches {
    inboxes: Vec<SyncSender<Message>>,
    /// Empty lists of steps that came back from the workers.
    unused: Receiver<Vec<Step>>,
    /// For each shard: its worker, and its index there.
    places: [(u8, u8); limits::SHARDS],
    /// What each worker gets next, but for the chunks, which all batches share.
    pending: Vec<Batch>,
    chunks: Vec<Chunk>,
    /// Payloads of segments that came in fragments.
    copied: Vec<u8>,
    /// Chunks that one batch may refer to.
    most_chunks: usize,
    count: usize,
    order: u64,
    abandoned: bool,
}

impl Batches {
    /// Batches for the workers behind `inboxes`, of segments from so many captures.
    pub(super) fn new(
        inboxes: Vec<SyncSender<Message>>,
        unused: Receiver<Vec<Step>>,
        captures: usize,
    ) -> Batches {
        let workers = inboxes.len();
        let place = |shard: usize| ((shard % workers) as u8, (shard / workers) as u8);
        Batches {
            pending: inboxes.iter().map(|_| Batch::default()).collect(),
            inboxes,
            unused,
            places: std::array::from_fn(place),
            chunks: Vec::new(),
            copied: Vec::new(),
            most_chunks: captures.min(limits::BATCH_CAPTURES) + limits::BATCH_CHUNKS,
            count: 0,
            // Position 0 is before all of these.
            order: 1,
            abandoned: false,
        }
    }

    /// Whether what was collected should be sent.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.count >= limits::BATCH_SEGMENTS || self.chunks.len() >= self.most_chunks
    }

    /// Whether a worker is gone: nobody needs the rest.
    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether nothing was collected.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sends what was collected.
    pub(super) fn send(&mut self, progress: (u64, Option<u64>)) {
        self.count = 0;
        let copied = Chunk::from(take(&mut self.copied));
        let chunks = take(&mut self.chunks);
        for (inbox, pending) in self.inboxes.iter().zip(&mut self.pending) {
            let next = Batch { steps: self.unused.try_recv().unwrap_or_default(), ..Batch::default() };
            let mut batch = std::mem::replace(pending, next);
            pending.from = self.order;
            batch.chunks = chunks.clone();
            batch.copied = copied.clone();
            (batch.until, batch.progress) = (self.order, progress);
            self.abandoned |= inbox.send(Message::Batch(batch)).is_err();
        }
    }

    /// Sends all that is left, and that it is all.
    pub(super) fn end(&mut self, last: Option<Seen>, progress: (u64, Option<u64>)) {
        self.send(progress);
        for inbox in &self.inboxes {
            // One that is gone needs no end.
            let _ = inbox.send(Message::End(last));
        }
    }

    fn notice(&mut self, notice: &Notice) {
        for batch in &mut self.pending {
            batch.notices.push((batch.steps.len(), self.order, notice.clone()));
        }
        self.order += 1;
        self.count += 1;
    }

    /// Where workers find a payload: the index of its chunk, and its offset there.
    #[inline]
    fn place(&mut self, payload: &[u8], input: &Merged) -> (u8, u32) {
        if payload.is_empty() {
            return (COPIED, 0);
        }
        let place = |chunk: &Chunk| u32::try_from(chunk.place(payload)?).ok();
        let Some((chunk, at)) = input.chunk().and_then(|chunk| Some((chunk, place(chunk)?))) else {
            let at = self.copied.len() as u32;
            self.copied.extend_from_slice(payload);
            return (COPIED, at);
        };
        let known = self.chunks.iter().rposition(|known| known.is(chunk));
        let index = known.unwrap_or_else(|| {
            self.chunks.push(chunk.clone());
            self.chunks.len() - 1
        });
        (index as u8, at)
    }
}

/// The index of the chunk for payloads that lie in no chunk of the capture.
const COPIED: u8 = u8::MAX;

const _: () = assert!(limits::BATCH_CAPTURES + limits::BATCH_CHUNKS < COPIED as usize);

impl Target for Batches {
    #[inline]
    fn segment(&mut self, segment: &Segment<'_>, seen: Seen, input: &Merged) {
        let (worker, shard) = self.places[shard::of(&segment.key)];
        let (chunk, at) = self.place(segment.payload, input);
        let batch = &mut self.pending[usize::from(worker)];
        let key = match segment.key {
            FlowKey::Short(key) => Key::Short(key),
            FlowKey::Long(key) => {
                batch.keys.push(key);
                Key::Long((batch.keys.len() - 1) as u32)
            }
        };
        batch.steps.push(Step {
            seen,
            key,
            seq: segment.seq,
            ack: segment.ack,
            declared_len: segment.declared_len,
            at,
            len: segment.payload.len() as u32,
            order: (self.order - batch.from) as u32,
            window: segment.window,
            ip_id: segment.ip_id,
            flags: segment.flags,
            ttl: segment.ttl,
            chunk,
            shard: shard << 1 | segment.from as u8,
        });
        self.order += 1;
        self.count += 1;
    }

    #[cold]
    fn icmp(&mut self, error: &IcmpError, seen: Seen) {
        let (worker, shard) = self.places[shard::of(&error.key)];
        let batch = &mut self.pending[usize::from(worker)];
        let notice = Notice::Icmp(shard.into(), Box::new(*error), seen);
        batch.notices.push((batch.steps.len(), self.order, notice));
        self.order += 1;
        self.count += 1;
    }

    fn pass(&mut self, now: Seen) {
        self.notice(&Notice::Pass(now));
    }

    fn renew(&mut self, keys: &KeyLog) {
        self.notice(&Notice::Renew(keys.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::source::Source;
    use super::*;
    use crate::capture::Reader;
    use crate::tls::KeyLog;
    use std::io::Cursor;
    use std::sync::mpsc::{channel, sync_channel};

    /// A capture of TCP segments with so much payload, the first of them at this second and the others at the last one.
    fn capture(packets: usize, payload: usize, second: u32) -> Reader {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101]);
        let len = (40 + payload) as u16;
        let mut ip = [0; 40];
        (ip[0], ip[9], ip[32], ip[33]) = (0x45, 6, 0x50, 0x10);
        ip[2..4].copy_from_slice(&len.to_be_bytes());
        ip[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        for packet in 0..packets {
            let at = if packet == 0 { second } else { 1_000_000 };
            file.extend(words(&[at, 0, len.into(), len.into()]));
            file.extend(ip);
            file.resize(file.len() + payload, 0);
        }
        Reader::from_read("made", 0, Box::new(Cursor::new(file))).unwrap()
    }

    /// What a batch holds when it is full: segments, and chunks.
    fn full(readers: Vec<Reader>) -> (usize, usize) {
        let (inbox, _batches) = sync_channel(1);
        let (_used, unused) = channel();
        let mut batches = Batches::new(vec![inbox], unused, readers.len());
        let mut source = Source::new(Merged::new(readers), KeyLog::default());
        while !batches.is_full() {
            assert!(source.read(&mut batches), "the input is over");
        }
        (batches.pending[0].steps.len(), batches.chunks.len())
    }

    #[test]
    fn a_batch_is_full_with_so_many_segments() {
        // The time is told once.
        let most = limits::BATCH_SEGMENTS - 1;
        assert_eq!(full(vec![capture(4 * limits::BATCH_SEGMENTS, 0, 1_000_000)]), (most, 0));
    }

    #[test]
    fn a_batch_is_full_with_so_many_chunks_of_one_capture() {
        let packets = 4 * limits::BATCH_CHUNKS * limits::WINDOW / 1000;
        let (_, chunks) = full(vec![capture(packets, 1000, 1_000_000)]);
        assert_eq!(chunks, 1 + limits::BATCH_CHUNKS);
    }

    #[test]
    fn a_batch_is_full_with_the_chunks_of_so_many_captures() {
        let count = 4 * limits::BATCH_CAPTURES as u32;
        let (_, chunks) = full((0..count).map(|second| capture(2, 100, second)).collect());
        assert_eq!(chunks, limits::BATCH_CAPTURES + limits::BATCH_CHUNKS);
    }
}
