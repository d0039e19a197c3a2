//! The payload of a control frame, whole or in pieces, and the bytes quoted of a frame.

use super::close::{CloseClass, ClosePayload, close_class};
use super::mask::unmask;
use super::{FrameHeader, LONGEST_CONTROL};

/// A control frame whose payload comes in pieces.
#[derive(Clone, Debug)]
pub(super) struct Control {
    payload: [u8; LONGEST_CONTROL],
    len: u8,
    pub(super) quote: Quote,
}

/// The first bytes of something, as sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    bytes: [u8; QUOTE],
    len: u8,
}

impl Control {
    pub(super) fn new(quote: Quote) -> Control {
        Control { payload: [0; LONGEST_CONTROL], len: 0, quote }
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.payload.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Takes the next bytes of the payload, of which `left` were to come.
    pub(super) fn take(&mut self, header: &FrameHeader, left: u64, bytes: &[u8]) {
        let have = usize::from(self.len);
        let room = self.payload.get_mut(have..).unwrap_or_default();
        let len = room.len().min(bytes.len());
        let (Some(room), Some(new)) = (room.get_mut(..len), bytes.get(..len)) else { return };
        room.copy_from_slice(new);
        if let Some(key) = header.mask {
            unmask(room, key, header.len.saturating_sub(left));
        }
        self.len = u8::try_from(have.saturating_add(len)).unwrap_or(self.len);
        self.quote.go_on(bytes);
    }
}

impl Quote {
    pub(super) fn of(earlier: &[u8], rest: &[u8]) -> Quote {
        let mut quote = Quote { bytes: [0; QUOTE], len: 0 };
        quote.go_on(earlier);
        quote.go_on(rest);
        quote
    }

    pub(super) fn go_on(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(usize::from(self.len)..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The first bytes of a control frame's payload, unmasked; `room` is for those that must be.
pub(super) fn unmasked<'a>(
    header: &FrameHeader,
    body: &'a [u8],
    room: &'a mut [u8; LONGEST_CONTROL],
) -> &'a [u8] {
    let len = usize::try_from(header.len).unwrap_or(usize::MAX).min(LONGEST_CONTROL).min(body.len());
    let body = body.get(..len).unwrap_or_default();
    let Some(key) = header.mask else { return body };
    let room = room.get_mut(..len).unwrap_or_default();
    room.copy_from_slice(body);
    unmask(room, key, 0);
    room
}

/// Whether it is a Close, wholly here, whose body no conforming sender would write.
pub(super) fn is_odd_close(header: &FrameHeader, body: &[u8]) -> bool {
    let Some(body) = usize::try_from(header.len).ok().and_then(|len| body.get(..len)) else { return false };
    let mut room = [0; LONGEST_CONTROL];
    let close = ClosePayload::parse(unmasked(header, body, &mut room));
    close.flaw.is_some() || close.code.is_some_and(|code| close_class(code) != CloseClass::Sendable)
}

/// Bytes quoted with a violation.
const QUOTE: usize = 16;
