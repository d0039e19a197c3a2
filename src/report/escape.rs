//! Text from the wire, made harmless for the format it goes to.
//!
//! A capture is written by strangers. What they wrote is shown, never obeyed: no control character, no bidirectional
//! override and no invisible character reaches a terminal as itself.

use super::indent::Indented;
use serde_json::ser::{CompactFormatter, Formatter};
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

/// Bytes without the beginning of a character at their end, where they were cut inside it.
pub(super) fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or_default(),
        _ => bytes,
    }
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
pub(super) struct JsonFormatter<F>(F);

impl JsonFormatter<Indented> {
    /// With an indent of two spaces.
    pub(super) fn pretty() -> Self {
        JsonFormatter(Indented::default())
    }
}

impl JsonFormatter<CompactFormatter> {
    /// On one line.
    pub(super) fn compact() -> Self {
        JsonFormatter(CompactFormatter)
    }
}

impl<F: Formatter> Formatter for JsonFormatter<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // Nearly all text is ASCII, of which controls alone are hidden.
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(text.as_bytes());
        }
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

    fn end_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_key(out)
    }
}

/// The text as XML may hold it, before `<`, `>`, `&` and quotes are written as XML writes them: without the characters
/// that no XML document can hold in any way (XML 1.0 §2.2), and without the hidden ones.
pub(super) fn xml(text: &str) -> String {
    let unlawful = |c| matches!(c, '\u{fffe}' | '\u{ffff}');
    let shown = terminal(text);
    if !shown.contains(unlawful) {
        return shown.into_owned();
    }
    shown.chars().map(|c| if unlawful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The message of a workflow command of GitHub: on one line, from which no other command can begin.
pub(super) fn github_message(text: &str) -> String {
    terminal(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of such a command.
pub(super) fn github_property(text: &str) -> String {
    github_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// Running text of Markdown (CommonMark and GitHub's dialect), also in a cell of a table: no markup, no HTML, no link,
/// nobody called by `@name`.
pub(super) fn markdown(text: &str) -> String {
    let text = terminal(text);
    let mut shown = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '@' => shown.push_str("@<!-- -->"),
            // These become links by themselves.
            ':' if text.get(at..).is_some_and(|rest| rest.starts_with("://")) => shown.push_str("&#58;"),
            '.' if text.get(..at).is_some_and(ends_in_www) => shown.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '$' | '!' => {
                shown.extend(['\\', c]);
            }
            // A list, a heading or a rule begins with these.
            '-' | '+' | '=' if shown.is_empty() => shown.extend(['\\', c]),
            c => shown.push(c),
        }
    }
    shown
}

fn ends_in_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// Text as it is, for Markdown: between more backticks than it holds in a row. In a cell of a table a pipe is escaped
/// even there, and nowhere else.
pub(super) fn markdown_code(text: &str, in_table: bool) -> String {
    let text = terminal(text);
    let text = if in_table { text.replace('|', "\\|") } else { text.into_owned() };
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A space on both sides is taken away again; it keeps a backtick at the edge from the fence.
    let pad =
        if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A cell that a spreadsheet takes for text: what begins as a formula does is set off by an apostrophe.
pub(super) fn spreadsheet(text: &str) -> String {
    let text = terminal(text);
    match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text.into_owned(),
    }
}

/// A plain-text message of SARIF: no placeholder and no link in it (§3.11.5, §3.11.6).
pub(super) fn sarif(text: &str) -> String {
    let text = text.replace('{', "{{").replace('}', "}}");
    // Brackets alone, as around an IPv6 address, are no link; viewers that know no escape show them as they are.
    if text.contains("](") { text.replace('[', "\\[").replace(']', "\\]") } else { text }
}

/// A path as a reference of a URI: relative as it is given, absolute as `file:`.
pub(super) fn uri(path: &str) -> String {
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    let mut uri = String::with_capacity(path.len() + 8);
    if path.starts_with('/') {
        uri.push_str("file://");
    } else if cfg!(windows) && path.get(1..2) == Some(":") {
        uri.push_str("file:///");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
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

    #[test]
    fn xml_takes_every_text() {
        assert_eq!(xml("a\u{0}\u{fffe}]]>\u{1b}<b>"), "a\\x00\u{fffd}]]>\\x1b<b>");
    }

    #[test]
    fn no_command_of_a_workflow_begins_in_a_text() {
        assert_eq!(github_message("x\n::error::%0A y"), "x\\n::error::%250A y");
        assert_eq!(github_property("a,line=1:b%"), "a%2Cline=1%3Ab%25");
    }

    #[test]
    fn markdown_shows_markup() {
        assert_eq!(
            markdown("<img src=x> [a](http://b) `c` *d* a|b @all"),
            "&lt;img src=x&gt; \\[a\\](http&#58;//b) \\`c\\` \\*d\\* a\\|b @<!-- -->all"
        );
        assert_eq!(markdown("- x\n# y"), "\\- x\\\\n\\# y");
        assert_eq!(markdown("www.example.org: 1.1"), "www&#46;example.org: 1.1");
        assert_eq!(markdown_code("a`b``c", false), "```a`b``c```");
        assert_eq!(markdown_code("`a|b", true), "`` `a\\|b ``");
        assert_eq!(markdown_code("", false), "`  `");
    }

    #[test]
    fn a_spreadsheet_computes_nothing() {
        for text in ["=cmd()", "+1", "-1", "@a", " =1", "＝1"] {
            assert_eq!(spreadsheet(text), format!("'{text}"));
        }
        assert_eq!(spreadsheet("\t=1"), "\\t=1");
        assert_eq!(spreadsheet("/a=b"), "/a=b");
    }

    #[test]
    fn sarif_takes_text_as_text() {
        assert_eq!(sarif("{0} [2001:db8::1]:80"), "{{0}} [2001:db8::1]:80");
        assert_eq!(sarif("[a](http://b)"), "\\[a\\](http://b)");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("a b/ü%.pcap"), "a%20b/%C3%BC%25.pcap");
        assert_eq!(uri("c:x.pcap"), "c%3Ax.pcap");
        assert_eq!(uri("/tmp/x.pcap"), "file:///tmp/x.pcap");
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
