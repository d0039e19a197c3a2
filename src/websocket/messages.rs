//! The messages of one direction: whether text is UTF-8, and whether what is compressed can be inflated.

use super::compressed::{Compressed, Inflated, Unread};
use super::deflate::Window;
use super::journal::{Content, Entry, Journal, Unreadable};
use super::kept::About;
use super::reading::Reading;
use super::utf8::{NotUtf8, Utf8};
use super::{Extension, Extensions, FrameHeader, Opcode, Violation};
use crate::capture::Seen;
use std::sync::Arc;

/// Reads the payloads of one direction. It knows of messages by frames alone, and of compression by what was agreed.
#[derive(Default, Debug)]
pub struct Messages {
    current: Current,
    text: Utf8,
    transform: Transform,
    /// Compressed messages that are only counted, before one goes to `compressed` again; all, where this is the most.
    passes_over: u8,
    /// Those that were counted, as far as they were sent whole.
    counted: u32,
    compressed: Option<Box<Compressed>>,
    /// The list of them, where one was asked for.
    journal: Option<Box<Journal>>,
}

/// What the extensions make of the messages of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Transform {
    /// Nothing is known of it, so that no payload can be judged.
    #[default]
    Unknown,
    /// They are sent as they are.
    Plain,
    /// permessage-deflate (RFC 7692).
    Deflate {
        /// Whether a message may refer to those before it.
        takeover: bool,
        /// How far back it may refer.
        window: Window,
    },
}

/// What the message in progress is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Current {
    /// None, or one that is not looked at.
    #[default]
    Skipped,
    Text,
    Compressed {
        text: bool,
    },
    /// Compressed, and only counted.
    Counted,
}

/// Something wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What it is.
    pub kind: Violation,
    /// Stream offset of the frame in which it was found.
    pub offset: u64,
    /// The packet that showed it.
    pub seen: Seen,
}

impl Transform {
    /// What an answer makes of the messages of one side, whose context takeover `no_takeover` forbids and whose window
    /// `max_window_bits` bounds.
    pub fn agreed(answer: &Extensions, no_takeover: &str, max_window_bits: &str) -> Transform {
        let known = ["permessage-deflate", "bbf-usp-protocol"];
        let is_known = |element: &Extension| known.iter().any(|name| element.is(name));
        if answer.malformed.is_some() || !answer.list.iter().all(is_known) {
            return Transform::Unknown;
        }
        match answer.get("permessage-deflate") {
            None => Transform::Plain,
            Some(deflate) => {
                let param = |name| deflate.params.iter().find(|param| param.name.eq_ignore_ascii_case(name));
                let bits = param(max_window_bits).and_then(|param| param.value.as_deref());
                Transform::Deflate {
                    takeover: param(no_takeover).is_none(),
                    window: bits.and_then(Window::parse).unwrap_or(Window::LARGEST),
                }
            }
        }
    }
}

impl Messages {
    /// From the first message on.
    pub fn new(transform: Transform, reading: &Arc<Reading>) -> Messages {
        let compressed = match transform {
            Transform::Deflate { takeover, window } => {
                Some(Box::new(Compressed::new(takeover, window, Arc::clone(reading))))
            }
            Transform::Unknown | Transform::Plain => None,
        };
        let journal = Journal::new(reading);
        let (current, text) = (Current::Skipped, Utf8::default());
        Messages { current, text, transform, passes_over: 0, counted: 0, compressed, journal }
    }

    /// A data frame begins: the packet `seen` completes its header.
    #[inline]
    pub fn begin(&mut self, header: &FrameHeader, seen: Seen) {
        if let Some(journal) = &mut self.journal {
            journal.begin(header, seen);
        }
        let text = match header.opcode {
            Opcode::Text => true,
            Opcode::Binary => false,
            _ => return,
        };
        self.current = match self.transform {
            Transform::Deflate { .. } if header.rsv1() && self.passes_over == 0 => {
                Current::Compressed { text }
            }
            Transform::Deflate { .. } if header.rsv1() => {
                if self.passes_over < u8::MAX {
                    self.passes_over = self.passes_over.saturating_sub(1);
                }
                Current::Counted
            }
            Transform::Deflate { .. } | Transform::Plain if text && !header.rsv1() => Current::Text,
            _ => Current::Skipped,
        };
        match self.current {
            Current::Text => self.text = Utf8::default(),
            Current::Compressed { .. } => {
                if let Some(messages) = &mut self.compressed {
                    messages.begin(std::mem::take(&mut self.counted));
                }
            }
            Current::Skipped | Current::Counted => {}
        }
    }

    /// Bytes of its payload, the first of them at offset `phase` in it.
    #[inline]
    pub fn payload(&mut self, header: &FrameHeader, phase: u64, bytes: &[u8]) -> Option<Violation> {
        if let Some(journal) = &mut self.journal {
            journal.payload(header, phase, bytes);
        }
        match self.current {
            Current::Skipped | Current::Counted => None,
            _ if matches!(header.opcode, Opcode::Reserved(_)) => None,
            Current::Text => {
                let valid = match header.mask {
                    None => self.text.push(bytes),
                    Some(key) => self.text.push_masked(bytes, key, phase),
                };
                valid.err().map(|fault| self.not_utf8(fault))
            }
            Current::Compressed { .. } => {
                if let Some(messages) = &mut self.compressed {
                    messages.push(bytes, header.mask, phase);
                }
                None
            }
        }
    }

