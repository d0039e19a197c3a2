//! One capture, item by item.

use super::ahead::LEAD;
use super::chunk::Chunk;
use super::copier::{Copier, Piece, Plain};
use super::info::{CaptureInfo, Compression, Format};
use super::open::{Opened, open};
use super::packet::{LinkType, Packet, PacketId, Seen};
use super::record::Record;
use super::sniff::{self, Container};
use super::tally::Tally;
use super::unpack::{Stored, unpack};
use super::window::Window;
use crate::error::Error;
use crate::time::Timestamp;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a capture holds, borrowed from its reader until the next one is loaded.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// TLS secrets in the NSS key log format (RFC 9850), from a pcapng decryption secrets block. They stand before
    /// the packets that they open.
    Secrets(&'a [u8]),
}

/// Reads one capture in the order of its file.
pub struct Reader {
    /// As it is told; a name that is no text is told as far as it is.
    path: String,
    /// Where its file is, to open it again.
    place: PathBuf,
    index: u16,
    stored: Stored,
    compression: Option<Compression>,
    container: Container,
    window: Window,
    record: Option<Record>,
    tally: Tally,
    /// Whether its first item was asked for by [`Reader::begin`].
    begun: bool,
    /// Where its file is closed until its turn comes: the time of the item that it stands at.
    resting: Option<Option<Timestamp>>,
    /// Whether a thread of its own was begun for it.
    ahead: bool,
}

impl Reader {
    /// Reads the capture that `source` gives, compressed or not, as the run's capture `index`; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Io`] where reading fails before the first record, [`Error::NotACapture`] where this is none.
    pub fn from_read(name: &str, index: u16, source: Box<dyn Read + Send>) -> Result<Self, Error> {
        Reader::start(name, index, source, None)
    }

