//! What a header alone can do wrong.

use super::{FrameHeader, LONGEST_CONTROL, LengthForm, Masking, Opcode, Violation};

/// Where a direction stands between messages (RFC 6455 §5.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Message {
    /// No message is begun.
    Idle,
    /// A message was begun and not finished.
    Open,
    /// Not known: bytes were missed, or the rules were broken.
    Unknown,
}

impl Message {
    /// After a frame with that header.
    pub(super) fn after(self, header: &FrameHeader) -> Message {
        match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong | Opcode::Reserved(_) => self,
            // A message inside another: whether the outer one goes on, nobody can say.
            Opcode::Text | Opcode::Binary if self == Message::Open && header.fin => Message::Unknown,
            _ if header.fin => Message::Idle,
            _ => Message::Open,
        }
    }
}

/// The rules that a header breaks, as a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Faults(u16);

impl Faults {
    const MASK: u16 = 1;
    const RSV1: u16 = 1 << 1;
    const RSV23: u16 = 1 << 2;
    const OPCODE: u16 = 1 << 3;
    const FRAGMENTED: u16 = 1 << 4;
    const TOO_LONG: u16 = 1 << 5;
    const NOT_MINIMAL: u16 = 1 << 6;
    const TOP_BIT: u16 = 1 << 7;
    const ALONE: u16 = 1 << 8;
    const INSIDE: u16 = 1 << 9;

    /// The rules that `header` breaks, in a direction so masked and so far in its messages.
    #[inline(always)]
    pub(super) fn of(header: &FrameHeader, masking: Masking, message: Message) -> Faults {
        let first = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let short = header.length_form == LengthForm::Short;
        if first && short && !is_wrong(masking, header) && !header.rsv23() && message != Message::Open {
            // Most frames are short messages, and can break none of the other rules.
            return Faults(0);
        }
        Faults::all(header, masking, message)
    }

