//! The compressed messages of one direction (RFC 7692): kept until somebody must read them, or read as they end.

use super::Violation;
use super::deflate::{CONTEXT, Corrupt, Failure, Inflater, Window};
use super::journal::{Content, Unreadable};
use super::kept::{About, Kept};
use super::reading::{Payloads, Reading};
use super::utf8::{NotUtf8, Utf8};
use crate::limits;
use std::sync::Arc;

/// The compressed messages of one direction, and what was found in them.
#[derive(Debug)]
pub(super) struct Compressed {
    kept: Kept,
    state: State,
    takeover: bool,
    window: Window,
    /// Bytes that were taken from `reading`.
    held: usize,
    reading: Arc<Reading>,
    /// Compressed messages that were sent whole.
    sent: u64,
    inflating: Option<Box<Inflating>>,
}

/// What most connections never need.
#[derive(Debug, Default)]
struct Inflating {
    /// The message that is being inflated, as far as earlier pieces of it went.
    partial: Option<Partial>,
    context: Option<Inflater>,
    /// Messages before the first one that is kept.
    before: u64,
    facts: Inflated,
    /// What came of the message that ended last, where it was tried.
    last: Option<(Content, Option<Box<[u8]>>)>,
}

/// What came of inflating the messages of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Inflated {
    /// Compressed messages that were sent whole.
    pub sent: u64,
    /// Those of them that were inflated.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// The bytes that these inflated to.
    pub inflated: u64,
    /// The longest of them once inflated: its payload bytes, and what they inflated to.
    pub longest: Option<(u64, u64)>,
    /// Why some were not inflated: the first reason.
    pub unread: Option<Unread>,
}

/// Why a compressed message was not inflated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// The end of the session did not ask for it.
    NotAsked,
    /// The capture lacks it, or an earlier one to which it may refer.
    Lost,
    /// It, or an earlier one to which it may refer, cannot be inflated.
    Corrupt,
    /// More was sent than this program keeps without being told to read everything.
    TooMany,
    /// It inflates to more than [`limits::INFLATED`].
    TooLong,
}

/// A compressed message that does not inflate as was agreed, though all before it did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Undecodable {
    /// Its number among the compressed messages of its side, from 1.
    pub number: u64,
    /// What is wrong with it.
    pub corrupt: Corrupt,
    /// What it can be read as instead.
    pub instead: Option<Instead>,
}

/// As what a message can be read that does not inflate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Instead {
    /// It inflates with a larger window than this, which was agreed.
    LargerWindow(Window),
    /// It inflates with the messages before it as context, which it was agreed not to use.
    Takeover,
    /// It has a zlib header (RFC 1950), which does not belong there.
    Zlib,
    /// It has a gzip header (RFC 1952), which does not belong there.
    Gzip,
    /// It is text that was not compressed.
    Text,
}

/// How far messages can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The next one, too.
    Open,
    /// The next one, if there is room for it by then.
    Short,
    /// Those that wait, and none behind them.
    Closed,
    /// None.
    Over,
}

/// A message that is being inflated.
#[derive(Debug)]
struct Partial {
    /// Whether it is read in pieces, so that it is not there whole.
    pieces: bool,
    text: Utf8,
    not_utf8: Option<NotUtf8>,
    bytes: u64,
    /// How much more it may inflate to, and how much it might from the start.
    room: u64,
    granted: u64,
    inflated: u64,
    /// What the messages before inflated to: where this one may refer to none of it, all; where to some of it, that.
    history: Vec<u8>,
    /// What it begins with, where that was asked for.
    excerpt: Option<Vec<u8>>,
    failed: Option<Failure>,
}

impl Compressed {
    pub(super) fn new(takeover: bool, window: Window, reading: Arc<Reading>) -> Compressed {
        Compressed {
            kept: Kept::default(),
            state: State::Open,
            takeover,
            window,
            held: 0,
            reading,
            sent: 0,
            inflating: None,
        }
    }

    /// A message begins, after so many whole ones that were passed over.
    #[inline]
    pub(super) fn begin(&mut self, passed_over: u32) {
        if self.kept.is_begun() {
            self.lose(Unread::Lost);
        }
        if self.state == State::Short {
            self.state = State::Open;
            self.sent = self.sent.saturating_add(passed_over.into());
            self.skip();
        }
        if self.state == State::Open {
            self.kept.begin();
        }
    }

