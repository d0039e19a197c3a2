//! A message head: its raw bytes, a table of its lines, and what a strict parser says of it.

/// A message head with all of its bytes, from the start line to the blank line.
///
/// The line table is made from the bytes themselves, so that what a strict parser refuses or silently repairs is
/// still there to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    raw: Box<[u8]>,
}

/// One header field line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value without surrounding white space; continuation lines still folded into it.
    pub value: &'a [u8],
}

/// Which kind of head to expect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadKind {
    /// From a client.
    Request,
    /// From a server.
    Response,
}

/// Something about a head that tolerant parsers hide and strict ones refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Oddity {
    /// A line ended with LF alone (RFC 9112 §2.2).
    BareLf,
    /// A field continues on a line that starts with white space (RFC 9112 §5.2).
    ObsFold,
    /// White space between field name and colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A line with no colon.
    NoColon,
    /// A control byte or CR inside a line.
    ControlByte,
    /// The start line does not follow the grammar.
    StartLine,
}

/// A request head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHead {
    /// All of its bytes and lines.
    pub head: Head,
    /// As written, `GET` for a handshake.
    pub method: String,
    /// The request target as written; bytes that are not UTF-8 are replaced.
    pub target: String,
    /// Major and minor version, where the start line has one.
    pub version: Option<(u8, u8)>,
}

/// A response head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResponseHead {
    /// All of its bytes and lines.
    pub head: Head,
    /// Major and minor version.
    pub version: Option<(u8, u8)>,
    /// The status code; three digits on the wire.
    pub status: u16,
    /// The reason phrase, empty where there is none.
    pub reason: String,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.raw))
    }
}
