//! One capture, item by item.

use super::chunk::Chunk;
use super::info::{CaptureInfo, Compression, Format};
use super::open::unpack;
use super::packet::{LinkType, Packet, PacketId, Seen};
use super::sniff::{self, Container};
use super::tally::Tally;
use super::window::Window;
use crate::error::Error;
use crate::time::Timestamp;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    path: String,
    index: u16,
    stored: Stored,
    compression: Option<Compression>,
    container: Container,
    window: Window,
    record: Option<Record>,
    tally: Tally,
}

/// How far the stored file was read.
pub(super) struct Stored {
    pub(super) read: Arc<AtomicU64>,
    pub(super) total: Option<u64>,
}

/// The loaded item; its bytes are ranges of the window.
pub(super) enum Record {
    Packet { number: u64, at: Timestamp, link: LinkType, original_len: u32, fcs_len: u8, data: Range<usize> },
    Secrets(Range<usize>),
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
        total: Option<u64>,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: name.to_owned(), source };
        let (stored, compression, source) = unpack(source, total).map_err(failed)?;
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
        Ok(Reader { path, index, stored, compression, container, window, record: None, tally })
    }

    /// The name it was opened by.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Makes it the run's capture `index`.
    pub(super) fn renumber(&mut self, index: u16) {
        self.index = index;
    }

    /// Loads the next item; false at the end.
    #[inline(always)]
    pub fn advance(&mut self) -> bool {
        self.record = match &mut self.container {
            Container::Pcap(layout) => layout.advance(&mut self.window, &mut self.tally),
            Container::Pcapng(section) => section.advance(&mut self.window, &mut self.tally),
        };
        if self.record.is_none() {
            self.window.release();
        }
        self.record.is_some()
    }

    /// The item that [`Reader::advance`] loaded; `None` before the first and after the last.
    #[inline(always)]
    pub fn current(&self) -> Option<Item<'_>> {
        Some(match self.record.as_ref()? {
            Record::Packet { number, at, link, original_len, fcs_len, data } => Item::Packet(Packet {
                seen: Seen { packet: PacketId::new(self.index, *number), at: *at },
                link: *link,
                original_len: *original_len,
                fcs_len: *fcs_len,
                data: self.window.slice(data.clone()),
            }),
            Record::Secrets(data) => Item::Secrets(self.window.slice(data.clone())),
        })
    }

    /// Loads the next item and gives it.
    #[inline(always)]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.advance() { self.current() } else { None }
    }

    /// Time of the loaded packet; `None` for other items.
    #[inline]
    pub(super) fn time(&self) -> Option<Timestamp> {
        match self.record {
            Some(Record::Packet { at, .. }) => Some(at),
            _ => None,
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
            bytes: total.unwrap_or(read),
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
            self.window.read_ahead();
        }
    }

    /// Whether the next item may have to be waited for: it is not all here, and who writes it may take its time.
    #[inline]
    pub(super) fn may_wait(&self) -> bool {
        self.stored.total.is_none()
            && match &self.container {
                Container::Pcap(layout) => !layout.is_next_here(&self.window),
                Container::Pcapng(section) => !section.is_next_here(&self.window),
            }
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
