//! Several captures as one time line.

use super::chunk::Chunk;
use super::copier::{Copier, Piece};
use super::info::CaptureInfo;
use super::reader::{Item, Reader};
use crate::error::Error;
use crate::limits;
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Reads several captures at once, the earliest packet first, those of equal time in the order of the captures.
///
/// Captures are ordered and numbered by their first packets, so that the parts of a rotated one may be given in any
/// order and a later packet has the greater [`PacketId`](super::PacketId).
///
/// Each capture is read in its own order: where its clock steps back, its packets are not sorted anew, so that what
/// was captured after something else stays after it. Secrets come as soon as they are reached, those at the start of a
/// capture before all packets.
///
/// Of several captures, the files of those whose first packet is not reached yet are closed, and those that are read to
/// their end: so only what overlaps in time is open at once, however many files a rotated capture has.
pub struct Merged {
    readers: Vec<Reader>,
    /// The readers that stand at an item, by its time; the one of the current item is on top.
    order: BinaryHeap<Reverse<(Option<Timestamp>, usize)>>,
    started: bool,
    /// Whether captures are read on threads of their own, and how many are.
    ahead: bool,
    threads: usize,
    /// Captures that could not be opened when their turn came.
    failures: Vec<Error>,
    /// The first of those that were too many at once, and how many more.
    too_many: Option<(String, usize)>,
}

impl Merged {
    /// Merges `readers`, and loads the first item of each.
    pub fn new(mut readers: Vec<Reader>) -> Self {
        let several = readers.len() > 1;
        let mut order = BinaryHeap::with_capacity(readers.len());
        let load = |mut reader: Reader| {
            if several {
                reader.rest();
            }
            (reader.begin(), reader)
        };
        let mut first: Vec<_> = readers.drain(..).map(load).collect();
        // Those without a packet stand last.
        first.sort_by(|(a_loaded, a), (b_loaded, b)| {
            let order = b_loaded.cmp(a_loaded).then_with(|| a.time().cmp(&b.time()));
            order.then_with(|| a.path().cmp(b.path()))
        });
        for (index, (loaded, mut reader)) in first.into_iter().enumerate() {
            reader.renumber(u16::try_from(index).unwrap_or(u16::MAX));
            if loaded {
                order.push(Reverse((reader.time(), index)));
            }
            readers.push(reader);
        }
        Merged {
            readers,
            order,
            started: false,
            ahead: false,
            threads: 0,
            failures: Vec::new(),
            too_many: None,
        }
    }

    /// Time of the earliest packet.
    pub fn begins(&self) -> Option<Timestamp> {
        self.readers.iter().filter_map(|reader| reader.info().first).min()
    }

    /// Loads the next item of all; false at the end.
    #[inline(always)]
    pub fn advance(&mut self) -> bool {
        match self.readers.as_mut_slice() {
            // One capture alone needs no order.
            [alone] if self.started => alone.advance(),
            _ => self.advance_first(),
        }
    }

    #[inline(never)]
    fn advance_first(&mut self) -> bool {
        if self.started {
            self.step();
        } else {
            self.started = true;
        }
        self.open_what_is_due()
    }

    /// Goes on in the capture of the current item.
    fn step(&mut self) {
        let Some(mut top) = self.order.peek_mut() else { return };
        let Reverse((at, index)) = &mut *top;
        let index = *index;
        let Some(reader) = self.readers.get_mut(index) else { return };
        let goes_on = reader.advance();
        if goes_on {
            *at = reader.time();
            drop(top);
        } else {
            PeekMut::pop(top);
        }
        // What began with secrets may have to wait for the time of its first packet.
        let early = goes_on
            && reader.is_at_first_packet()
            && self.order.peek().is_some_and(|Reverse((_, due))| *due != index);
        if early || !goes_on {
            self.threads = self.threads.saturating_sub(usize::from(reader.is_read_ahead()));
        }
        if early {
            reader.rest();
        }
    }

    /// Opens the capture whose turn it is, where it is closed; false where there is none left.
    fn open_what_is_due(&mut self) -> bool {
        loop {
            let Some(mut top) = self.order.peek_mut() else { return false };
            let Reverse((at, index)) = &mut *top;
            let Some(reader) = self.readers.get_mut(*index) else { return false };
            if !reader.is_resting() {
                return true;
            }
            match reader.wake() {
                Ok(true) => {
                    *at = reader.time();
                    if self.ahead && self.threads < limits::READ_AHEAD {
                        reader.read_ahead();
                        self.threads = self.threads.saturating_add(usize::from(reader.is_read_ahead()));
                    }
                }
                Ok(false) => {
                    PeekMut::pop(top);
                }
                Err(error) => {
                    PeekMut::pop(top);
                    self.fail(error);
                }
            }
        }
    }