    /// How many messages need not be given to it before the next one; with the highest number, none any more.
    pub(super) fn passes_over(&self) -> u8 {
        match self.state {
            State::Open => 0,
            State::Short => limits::COMPRESSED_PAUSE,
            State::Closed | State::Over => u8::MAX,
        }
    }

    /// Takes a piece of its payload.
    #[inline]
    pub(super) fn push(&mut self, piece: &[u8], key: Option<[u8; 4]>, phase: u64) {
        if !self.kept.is_begun() {
            return;
        }
        let len = self.kept.len().saturating_add(piece.len());
        if (len > self.held || len > limits::COMPRESSED) && !self.make_room(piece.len()) {
            return;
        }
        self.kept.push(piece, key, phase);
    }

    /// The message is whole.
    #[inline]
    pub(super) fn end(&mut self, about: About, tell: &mut impl FnMut(Violation, About)) {
        self.sent = self.sent.saturating_add(1);
        if self.kept.is_begun() {
            self.kept.end(about);
            if self.reading.reads_all() {
                self.read(tell);
            }
        }
    }

    /// What came of the message that ended last, and how it begins where that was asked for.
    pub(super) fn last(&mut self) -> (Content, Option<Box<[u8]>>) {
        let Inflating { last, facts, .. } = self.inflating();
        last.take().unwrap_or_else(|| {
            let why = match facts.unread {
                Some(Unread::TooMany) => Unreadable::TooMany,
                _ => Unreadable::ContextMissing,
            };
            (Content::Unread(why), None)
        })
    }

    /// The message in progress cannot be kept, nor, with context takeover, any behind it, for they may refer to it.
    #[cold]
    pub(super) fn lose(&mut self, why: Unread) {
        self.kept.abandon();
        if let Some(inflating) = &mut self.inflating {
            inflating.partial = None;
        }
        if self.takeover || why != Unread::Lost {
            self.inflating().facts.unread.get_or_insert(why);
        }
        match why {
            _ if !self.takeover => {}
            Unread::Lost if self.kept.has_whole() => self.state = State::Closed,
            _ => self.stop(),
        }
    }

    /// Reads what waits.
    pub(super) fn read(&mut self, tell: &mut impl FnMut(Violation, About)) {
        let mut kept = std::mem::take(&mut self.kept);
        for (about, payload) in kept.messages() {
            self.inflate(payload);
            match about {
                Some(about) => self.finish(payload, about, tell),
                None => self.inflating().partial.iter_mut().for_each(|partial| partial.pieces = true),
            }
        }
        self.skip();
        if self.state != State::Over {
            kept.forget_all();
            self.kept = kept;
        }
    }

    /// Whether a message may refer to those before it.
    pub(super) fn takes_over(&self) -> bool {
        self.takeover
    }

    /// All that was found out; so many more messages were sent, of which this knows nothing.
    pub(super) fn facts(&self, more: u64) -> Inflated {
        let found = self.inflating.as_ref().map(|inflating| inflating.facts).unwrap_or_default();
        let mut facts = Inflated { sent: self.sent.saturating_add(more), ..found };
        if facts.messages < facts.sent {
            facts.unread.get_or_insert(Unread::NotAsked);
        }
        facts
    }

    /// Makes room for a piece; false where it cannot be kept.
    #[cold]
    fn make_room(&mut self, piece: usize) -> bool {
        if self.kept.len().saturating_add(piece) > limits::COMPRESSED {
            if self.reading.reads_all() {
                // Faults are told of whole messages, and those were read as they ended.
                self.read(&mut |_, _| {});
            } else if self.takeover || !self.kept.has_whole() {
                self.skip();
                self.kept.forget_whole();
                self.lose(Unread::TooMany);
            } else {
                self.forget_earlier();
            }
        }
        if self.kept.is_begun() && !self.hold(self.kept.len().saturating_add(piece)) {
            if !self.takeover && self.kept.has_whole() {
                self.forget_earlier();
            }
            if !self.hold(self.kept.len().saturating_add(piece)) {
                self.state = State::Short;
                self.lose(Unread::TooMany);
            }
        }
        self.kept.is_begun()
    }