    #[inline(never)]
    fn all(header: &FrameHeader, masking: Masking, message: Message) -> Faults {
        let first = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let wrong_mask = is_wrong(masking, header);
        let control = header.opcode.is_control();
        let continuation = header.opcode == Opcode::Continuation;
        let flag = |bit, broken| if broken { bit } else { 0 };
        Faults(
            flag(Self::MASK, wrong_mask)
                | flag(Self::RSV1, header.rsv1() && (control || continuation))
                | flag(Self::RSV23, header.rsv23())
                | flag(Self::OPCODE, matches!(header.opcode, Opcode::Reserved(_)))
                | flag(Self::FRAGMENTED, control && !header.fin)
                | flag(Self::TOO_LONG, control && header.len > LONGEST_CONTROL as u64)
                | flag(Self::NOT_MINIMAL, !header.is_minimal())
                | flag(Self::TOP_BIT, header.len >> 63 != 0)
                | flag(Self::ALONE, continuation && message == Message::Idle)
                | flag(Self::INSIDE, first && message == Message::Open),
        )
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether these are the marks of bytes that are no header at all: several independent rules broken at once.
    pub(super) fn is_noise(self) -> bool {
        let kinds = [
            Self::MASK,
            Self::RSV1 | Self::RSV23,
            Self::OPCODE,
            Self::FRAGMENTED,
            Self::TOO_LONG | Self::NOT_MINIMAL,
            Self::ALONE | Self::INSIDE,
        ];
        let broken = kinds.into_iter().filter(|kind| self.has(*kind)).count();
        let (mask, rsv, opcode) =
            (self.has(Self::MASK), self.has(Self::RSV1 | Self::RSV23), self.has(Self::OPCODE));
        broken > 2 || (mask && rsv) || (rsv && opcode) || (opcode && mask) || self.has(Self::TOP_BIT)
    }

    /// Whether a program that frames well may break these rules all the time: it forgets to mask, writes every length in
    /// eight bytes, marks every fragment as compressed, or two of its threads write at once.
    pub(super) fn is_habit(self) -> bool {
        [Self::MASK, Self::NOT_MINIMAL, Self::RSV1, Self::ALONE, Self::INSIDE].contains(&self.0)
    }

    /// Whether the top bit of the length is the only fault.
    pub(super) const fn is_top_bit_alone(self) -> bool {
        self.0 == Self::TOP_BIT
    }

    /// The same as violations, for a header with that opcode.
    pub(super) fn violations(self, header: &FrameHeader) -> impl Iterator<Item = Violation> {
        let mask = if header.mask.is_some() { Violation::Masked } else { Violation::Unmasked };
        let opcode = match header.opcode {
            Opcode::Reserved(bits) => bits,
            _ => 0,
        };
        [
            (Self::MASK, mask),
            (Self::RSV1, Violation::Rsv1Misplaced),
            (Self::RSV23, Violation::Rsv23),
            (Self::OPCODE, Violation::ReservedOpcode(opcode)),
            (Self::FRAGMENTED, Violation::ControlFragmented),
            (Self::TOO_LONG, Violation::ControlTooLong),
            (Self::NOT_MINIMAL, Violation::LengthNotMinimal),
            (Self::TOP_BIT, Violation::LengthTopBit),
            (Self::ALONE, Violation::ContinuationAlone),
            (Self::INSIDE, Violation::MessageInsideMessage),
        ]
        .into_iter()
        .filter(move |(bit, _)| self.has(*bit))
        .map(|(_, violation)| violation)
    }

    const fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

/// Whether a frame of such a direction should have a mask and has none, or the other way round.
#[inline(always)]
const fn is_wrong(masking: Masking, header: &FrameHeader) -> bool {
    match masking {
        Masking::Masked => header.mask.is_none(),
        Masking::Unmasked => header.mask.is_some(),
        Masking::Unknown => false,
    }
}

/// Whether an HTTP message begins here; `None` where more bytes are needed to say. Every method and `HTTP/` begin
/// with a letter that as a frame would break several rules, so no frame waits for the answer.
#[inline]
pub(super) fn is_http(bytes: &[u8]) -> Option<bool> {
    match bytes.first() {
        Some(b'C'..=b'T') => opens_http(bytes),
        _ => Some(false),
    }
}

#[cold]
fn opens_http(bytes: &[u8]) -> Option<bool> {
    let mut undecided = false;
    for opening in HTTP {
        if bytes.starts_with(opening) {
            return Some(true);
        }
        undecided |= opening.starts_with(bytes);
    }
    if undecided { None } else { Some(false) }
}

/// What begins at a place where a frame should.
#[derive(PartialEq, Debug)]
pub(super) enum Beginning {
    /// A frame, lawful or not.
    Frame,
    /// What no frame is.
    Other(Violation),
    /// More bytes are needed to say.
    Undecided,
}

/// What these bytes begin.
#[inline]
pub(super) fn beginning(bytes: &[u8]) -> Beginning {
    match bytes.first() {
        // Few frames begin so: the first of several that are compressed, and what breaks a rule.
        Some(b' '..=b'~') => text_or_frame(bytes),
        _ => Beginning::Frame,
    }
}

#[cold]
fn text_or_frame(bytes: &[u8]) -> Beginning {
    // Other letters have RSV1 with an opcode that none may have, RSV2 or RSV3.
    if matches!(bytes.first(), Some(b'@' | b'A' | b'B')) {
        return Beginning::Frame;
    }
    match is_http(bytes) {
        Some(true) => return Beginning::Other(Violation::HttpInStream),
        None => return Beginning::Undecided,
        Some(false) => {}
    }
    let letter = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    let start = bytes.get(..bytes.len().min(TEXT)).unwrap_or_default();
    match start.iter().all(letter) {
        true if start.len() < TEXT => Beginning::Undecided,
        true => Beginning::Other(Violation::TextInStream),
        false => Beginning::Frame,
    }
}

/// Bytes that must all be letters where text is to be more likely than a frame that breaks several rules at once.
const TEXT: usize = 8;

const HTTP: [&[u8]; 9] =
    [b"HTTP/1.", b"GET /", b"POST /", b"HEAD /", b"PUT /", b"PATCH /", b"DELETE /", b"OPTIONS ", b"CONNECT "];

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(bytes: &[u8], masking: Masking, message: Message) -> Vec<Violation> {
        let header = FrameHeader::parse(bytes).unwrap();
        Faults::of(&header, masking, message).violations(&header).collect()
    }

    #[test]
    fn a_lawful_header_breaks_nothing() {
        for first in [0x81, 0x82, 0xC1, 0x01, 0x88, 0x89, 0x8A] {
            assert_eq!(faults(&[first, 5], Masking::Unmasked, Message::Idle), []);
        }
        assert_eq!(faults(&[0x80, 5], Masking::Unmasked, Message::Open), []);
        assert_eq!(faults(&[0x81, 0x80, 1, 2, 3, 4], Masking::Masked, Message::Unknown), []);
        assert_eq!(faults(&[0x80, 0x80, 1, 2, 3, 4], Masking::Unknown, Message::Unknown), []);
    }

    #[test]
    fn every_rule_is_told_by_its_own_violation() {
        use Violation::*;
        let cases: [(&[u8], Message, Violation); 12] = [
            (&[0x81, 0x80, 1, 2, 3, 4], Message::Idle, Masked),
            (&[0xC0, 1], Message::Open, Rsv1Misplaced),
            (&[0xC9, 1], Message::Idle, Rsv1Misplaced),
            (&[0xA1, 1], Message::Idle, Rsv23),
            (&[0x91, 1], Message::Idle, Rsv23),
            (&[0x83, 1], Message::Idle, ReservedOpcode(3)),
            (&[0x8B, 1], Message::Idle, ReservedOpcode(11)),
            (&[0x08, 2], Message::Idle, ControlFragmented),
            (&[0x89, 126, 0, 126], Message::Idle, ControlTooLong),
            (&[0x81, 126, 0, 1], Message::Idle, LengthNotMinimal),
            (&[0x80, 1], Message::Idle, ContinuationAlone),
            (&[0x81, 1], Message::Open, MessageInsideMessage),
        ];
        for (bytes, message, violation) in cases {
            assert_eq!(faults(bytes, Masking::Unmasked, message), [violation]);
        }
        assert_eq!(faults(&[0x81, 1], Masking::Masked, Message::Idle), [Unmasked]);
        assert_eq!(
            faults(&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Masking::Unmasked, Message::Idle),
            [LengthTopBit]
        );
    }

    #[test]
    fn http_is_known_by_its_first_bytes_and_not_sooner() {
        for opening in HTTP {
            for cut in 1..opening.len() {
                assert_eq!(is_http(&opening[..cut]), None);
            }
            assert_eq!(is_http(opening), Some(true));
        }
        for other in [&b"HTTP/2"[..], b"GETS", b"\x81\x05hello", b"PUT X"] {
            assert_eq!(is_http(other), Some(false));
        }
    }

    #[test]
    fn text_is_known_by_letters_that_no_frame_begins_with() {
        use Violation::{HttpInStream, TextInStream};
        for (bytes, what) in [
            (&b"Error occurred while"[..], Beginning::Other(TextInStream)),
            (b"502 nope\r\n", Beginning::Other(TextInStream)),
            (b"HTTP/1.1 502 Bad", Beginning::Other(HttpInStream)),
            (b"Error \x80\x80\x80", Beginning::Frame),
            (b"\x81\x05hello there", Beginning::Frame),
            // With permessage-deflate that is the beginning of a message.
            (b"All is well so far", Beginning::Frame),
        ] {
            assert_eq!(beginning(bytes), what, "{}", String::from_utf8_lossy(bytes));
        }
        for cut in 1..TEXT {
            assert_eq!(beginning(&b"Error occurred"[..cut]), Beginning::Undecided);
        }
        for first in (b' '..=b'~').filter(|first| !matches!(first, b'@' | b'A' | b'B')) {
            assert_ne!(faults(&[first, 5], Masking::Unmasked, Message::Open), []);
        }
    }

    #[test]
    fn every_letter_that_http_begins_with_breaks_a_rule_as_a_frame() {
        for opening in HTTP {
            let header = FrameHeader::parse(&[opening[0], 5]).unwrap();
            assert!(!Faults::of(&header, Masking::Unknown, Message::Unknown).is_empty());
        }
    }
}