    pub(super) fn start(
        name: &str,
        index: u16,
        source: Box<dyn Read + Send>,
        file: Option<(Opened, u64)>,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: name.to_owned(), source };
        let (stored, compression, source) = unpack(source, file).map_err(failed)?;
        let mut window = Window::new(source);
        let recognised = sniff::recognise(&mut window);
        if let Ok(Container::Pcap(_)) = recognised {
            // The first record header, so that an error before it stops the run.
            window.fill(16);
        }
        let too_early = recognised.is_err() || window.bytes().len() < 16;
        if let Some(source) = too_early.then(|| window.take_failure()).flatten() {
            return Err(match compression {
                // What a cut compressed file gives is an end, not a failure of the system.
                Some(kind) if source.kind() == ErrorKind::UnexpectedEof => Error::NotACapture {
                    path: name.to_owned(),
                    found: format!("{kind} data cut before the first packet"),
                },
                _ => failed(source),
            });
        }
        let container = recognised.map_err(|found| Error::NotACapture {
            path: name.to_owned(),
            found: match compression {
                Some(kind) => format!("{kind} data that hold {found}"),
                None => found,
            },
        })?;
        let tally = Tally::new(if compression.is_some() { " of the decompressed data" } else { "" });
        let path = name.to_owned();
        Ok(Reader {
            path,
            place: PathBuf::new(),
            index,
            stored,
            compression,
            container,
            window,
            record: None,
            tally,
            begun: false,
            resting: None,
            ahead: false,
        })
    }

    /// Read from the file at that path.
    pub(super) fn at(self, path: &Path) -> Reader {
        Reader { place: path.to_owned(), ..self }
    }

    /// The name it was opened by.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Makes it the run's capture `index`.
    pub(super) fn renumber(&mut self, index: u16) {
        self.index = index;
    }

    /// Loads the first item, where that was not tried yet; false where there is none.
    pub(super) fn begin(&mut self) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            self.advance();
        }
        self.record.is_some() || self.is_resting()
    }

    /// Loads the first item and closes the file until its turn comes in a [`Merged`](super::Merged): the time of the item is
    /// kept. What cannot be read again stays open, such as standard input, and so does what was read beyond its first
    /// packet.
    pub fn rest(&mut self) {
        let can = self.stored.total.is_some() && self.tally.packets <= 1;
        if can && self.begin() && !self.is_resting() {
            self.resting = Some(self.time());
            self.record = None;
            self.ahead = false;
            self.window.release();
            self.stored.file = None;
            self.stored.read.store(0, Ordering::Relaxed);
        }
    }

    /// Whether its file is closed until its turn comes.
    pub(super) fn is_resting(&self) -> bool {
        self.resting.is_some()
    }

    /// Whether it stands at its first packet.
    pub(super) fn is_at_first_packet(&self) -> bool {
        self.tally.packets == 1 && self.record.is_some()
    }

    /// Opens the file again and goes to the item at which it rested; false where that is not there any more.
    ///
    /// # Errors
    /// As [`open`] says. There is nothing more to be read then.
    pub(super) fn wake(&mut self) -> Result<bool, Error> {
        let Some(at) = self.resting.take() else { return Ok(self.record.is_some()) };
        match open(&self.place, self.index) {
            Ok(reader) => *self = Reader { begun: true, ..reader },
            Err(error) => {
                self.tally = Tally::default();
                self.tally.unread(&error);
                return Err(error);
            }
        }
        // Secrets before its first packet were told before it rested.
        while self.advance() && at.is_some() && self.time().is_none() {}
        Ok(self.record.is_some())
    }

    /// Loads the next item; false at the end.
    #[inline(always)]
    pub fn advance(&mut self) -> bool {
        self.record = match &mut self.container {
            Container::Pcap(layout) => layout.advance(&mut self.window, &mut self.tally),
            Container::Pcapng(section) => section.advance(&mut self.window, &mut self.tally),
        };
        if self.record.is_none() {
            self.end();
        }
        self.record.is_some()
    }

    /// Nothing more can be read.
    #[cold]
    fn end(&mut self) {
        let (read, total) = self.progress();
        // A file that became shorter may end between two records.
        if let Some(total) = total
            && read < total
            && self.window.failure().is_none()
        {
            self.tally.shorter(read, total);
        }
        self.window.release();
        self.stored.file = None;
    }

    /// The item that [`Reader::advance`] loaded; `None` before the first and after the last.
    #[inline(always)]
    pub fn current(&self) -> Option<Item<'_>> {
        Some(match self.record.as_ref()? {
            Record::Packet { number, at, link, original_len, fcs_len, data } => Item::Packet(Packet {
                seen: Seen { packet: PacketId::new(self.index, *number), at: *at },
                link: *link,
                original_len: u32::try_from(*original_len).unwrap_or(u32::MAX),
                fcs_len: *fcs_len,
                data: self.window.slice(data.clone()),
            }),
            Record::Secrets(data) => Item::Secrets(self.window.slice(data.clone())),
        })
    }

    /// Loads the next item and gives it.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.advance() { self.current() } else { None }
    }

    /// Time of the packet that is loaded, or at which it rests; `None` for other items.
    #[inline]
    pub(super) fn time(&self) -> Option<Timestamp> {
        match self.record {
            Some(Record::Packet { at, .. }) => Some(at),
            _ => self.resting.flatten(),
        }
    }

    /// What is known of the capture so far; all of it after the last item.
    pub fn info(&self) -> CaptureInfo {
        let (read, total) = self.progress();
        let failure = self.window.failure();
        let (format, dropped) = match &self.container {
            Container::Pcap(_) => (Format::Pcap, 0),
            Container::Pcapng(section) => (Format::Pcapng, section.dropped()),
        };
        let dropped = self.tally.dropped.saturating_add(dropped);
        CaptureInfo {
            path: self.path.clone(),
            format,
            compression: self.compression,
            packets: self.tally.packets,
            // A file that is being written grows while it is read.
            bytes: total.map_or(read, |total| total.max(read)),
            first: self.tally.first,
            last: self.tally.last,
            cut: self.tally.cut,
            dropped,
            complete: self.tally.complete() && failure.is_none(),
            warnings: self.tally.warnings(failure, dropped),
            notes: Vec::new(),
            names: self.tally.names.clone(),
        }
    }

    /// Bytes of the stored file read so far (before decompression), and its length where that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.stored.read.load(Ordering::Relaxed), self.stored.total)
    }

    /// Decompresses, or has the system copy, on a thread of its own from now on. What comes through a pipe uncompressed is
    /// made on another thread anyway.
    pub(super) fn read_ahead(&mut self) {
        if self.compression.is_some() || self.stored.total.is_some() {
            self.ahead = true;
            self.window.read_ahead();
        }
    }

    /// Has up to `count` others copy it from now on, where it is a plain file.
    pub(super) fn share(&mut self, count: usize) -> Vec<Copier> {
        let can = self.compression.is_none() && Opened::ANYWHERE;
        let Some(file) = self.stored.file.take().filter(|_| can) else { return Vec::new() };
        self.window.share(Plain { file, read: Arc::clone(&self.stored.read) }, count)
    }

    /// See [`Window::take`].
    pub(super) fn take(&mut self, piece: Piece) {
        self.window.take(piece);
    }

    /// Whether it came to this offset, and what is left before it would fit before the next piece.
    #[inline]
    pub(super) fn is_through(&self, until: u64) -> bool {
        self.window.reached() >= until && !self.is_next_here() && self.window.bytes().len() <= LEAD
    }

    #[inline]
    fn is_next_here(&self) -> bool {
        match &self.container {
            Container::Pcap(layout) => layout.is_next_here(&self.window),
            Container::Pcapng(section) => section.is_next_here(&self.window),
        }
    }

    /// Whether it is read on a thread of its own, or was until its end.
    pub(super) fn is_read_ahead(&self) -> bool {
        self.ahead
    }

    /// Whether the next item may have to be waited for: it is not all here, and who writes it may take its time.
    #[inline]
    pub(super) fn may_wait(&self) -> bool {
        self.stored.total.is_none() && !self.is_next_here()
    }

    /// The bytes among which those of the loaded item are.
    #[inline]
    pub(super) fn chunk(&self) -> &Chunk {
        self.window.chunk()
    }

    /// The link types of the packets so far, in ascending order.
    pub fn link_types(&self) -> &[LinkType] {
        self.tally.links()
    }
}
