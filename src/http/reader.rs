//! Collects the bytes of one message head from the pieces in which they arrive.

use crate::limits;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Collects one message head after another. A head that is complete in its first piece is never copied; every byte
/// is looked at once, however small the pieces.
#[derive(Default, Debug)]
pub struct HeadReader {
    buffer: Vec<u8>,
    position: Position,
    /// The buffer holds a head that was already handed out.
    handed_out: bool,
}

/// What has become of the head.
#[derive(PartialEq, Eq, Debug)]
pub enum HeadProgress<'a> {
    /// All bytes were taken and the head goes on.
    More,
    /// The blank line was reached.
    Complete {
        /// From the start line to the blank line, both included.
        head: &'a [u8],
        /// Bytes of this input that were used; the body begins after them.
        consumed: usize,
    },
    /// [`limits::HEAD`] bytes went by without a blank line. The reader has dropped them.
    TooLong,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Position {
    /// Before the start line: empty lines are skipped (RFC 9112 §2.2).
    #[default]
    BeforeHead,
    InLine,
    LineStart,
    /// After a CR with which a line began.
    LineStartCr,
}

impl HeadReader {
    /// Takes the next bytes of the stream. Empty lines before the start line are used up but are no part of the head.
    /// After [`HeadProgress::Complete`] and [`HeadProgress::TooLong`] the reader is empty and begins a new head.
    pub fn push<'a>(&'a mut self, bytes: &'a [u8]) -> HeadProgress<'a> {
        if self.handed_out {
            self.clear();
        }
        let mut skipped = 0;
        if self.position == Position::BeforeHead {
            skipped = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        }
        let rest = bytes.get(skipped..).unwrap_or_default();
        if rest.is_empty() {
            return HeadProgress::More;
        }
        let room = limits::HEAD.saturating_sub(self.buffer.len());
        let window = rest.get(..room).unwrap_or(rest);
        match find_end(&mut self.position, window) {
            Some(length) => {
                let head = window.get(..length).unwrap_or_default();
                let consumed = skipped.saturating_add(length);
                if self.buffer.is_empty() {
                    self.position = Position::BeforeHead;
                    return HeadProgress::Complete { head, consumed };
                }
                self.buffer.extend_from_slice(head);
                self.handed_out = true;
                HeadProgress::Complete { head: &self.buffer, consumed }
            }
            None if window.len() == room => {
                self.clear();
                HeadProgress::TooLong
            }
            None => {
                limits::grow(&mut self.buffer, window.len());
                self.buffer.extend_from_slice(window);
                HeadProgress::More
            }
        }
    }

    /// The bytes of a head that is not complete yet.
    pub fn buffered(&self) -> &[u8] {
        if self.handed_out { &[] } else { &self.buffer }
    }

    /// What it takes to keep them, in bytes.
    pub fn cost(&self) -> usize {
        if self.handed_out { 0 } else { self.buffer.capacity() }
    }

    /// Whether no head has begun.
    pub fn is_empty(&self) -> bool {
        self.buffered().is_empty()
    }

    fn clear(&mut self) {
        *self = HeadReader::default();
    }
}

/// The number of bytes up to and including the blank line that ends a head. Lines end with CRLF or, tolerated as
/// RFC 9112 §2.2 allows, with LF.
fn find_end(position: &mut Position, bytes: &[u8]) -> Option<usize> {
    // As it nearly always is: the whole head is here.
    if let Position::BeforeHead = position
        && let Some(end) = find_blank_line(bytes)
    {
        *position = Position::LineStart;
        return Some(end);
    }
    let mut at = 0_usize;
    loop {
        match position {
            Position::BeforeHead | Position::InLine => {
                *position = Position::InLine;
                let length = memchr::memchr(b'\n', bytes.get(at..)?)?;
                at = at.saturating_add(length).saturating_add(1);
                *position = Position::LineStart;
            }
            Position::LineStart | Position::LineStartCr => match bytes.get(at)? {
                b'\n' => return at.checked_add(1),
                b'\r' if *position == Position::LineStart => {
                    at = at.saturating_add(1);
                    *position = Position::LineStartCr;
                }
                _ => *position = Position::InLine,
            },
        }
    }
}

