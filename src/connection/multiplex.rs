//! One HTTP/2 connection: the bytes of both sides become frames, and the frames go to their streams.
//!
//! A capture may hold an answer before its request. The server's bytes wait then, from the answer on.

use super::chunk::Waiting;
use super::streams::{Answer, Finished, Opening, Streams};
use crate::capture::Seen;
use crate::http::h2::{Frame, FrameReader, Hpack};
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::Reading;
use std::sync::Arc;

/// One HTTP/2 connection and its streams.
pub(super) struct Multiplex {
    readers: Sides<FrameReader>,
    hpack: Sides<Hpack>,
    streams: Streams,
    /// An answer whose request was not captured yet.
    early: Option<(u32, Answer)>,
    /// What the server sent after it.
    after_early: Waiting,
    /// Times that waiting bytes were read again, each of which may copy what is left of them.
    rounds: u32,
}

impl Multiplex {
    /// Before its first byte that was captured; inside the CONNECT tunnel to `tunnel`, or directly.
    pub(super) fn new(begun: Opening, tunnel: Option<String>, reading: Arc<Reading>) -> Multiplex {
        let mut hpack = Sides { client: Hpack::new(), server: Hpack::new() };
        let mut readers = Sides { client: FrameReader::client(), server: FrameReader::server() };
        if begun == Opening::Midway {
            for role in Role::BOTH {
                hpack[role].forget();
                readers[role] = FrameReader::midway();
            }
        }
        let streams = Streams::new(begun, tunnel, reading);
        Multiplex { readers, hpack, streams, early: None, after_early: Waiting::default(), rounds: 0 }
    }

    /// Takes the next bytes of one side.
    pub(super) fn data(&mut self, from: Role, bytes: &[u8], seen: Seen) {
        if from == Role::Server && self.early.is_some() {
            if self.after_early.push(0, seen, bytes) {
                return;
            }
            // Too much for an answer that was only captured early.
            self.release();
        }
        self.read(from, bytes, seen);
        if from == Role::Client
            && self.early.as_ref().is_some_and(|(stream, _)| self.streams.has_seen(*stream))
        {
            self.release();
        }
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(&mut self, from: Role, len: u64, seen: Seen) {
        if self.early.is_some() {
            self.release();
        }
        if let Some((stream, missing)) = self.readers[from].gap(len) {
            self.streams.gap(from, stream, missing, seen);
        }
        self.streams.unsettled(from);
        self.read(from, &[], seen);
    }

    /// Bytes that are kept until it is known what they are.
    pub(super) fn buffered(&self) -> usize {
        let blocks = Role::BOTH.iter().map(|&role| self.readers[role].buffered());
        blocks.sum::<usize>() + self.after_early.cost()
    }

    /// Reads no further, to free these bytes.
    pub(super) fn give_up(&mut self, seen: Seen) {
        (self.early, self.after_early) = (None, Waiting::default());
        for role in Role::BOTH {
            self.readers[role].lose();
            self.streams.lose(role, seen);
        }
    }

    /// The input is over: every stream that is still open is finished as it stands.
    /// `answers_unseen`: the capture has no packet of the server.
    pub(super) fn finish(&mut self, answers_unseen: bool) -> Vec<Finished> {
        self.release();
        self.streams.finish(answers_unseen);
        self.streams.take_finished()
    }

    /// Connections that are final since this was last asked.
    #[inline]
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        self.streams.take_finished()
    }

    /// Whether connections wait to be taken.
    #[inline]
    pub(super) fn has_finished(&self) -> bool {
        self.streams.has_finished()
    }

    /// Whether nothing can come any more: neither side can be read, and no stream is open.
    pub(super) fn is_over(&self) -> bool {
        Role::BOTH.iter().all(|&role| self.readers[role].is_lost()) && self.streams.is_idle()
    }

    /// Whether part of it was not followed because of a bound.
    pub(super) fn is_bounded(&self) -> bool {
        self.streams.is_bounded()
    }

    fn read(&mut self, from: Role, bytes: &[u8], seen: Seen) {
        let mut rest = bytes;
        self.streams.heard(from);
        while let Some(frame) = self.readers[from].next(&mut rest, seen) {
            let hpack = &mut self.hpack[from];
            match frame {
                Frame::Data { stream, bytes } => self.streams.data(from, stream, bytes, seen),
                Frame::Block { stream, promise: false, block, first } if from == Role::Client => {
                    self.streams.request(stream, block, hpack, first, seen);
                }
                Frame::Block { stream, promise: false, block, first } => {
                    let may_wait = self.early.is_none() && self.rounds < limits::WAITING_ROUNDS;
                    let answer = self.streams.answer(stream, block, hpack, first, seen, may_wait);
                    if let Some(answer) = answer {
                        self.early = Some((stream, answer));
                        // One segment is always shorter than what may wait.
                        self.after_early.push(0, seen, rest);
                        return;
                    }
                }
                Frame::Block { block, .. } => Streams::pass(block, hpack),
                Frame::EndStream { stream } => self.streams.end(from, stream, seen),
                Frame::Reset { stream, error } => self.streams.reset(from, stream, error, seen),
                Frame::Settings(settings) if from == Role::Server => self.streams.settings(settings, seen),
                Frame::Settings(_) => {}
                Frame::GoAway { last, error } => self.streams.go_away(from, last, error, seen),
            }
        }
        if self.readers[from].is_lost() {
            self.streams.lose(from, seen);
        }
    }

    /// Gives the early answer to its request, if that has come, and reads what waited behind it.
    fn release(&mut self) {
        let Some((stream, answer)) = self.early.take() else { return };
        self.rounds += 1;
        self.streams.answered(stream, answer);
        let mut chunks = self.after_early.take().into_iter();
        while let Some(chunk) = chunks.next() {
            self.read(Role::Server, &chunk.bytes, chunk.seen);
            if self.early.is_some() {
                for chunk in chunks {
                    self.after_early.push(0, chunk.seen, &chunk.bytes);
                }
                return;
            }
        }
    }
}
