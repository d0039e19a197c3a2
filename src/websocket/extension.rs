//! `Sec-WebSocket-Extensions`, by its grammar (RFC 6455 §9.1).

/// The extensions that a request offers or a response accepts, in the order written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    /// Every element that could be parsed.
    pub list: Vec<Extension>,
    /// The first place where the grammar was broken; elements before and after it are still in `list`.
    pub malformed: Option<Malformed>,
    /// Header lines the list was spread over; 0 where there was none.
    pub lines: u32,
}

/// One element, `name; param; param=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extension {
    /// The extension token as written.
    pub name: String,
    /// Its parameters in order.
    pub params: Vec<Param>,
}

/// One parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// The parameter token as written.
    pub name: String,
    /// The value, unquoted; `None` for a bare parameter.
    pub value: Option<String>,
}

/// Where a header value leaves its grammar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Header line of that name, from 0.
    pub line: u32,
    /// Byte of that line's value, from 0.
    pub column: u32,
    /// What was there and what the grammar wants, in words.
    pub what: String,
}