/// The end of the first blank line behind another line.
fn find_blank_line(bytes: &[u8]) -> Option<usize> {
    static ENDS: LazyLock<[Finder<'_>; 2]> =
        LazyLock::new(|| [b"\n\r\n".as_slice(), b"\n\n"].map(Finder::new));
    let [crlf, lf] = &*ENDS;
    let end = crlf.find(bytes).and_then(|at| at.checked_add(crlf.needle().len()));
    let before = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    lf.find(before).and_then(|at| at.checked_add(lf.needle().len())).or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The heads found, and the bytes used, when `bytes` arrive in pieces that end at `cuts`.
    fn heads(bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, usize, Vec<u8>) {
        let mut reader = HeadReader::default();
        let (mut found, mut too_long, mut start) = (Vec::new(), 0, 0);
        for end in cuts.iter().copied().chain([bytes.len()]) {
            let mut piece = &bytes[start..end];
            start = end;
            while !piece.is_empty() {
                match reader.push(piece) {
                    HeadProgress::More => break,
                    HeadProgress::Complete { head, consumed } => {
                        found.push(head.to_vec());
                        piece = &piece[consumed..];
                        assert!(reader.is_empty());
                    }
                    HeadProgress::TooLong => {
                        too_long += 1;
                        break;
                    }
                }
            }
        }
        (found, too_long, reader.buffered().to_vec())
    }

    #[test]
    fn a_head_complete_in_its_first_piece_is_borrowed_and_the_rest_left_alone() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81\x00";
        let mut reader = HeadReader::default();
        let HeadProgress::Complete { head, consumed } = reader.push(bytes) else { panic!("no head") };
        assert_eq!((head.as_ptr(), head.len(), consumed), (bytes.as_ptr(), 27, 27));
        assert!(reader.is_empty());
        assert_eq!(reader.buffer.capacity(), 0);
    }

    #[test]
    fn a_blank_line_may_be_any_mix_of_crlf_and_lf() {
        for end in ["\r\n\r\n", "\n\n", "\r\n\n", "\n\r\n"] {
            let bytes = format!("GET / HTTP/1.1{end}");
            assert_eq!(heads(bytes.as_bytes(), &[]).0, [bytes.as_bytes()], "{end:?}");
        }
        for end in ["\r\r", "\r\n\r\r\n", "\n \n"] {
            assert!(heads(format!("GET / HTTP/1.1{end}").as_bytes(), &[]).0.is_empty(), "{end:?}");
        }
    }

    #[test]
    fn empty_lines_before_the_start_line_are_used_up_but_are_no_part_of_the_head() {
        let mut reader = HeadReader::default();
        assert_eq!(reader.push(b"\r\n"), HeadProgress::More);
        assert!(reader.is_empty());
        assert_eq!(reader.push(b"\r\nA\n\nB"), HeadProgress::Complete { head: b"A\n\n", consumed: 5 });
    }

    #[test]
    fn the_reader_can_be_used_again_after_a_head_in_pieces() {
        let mut reader = HeadReader::default();
        assert_eq!(reader.push(b"A\r\n"), HeadProgress::More);
        assert_eq!(reader.buffered(), b"A\r\n");
        assert_eq!(reader.push(b"\r\nB"), HeadProgress::Complete { head: b"A\r\n\r\n", consumed: 2 });
        assert!(reader.is_empty());
        assert_eq!(reader.push(b"B\r\n\r\n"), HeadProgress::Complete { head: b"B\r\n\r\n", consumed: 5 });
    }

    #[test]
    fn a_head_of_the_limit_is_complete_and_one_byte_more_is_too_long_whatever_the_pieces() {
        for (length, complete) in [(limits::HEAD, true), (limits::HEAD + 1, false)] {
            let mut bytes = vec![b'x'; length - 4];
            bytes.extend_from_slice(b"\r\n\r\n");
            for cuts in [vec![], vec![1], vec![length / 2], vec![length - 1], (1..length).collect()] {
                let (found, too_long, _) = heads(&bytes, &cuts);
                assert_eq!((found.len(), too_long), (usize::from(complete), usize::from(!complete)));
            }
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_heads(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), Just(b':')], 0..60),
            mut cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let whole = heads(&bytes, &[]);
            let mut ends: Vec<usize> = cuts.drain(..).map(|cut| cut.index(bytes.len() + 1)).collect();
            ends.sort_unstable();
            prop_assert_eq!(&heads(&bytes, &ends), &whole);
            prop_assert_eq!(&heads(&bytes, &(1..bytes.len().max(1)).collect::<Vec<_>>()), &whole);
        }
    }
}