    /// Makes room by forgetting whole messages, each of which stands for itself: the last ones are those that matter.
    fn forget_earlier(&mut self) {
        self.inflating().facts.unread.get_or_insert(Unread::TooMany);
        self.skip();
        self.kept.forget_whole();
    }

    /// Inflates a piece of the message in progress.
    fn inflate(&mut self, piece: &[u8]) {
        self.start();
        if let Inflating { partial: Some(partial), context: Some(context), .. } = self.inflating() {
            partial.take(piece, context, false);
        }
    }

    /// Begins to inflate a message, where none is begun.
    fn start(&mut self) {
        if self.state == State::Over || self.inflating().partial.is_some() {
            return;
        }
        if self.inflating().context.is_none() {
            if !self.hold(self.held.saturating_add(CONTEXT)) {
                self.inflating().facts.unread.get_or_insert(Unread::TooMany);
                return self.stop();
            }
            self.inflating().context = Some(Inflater::new());
        }
        let (takeover, window, room) = (self.takeover, self.window, self.reading.room());
        let quoted = self.reading.listed() == Some(Payloads::Quoted);
        let Inflating { partial, context: Some(context), .. } = self.inflating() else { return };
        let mut history = Vec::new();
        if !takeover {
            history.extend_from_slice(context.history(Window::LARGEST));
            context.reset();
        } else if window != Window::LARGEST {
            history.extend_from_slice(context.history(window));
        }
        *partial = Some(Partial {
            pieces: false,
            text: Utf8::default(),
            not_utf8: None,
            bytes: 0,
            room,
            granted: room,
            inflated: 0,
            history,
            excerpt: quoted.then(Vec::new),
            failed: None,
        });
    }

    /// Ends it. `payload` is all of it, where it was not read in pieces.
    fn finish(&mut self, payload: &[u8], about: About, tell: &mut impl FnMut(Violation, About)) {
        let Some(inflating) = &mut self.inflating else { return };
        let Inflating { partial, context, before: number, facts, last } = &mut **inflating;
        *number = number.saturating_add(1);
        let Some(context) = context else { return };
        let Some(mut partial) = partial.take() else { return };
        partial.take(&[], context, true);
        self.reading.spend(partial.inflated);
        let is_longest = facts.longest.is_none_or(|(_, longest)| partial.inflated > longest);
        if is_longest && !matches!(partial.failed, Some(Failure::Corrupt(_))) {
            facts.longest = Some((partial.bytes, partial.inflated));
        }
        let why = match partial.failed {
            None => {
                facts.messages = facts.messages.saturating_add(1);
                facts.bytes = facts.bytes.saturating_add(partial.bytes);
                facts.inflated = facts.inflated.saturating_add(partial.inflated);
                *last =
                    Some((Content::Inflated(partial.inflated), partial.excerpt.map(Vec::into_boxed_slice)));
                let text = partial.not_utf8.or_else(|| partial.text.end().err());
                if let Some(fault) = text.filter(|_| about.text) {
                    tell(Violation::TextNotUtf8(fault), about);
                }
                let is_measured = self.takeover && self.window != Window::LARGEST && !partial.pieces;
                let within = || Inflater::after(&partial.history);
                if is_measured && !inflates(within(), payload, partial.granted, &mut |_| ()) {
                    let (number, instead) = (*number, Some(Instead::LargerWindow(self.window)));
                    let corrupt = Corrupt::Distance;
                    tell(Violation::Undecodable(Undecodable { number, corrupt, instead }), about);
                }
                return;
            }
            Some(Failure::TooLong) if partial.granted < limits::INFLATED => Unread::TooMany,
            Some(Failure::TooLong) => Unread::TooLong,
            Some(Failure::Corrupt(corrupt)) => {
                // The first one is tried in every way; where there are more, they have the same cause.
                let first = facts.unread.is_none() && !partial.pieces;
                let instead = if first {
                    instead(payload, about.text, &partial.history, partial.granted)
                } else {
                    None
                };
                tell(Violation::Undecodable(Undecodable { number: *number, corrupt, instead }), about);
                Unread::Corrupt
            }
        };
        facts.unread.get_or_insert(why);
        let unreadable = match why {
            Unread::TooMany => Unreadable::TooMany,
            Unread::TooLong => Unreadable::TooLong,
            _ => Unreadable::Corrupt,
        };
        *last = Some((Content::Unread(unreadable), None));
        if self.takeover {
            self.stop();
        }
    }

