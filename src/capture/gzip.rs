//! gzip files (RFC 1952) as one stream of bytes.
//!
//! flate2's own reader drops what was inflated in the call that meets an error, up to a whole window. Here all that
//! can be inflated is given first, and then the error, so that a damaged file yields the same however it is read.

use super::frames::Stored;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, ErrorKind, Read};

/// The decompressed bytes of all members of `stored`.
pub(super) struct Members {
    stored: Stored,
    state: State,
    inflate: Decompress,
    sum: Crc,
}

enum State {
    /// Before a member; the first one must be there.
    Between {
        first: bool,
    },
    Body,
    Failed(io::Error),
    Ended,
}

/// The flags that announce further header fields (RFC 1952 §2.3.1).
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

impl Members {
    pub(super) fn new(stored: Stored) -> Self {
        Members {
            stored,
            state: State::Between { first: true },
            inflate: Decompress::new(false),
            sum: Crc::new(),
        }
    }

    /// Reads a member's header; false at the end of the file.
    fn header(&mut self, first: bool) -> io::Result<bool> {
        // Padding of zeros behind the last member is common on tapes and block devices.
        while let (false, Some(&0)) = (first, self.fill()?.first()) {
            self.stored.consume(1);
        }
        if !first && self.fill()?.is_empty() {
            return Ok(false);
        }
        let mut fixed = [0; 10];
        self.stored.read_exact(&mut fixed)?;
        let [0x1f, 0x8b, 8, flags, ..] = fixed else {
            return Err(invalid("bytes that are no gzip member follow the compressed data"));
        };
        if flags & FEXTRA != 0 {
            let mut len = [0; 2];
            self.stored.read_exact(&mut len)?;
            self.pass(u16::from_le_bytes(len).into())?;
        }
        for text in [FNAME, FCOMMENT] {
            if flags & text != 0 {
                while self.byte()? != 0 {}
            }
        }
        if flags & FHCRC != 0 {
            self.pass(2)?;
        }
        self.inflate.reset(false);
        self.sum.reset();
        Ok(true)
    }

    /// Inflates into `buf`; 0 at the end of the member.
    fn body(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.fill()?.len();
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self.inflate.decompress(self.stored.buffer(), buf, FlushDecompress::None);
            let read = usize::try_from(self.inflate.total_in().saturating_sub(read)).unwrap_or(input);
            let written = usize::try_from(self.inflate.total_out().saturating_sub(written)).unwrap_or(0);
            self.stored.consume(read);
            self.sum.update(buf.get(..written).unwrap_or_default());
            let error = match result {
                Ok(Status::StreamEnd) => {
                    self.state = match self.trailer() {
                        Ok(()) => State::Between { first: false },
                        Err(error) => State::Failed(error),
                    };
                    return Ok(written);
                }
                Ok(_) if written > 0 => return Ok(written),
                Ok(_) if read > 0 => continue,
                Ok(_) if input == 0 => {
                    io::Error::new(ErrorKind::UnexpectedEof, "the gzip data end too early")
                }
                Ok(_) => invalid("gzip data that lead nowhere"),
                Err(_) => invalid("broken gzip data"),
            };
            self.state = State::Failed(error);
            return Ok(written);
        }
    }

    /// Compares the check sum and the length that follow a member's data.
    fn trailer(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        self.stored.read_exact(&mut trailer)?;
        let noted = u64::from_le_bytes(trailer);
        let found = u64::from(self.sum.sum()) | u64::from(self.sum.amount()) << 32;
        if noted == found { Ok(()) } else { Err(invalid("the check sum of the gzip data is wrong")) }
    }

    /// Stored bytes, none at the end.
    fn fill(&mut self) -> io::Result<&[u8]> {
        while let Err(error) = self.stored.fill_buf() {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(self.stored.buffer())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stored.read_exact(&mut byte)?;
        let [byte] = byte;
        Ok(byte)
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        io::copy(&mut self.stored.by_ref().take(count), &mut io::sink()).map(|_| ())
    }
}

impl Read for Members {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Between { first } => {
                    if self.header(first)? {
                        self.state = State::Body;
                    }
                }
                State::Body => {
                    self.state = State::Body;
                    let written = self.body(buf)?;
                    if written > 0 {
                        return Ok(written);
                    }
                }
                State::Failed(error) => return Err(error),
                State::Ended => return Ok(0),
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
