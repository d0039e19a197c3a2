//! Text from the wire, made harmless for the format it goes to.
//!
//! A capture is written by strangers. What they wrote is shown, never obeyed: no control character, no bidirectional
//! override and no invisible character reaches a terminal as itself.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// The text as a terminal may show it: what controls or hides becomes a visible escape, `\x1b` or `\u{202e}`; line
/// breaks and tabs become `\n`, `\r` and `\t`, so that one line stays one line.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push(c, &mut shown));
    Cow::Owned(shown)
}

/// As [`terminal`], for bytes that need not be UTF-8: a byte that is none becomes `\xff`.
pub fn terminal_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(c, &mut shown));
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// [`terminal`], and cut to at most `limit` characters; `…` says that it was.
pub fn terminal_at_most(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => terminal(text).into_owned(),
        Some((end, _)) => {
            let mut shown = terminal(text.get(..end).unwrap_or_default()).into_owned();
            shown.push('…');
            shown
        }
    }
}

/// The escape of the templates of HTML and SVG, through which every value in them goes: what would be markup becomes a
/// character reference, what controls or hides is shown as for a terminal. Line breaks stay: there they are space.
#[derive(Clone, Copy, Debug)]
pub struct Markup;

impl askama::filters::Escaper for Markup {
    fn write_escaped_str<W: std::fmt::Write>(&self, mut out: W, text: &str) -> std::fmt::Result {
        text.chars().try_for_each(|c| self.write_escaped_char(&mut out, c))
    }

    fn write_escaped_char<W: std::fmt::Write>(&self, mut out: W, c: char) -> std::fmt::Result {
        match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            '\n' => out.write_char('\n'),
            c if is_hidden(c) => {
                let mut shown = String::new();
                push(c, &mut shown);
                out.write_str(&shown)
            }
            c => out.write_char(c),
        }
    }
}

/// Whether a character changes what a reader sees without being seen: controls (C0, DEL, C1), bidirectional controls
/// (Unicode UAX #9), zero-width and other invisible ones, line separators, tags.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes JSON in which no hidden character stands as itself: JSON alone escapes only those below U+0020, and a
/// terminal obeys more (U+009B begins a control sequence).
pub(super) struct JsonFormatter<'a>(serde_json::ser::PrettyFormatter<'a>);

impl JsonFormatter<'_> {
    /// With an indent of two spaces.
    pub(super) fn pretty() -> Self {
        JsonFormatter(serde_json::ser::PrettyFormatter::with_indent(b"  "))
    }
}

impl serde_json::ser::Formatter for JsonFormatter<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_hidden(c)) {
            out.write_all(rest.as_bytes().get(..at).unwrap_or_default())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

fn push(c: char, shown: &mut String) {
    let _ = match c {
        '\n' => write!(shown, "\\n"),
        '\r' => write!(shown, "\\r"),
        '\t' => write!(shown, "\\t"),
        c if c.is_ascii_control() => write!(shown, "\\x{:02x}", u32::from(c)),
        c if is_hidden(c) => write!(shown, "\\u{{{:x}}}", u32::from(c)),
        c => write!(shown, "{c}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize as _;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, JsonFormatter::pretty());
        text.serialize(&mut serializer).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(terminal("\u{1b}[2Jx\u{7}"), "\\x1b[2Jx\\x07");
        assert_eq!(terminal("a\r\nb\tc\u{7f}"), "a\\r\\nb\\tc\\x7f");
        assert_eq!(terminal("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn what_reorders_or_hides_is_shown() {
        assert_eq!(terminal("user\u{202e}gpj.exe"), "user\\u{202e}gpj.exe");
        assert_eq!(terminal("a\u{2066}b\u{200b}c\u{feff}"), "a\\u{2066}b\\u{200b}c\\u{feff}");
        assert_eq!(terminal("a\u{2028}b"), "a\\u{2028}b");
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(terminal("/chat?room=café 東京"), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_shown_as_bytes() {
        assert_eq!(terminal_bytes(b"ok \xff\xfe \x1b caf\xc3\xa9"), "ok \\xff\\xfe \\x1b café");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(terminal_at_most("abcdef", 6), "abcdef");
        assert_eq!(terminal_at_most("abcdéf", 5), "abcdé…");
        assert_eq!(terminal_at_most("\u{1b}\u{1b}\u{1b}", 1), "\\x1b…");
    }

    #[test]
    fn json_escapes_more_than_it_must_and_reads_back_the_same() {
        assert_eq!(json("a\u{9b}\u{202e}\u{e0041}\"\n"), r#""a\u009b\u202e\udb40\udc41\"\n""#);
    }

    proptest! {
        #[test]
        fn no_text_reaches_a_terminal_with_a_hidden_character(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            prop_assert!(!terminal(&text).chars().any(is_hidden));
            prop_assert!(!terminal_bytes(&bytes).chars().any(is_hidden));
            let written = json(&text);
            prop_assert!(!written.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