    fn inflating(&mut self) -> &mut Inflating {
        self.inflating.get_or_insert_default()
    }

    /// No message so far is kept any more.
    fn skip(&mut self) {
        if self.sent > 0 {
            self.inflating().before = self.sent;
        }
    }

    /// Reads no more, and frees everything.
    fn stop(&mut self) {
        self.state = State::Over;
        self.kept = Kept::default();
        if let Some(inflating) = &mut self.inflating {
            (inflating.partial, inflating.context) = (None, None);
        }
        self.reading.give_back(std::mem::take(&mut self.held));
    }

    /// Has room for so many bytes; false where there is none.
    fn hold(&mut self, bytes: usize) -> bool {
        // In steps, for the room is shared by all.
        let lacks = bytes.saturating_sub(self.held).next_multiple_of(STEP);
        let has_room = self.reading.take(lacks);
        if has_room {
            self.held = self.held.saturating_add(lacks);
        }
        has_room
    }
}

impl Drop for Compressed {
    fn drop(&mut self) {
        self.reading.give_back(self.held);
    }
}

impl Partial {
    /// Inflates a piece, and what ends a message behind it where this is the last one.
    fn take(&mut self, piece: &[u8], context: &mut Inflater, last: bool) {
        if self.failed.is_some() {
            return;
        }
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let (text, not_utf8, inflated) = (&mut self.text, &mut self.not_utf8, &mut self.inflated);
        let excerpt = &mut self.excerpt;
        let mut out = |bytes: &[u8]| {
            if let Some(excerpt) = excerpt {
                let room = limits::EXCERPT.saturating_sub(excerpt.len()).min(bytes.len());
                excerpt.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
            *inflated = inflated.saturating_add(bytes.len() as u64);
            if not_utf8.is_none() {
                *not_utf8 = text.push(bytes).err();
            }
        };
        let mut done = context.push(piece, &mut self.room, &mut out);
        if last {
            done = done.and_then(|()| context.finish(&mut self.room, &mut out));
        }
        self.failed = done.err();
    }
}

/// Whether a payload inflates in this context, to no more than `room` bytes.
fn inflates(mut context: Inflater, payload: &[u8], mut room: u64, out: &mut impl FnMut(&[u8])) -> bool {
    let done = context.push(payload, &mut room, out);
    done.and_then(|()| context.finish(&mut room, out)).is_ok()
}

/// As what a payload can be read that does not inflate as it should.
fn instead(payload: &[u8], text: bool, history: &[u8], room: u64) -> Option<Instead> {
    let whole = |context: Inflater, payload: &[u8]| {
        let (mut all, mut valid) = (Utf8::default(), true);
        let mut out = |bytes: &[u8]| valid = valid && all.push(bytes).is_ok();
        inflates(context, payload, room, &mut out) && (!text || (valid && all.end().is_ok()))
    };
    if payload.len() >= LEAST_TEXT && std::str::from_utf8(payload).is_ok_and(is_plain) {
        return Some(Instead::Text);
    }
    if !history.is_empty() && whole(Inflater::after(history), payload) {
        return Some(Instead::Takeover);
    }
    match payload {
        [0x1F, 0x8B, 8, ..] => Some(Instead::Gzip),
        [method, flags, rest @ ..]
            if method & 0x8F == 8
                && u16::from_be_bytes([*method, *flags]) % 31 == 0
                && whole(Inflater::new(), rest) =>
        {
            Some(Instead::Zlib)
        }
        _ => None,
    }
}

/// Whether a text has no control characters but those of layout.
fn is_plain(text: &str) -> bool {
    text.chars().all(|char| !char.is_control() || matches!(char, '\t' | '\r' | '\n'))
}

/// Room is taken in multiples of this.
const STEP: usize = 4 << 10;

/// Shorter payloads may be plain text by chance.
const LEAST_TEXT: usize = 4;