    /// A data frame ends, at stream offset `offset`, of which `present` bytes were there.
    #[inline]
    pub fn end(
        &mut self,
        header: &FrameHeader,
        present: u64,
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        self.judge(header, present == header.len, offset, seen, tell);
        if let Some(journal) = &mut self.journal {
            let (transform, compressed) = (self.transform, &mut self.compressed);
            journal.end(header, present, || content(transform, compressed.as_deref_mut()));
        }
    }

    /// A data frame that came whole: the same as its beginning, its payload and its end.
    #[inline]
    pub fn frame(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        let is_text = matches!(header.opcode, Opcode::Text) && !header.rsv1();
        if header.fin && is_text && self.journal.is_none() && self.transform != Transform::Unknown {
            // A text in one frame, as most are: nothing of it need be kept.
            self.current = Current::Skipped;
            let mut text = Utf8::default();
            let read = match header.mask {
                None => text.push(payload),
                Some(key) => text.push_masked(payload, key, 0),
            };
            if let Err(fault) = read.and_then(|()| text.end()) {
                tell(Fault { kind: self.not_utf8(fault), offset, seen });
            }
            return;
        }
        self.begin(header, seen);
        if !payload.is_empty()
            && let Some(kind) = self.payload(header, 0, payload)
        {
            tell(Fault { kind, offset, seen });
        }
        self.end(header, header.len, offset, seen, tell);
    }

    #[inline]
    fn judge(
        &mut self,
        header: &FrameHeader,
        whole: bool,
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        if self.current == Current::Skipped || matches!(header.opcode, Opcode::Reserved(_)) {
            return;
        }
        if !whole {
            return self.lose();
        }
        if !header.fin {
            return;
        }
        match std::mem::replace(&mut self.current, Current::Skipped) {
            Current::Text => {
                if let Err(fault) = self.text.end() {
                    tell(Fault { kind: self.not_utf8(fault), offset, seen });
                }
            }
            Current::Compressed { text } => {
                if let Some(messages) = &mut self.compressed {
                    messages.end(About { text, offset, seen }, &mut |kind, about| {
                        tell(Fault { kind, offset: about.offset, seen: about.seen });
                    });
                    self.passes_over = messages.passes_over();
                }
            }
            Current::Counted => self.counted = self.counted.saturating_add(1),
            Current::Skipped => {}
        }
    }

    /// A part of the message in progress is missing.
    #[cold]
    pub fn lose(&mut self) {
        self.current = Current::Skipped;
        if let Some(messages) = &mut self.compressed {
            messages.lose(Unread::Lost);
            self.passes_over = messages.passes_over();
        }
    }

    /// Where frames begin is not sure any more: what follows is not judged.
    #[cold]
    pub fn give_up(&mut self) {
        self.lose();
        self.transform = Transform::Unknown;
        if let Some(journal) = &mut self.journal {
            journal.lose();
        }
    }

    /// Reads the compressed messages that were kept.
    pub fn read(&mut self, tell: &mut impl FnMut(Fault)) {
        if let Some(messages) = &mut self.compressed {
            messages.read(&mut |kind, about| tell(Fault { kind, offset: about.offset, seen: about.seen }));
        }
    }

    /// What came of the compressed messages; `None` where none was agreed.
    pub fn inflated(&self) -> Option<Inflated> {
        self.compressed.as_ref().map(|messages| messages.facts(u64::from(self.counted)))
    }

    /// The messages one by one, and how many earlier ones are not among them; `None` where nobody asked for a list.
    pub fn listed(&mut self) -> Option<(impl Iterator<Item = Entry>, u64)> {
        let (entries, left_out) = self.journal.as_mut()?.finish();
        Some((entries.into_iter(), left_out))
    }

    #[cold]
    fn not_utf8(&mut self, fault: NotUtf8) -> Violation {
        self.current = Current::Skipped;
        Violation::TextNotUtf8(fault)
    }
}

/// What is known of a message with RSV1 set that ended just now.
fn content(transform: Transform, compressed: Option<&mut Compressed>) -> (Content, Option<Box<[u8]>>) {
    let why = match (transform, compressed) {
        (Transform::Deflate { .. }, Some(compressed)) => return compressed.last(),
        (Transform::Unknown, Some(compressed)) if compressed.takes_over() => Unreadable::ContextMissing,
        (Transform::Unknown, Some(_)) => Unreadable::FramingLost,
        (Transform::Unknown | Transform::Plain | Transform::Deflate { .. }, _) => {
            Unreadable::UnknownExtension
        }
    };
    (Content::Unread(why), None)
}

#[cfg(test)]
mod tests;