    /// Notes that a capture could not be opened when its turn came.
    #[cold]
    fn fail(&mut self, error: Error) {
        match error {
            Error::Io { path, source } if source.raw_os_error() == Some(TOO_MANY_OPEN) => {
                match &mut self.too_many {
                    Some((_, more)) => *more = more.saturating_add(1),
                    None => self.too_many = Some((path, 0)),
                }
            }
            other => self.failures.push(other),
        }
    }

    /// Why captures could not be opened when their turn came.
    pub fn take_failures(&mut self) -> Vec<Error> {
        let too_many = self.too_many.take().map(|(path, more)| Error::TooManyAtOnce { path, more });
        std::mem::take(&mut self.failures).into_iter().chain(too_many).collect()
    }

    /// The item that [`Merged::advance`] loaded.
    #[inline(always)]
    pub fn current(&self) -> Option<Item<'_>> {
        self.first()?.current()
    }

    /// The reader of that item.
    #[inline(always)]
    fn first(&self) -> Option<&Reader> {
        match self.readers.as_slice() {
            [alone] => Some(alone),
            all => self.order.peek().and_then(|Reverse((_, index))| all.get(*index)),
        }
    }

    /// The bytes among which those of that item are.
    #[inline]
    pub fn chunk(&self) -> Option<&Chunk> {
        self.first().map(Reader::chunk)
    }

    /// Whether the next item may have to be waited for, because who writes it takes his time.
    #[inline]
    pub fn may_wait(&self) -> bool {
        self.first().is_some_and(Reader::may_wait)
    }

    /// Reads captures on threads of their own from now on, a few at a time.
    pub fn read_ahead(&mut self) {
        self.ahead = true;
        for reader in self.readers.iter_mut().filter(|reader| !reader.is_resting()) {
            if self.threads < limits::READ_AHEAD {
                reader.read_ahead();
                self.threads = self.threads.saturating_add(usize::from(reader.is_read_ahead()));
            }
        }
    }

    /// Has up to `count` others copy pieces of the capture from now on, where it is the only one and a plain file.
    pub fn share(&mut self, count: usize) -> Vec<Copier> {
        match self.readers.as_mut_slice() {
            [alone] => alone.share(count.min(limits::COPIERS)),
            _ => Vec::new(),
        }
    }

    /// Takes what comes next of a piece, if it has that.
    pub fn take(&mut self, piece: Piece) {
        if let [alone] = self.readers.as_mut_slice() {
            alone.take(piece);
        }
    }

    /// Whether another piece should be taken: reading came to this offset, and the next item is not all here.
    #[inline]
    pub fn is_through(&self, until: u64) -> bool {
        matches!(self.readers.as_slice(), [alone] if alone.is_through(until))
    }

    /// Loads the next item of all and gives it.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.advance() { self.current() } else { None }
    }

    /// The captures, in the order of their first packets.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// What is known of each capture so far, in the order of their first packets.
    pub fn infos(&self) -> Vec<CaptureInfo> {
        self.readers.iter().map(Reader::info).collect()
    }

    /// Bytes of the stored files read so far, and their sum where all are known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        self.readers.iter().map(Reader::progress).fold((0, Some(0)), |(read, total), (r, t)| {
            (read.saturating_add(r), total.zip(t).map(|(a, b): (u64, u64)| a.saturating_add(b)))
        })
    }
}

/// What systems of the Unix kind say where a program has as many files open as it may (EMFILE).
const TOO_MANY_OPEN: i32 = 24;

#[cfg(test)]
mod tests {
    use super::super::testing::{Endian, SECONDS, pcap, pcap_record, pcapng};
    use super::super::{Item, open};
    use super::*;
    use std::path::PathBuf;

    /// Files in a folder of their own, which goes with them.
    struct Files(PathBuf, Vec<PathBuf>);

    impl Files {
        fn new(test: &str, contents: &[Vec<u8>]) -> Files {
            let folder = std::env::temp_dir().join(format!("wsanalyze-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let write = |(index, bytes): (usize, &Vec<u8>)| {
                let path = folder.join(format!("{index:03}"));
                std::fs::write(&path, bytes).unwrap();
                path
            };
            let files = contents.iter().enumerate().map(write).collect();
            Files(folder, files)
        }

        fn merged(&self) -> Merged {
            Merged::new(self.1.iter().map(|path| open(path.to_str().unwrap(), 0).unwrap()).collect())
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// What each item is: `s` for secrets, the time for a packet; and how many files were open at most.
    fn read(merged: &mut Merged) -> (Vec<String>, usize) {
        let (mut told, mut most) = (Vec::new(), 0);
        while let Some(item) = merged.next() {
            told.push(match item {
                Item::Secrets(_) => String::from("s"),
                Item::Packet(packet) => {
                    let seconds = packet.seen.at.as_nanos() / 1_000_000_000 - i64::from(SECONDS);
                    format!("{seconds}:{}", packet.seen.packet.number())
                }
            });
            let open = |reader: &&Reader| !reader.is_resting() && reader.current().is_some();
            most = most.max(merged.readers().iter().filter(open).count());
        }
        (told, most)
    }

    fn capture(times: &[u32]) -> Vec<u8> {
        let mut file = pcap(0);
        times.iter().for_each(|&t| file.extend(pcap_record(Endian::Little, SECONDS + t, 0, b"x")));
        file
    }

    #[test]
    fn of_captures_that_follow_each_other_one_is_open_at_a_time() {
        let contents: Vec<Vec<u8>> = (0..40).rev().map(|n| capture(&[n * 3, n * 3 + 1, n * 3 + 2])).collect();
        let files = Files::new("rotated", &contents);
        let (told, most) = read(&mut files.merged());
        let expected: Vec<String> =
            (0..40).flat_map(|n| (0..3).map(move |m| format!("{}:{}", n * 3 + m, m + 1))).collect();
        assert_eq!((told, most), (expected, 1));
    }

    #[test]
    fn what_overlaps_is_open_together_and_comes_by_time() {
        let contents = [capture(&[0, 5, 9]), capture(&[4, 6]), capture(&[20]), capture(&[])];
        let files = Files::new("overlap", &contents);
        let (told, most) = read(&mut files.merged());
        assert_eq!(told, ["0:1", "4:1", "5:2", "6:2", "9:3", "20:1"]);
        assert_eq!(most, 2);
    }

    #[test]
    fn few_captures_are_read_each_on_a_thread_of_its_own() {
        // Half of them overlap, and the others follow each other.
        let long = 3 * limits::READ_AHEAD as u32;
        let together = (0..long).map(|_| capture(&[0, 100]));
        let contents: Vec<Vec<u8>> = together.chain((0..long).map(|n| capture(&[200 + n]))).collect();
        let files = Files::new("threads", &contents);
        let mut merged = files.merged();
        merged.read_ahead();
        let (mut most, mut packets) = (0, 0);
        while merged.next().is_some() {
            packets += 1;
            let ahead = |reader: &&Reader| reader.is_read_ahead() && reader.current().is_some();
            most = most.max(merged.readers().iter().filter(ahead).count());
        }
        assert_eq!((packets, most), (3 * long, limits::READ_AHEAD));
        assert!(merged.readers().iter().filter(|reader| reader.is_read_ahead()).count() > limits::READ_AHEAD);
    }

    #[test]
    fn secrets_come_first_and_once_and_their_files_close_again() {
        let e = Endian::Little;
        let keyed = |ticks: u64| {
            let packets = [e.enhanced(0, ticks, 1, b"x"), e.enhanced(0, ticks + 1, 1, b"y")].concat();
            let secrets = e.secrets(0x544c_534b, b"key");
            [pcapng(e, 0), secrets.clone(), secrets, packets].concat()
        };
        let second = |n: u64| (u64::from(SECONDS) + n) * 1_000_000;
        let contents: Vec<Vec<u8>> = (0..20).map(|n| keyed(second(n * 10))).collect();
        let files = Files::new("keyed", &contents);
        let mut merged = files.merged();
        let (told, most) = read(&mut merged);
        let packets: Vec<&String> = told.iter().filter(|item| *item != "s").collect();
        assert_eq!((told.len() - packets.len(), packets.len()), (40, 40));
        let at = |item: &&String| item.split(':').next().unwrap().parse::<u32>().unwrap();
        assert!(told[..40].iter().all(|item| item == "s") && packets.is_sorted_by_key(at));
        assert!(most <= 2, "{most} files were open at once");
        assert!(merged.take_failures().is_empty());
        assert!(merged.infos().iter().all(|info| info.packets == 2 && info.complete));
    }

    #[test]
    fn a_file_that_is_gone_when_its_turn_comes_is_told_and_the_others_are_read() {
        let files = Files::new("gone", &[capture(&[1]), capture(&[2]), capture(&[3])]);
        let mut merged = files.merged();
        std::fs::remove_file(&files.1[1]).unwrap();
        assert_eq!(read(&mut merged).0, ["1:1", "3:1"]);
        let failures = merged.take_failures();
        assert!(matches!(&failures[..], [Error::Io { path, .. }] if path.ends_with("001")), "{failures:?}");
        let infos = merged.infos();
        assert_eq!((infos[1].packets, infos[1].complete), (0, false));
        assert!(infos[1].warnings[0].contains("none of it was read"), "{:?}", infos[1].warnings);
    }
}
