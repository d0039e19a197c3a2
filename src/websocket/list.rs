//! The comma-separated lists of the handshake (`#rule` of RFC 9110 §5.6.1 over tokens and quoted strings), read by
//! grammar, with the first place where it was left. After such a place reading goes on behind the next comma.

use super::Malformed;
use crate::limits;
use compact_str::CompactString;
use nom::bytes::complete::{escaped_transform, tag, take, take_till1, take_while, take_while1};
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

/// A place that broke the grammar: the rest of the line from there, and what should have been there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flaw<'a> {
    pub(super) at: &'a [u8],
    pub(super) expected: &'static str,
}

pub(super) type Read<'a, T> = IResult<&'a [u8], T, Flaw<'a>>;

impl<'a> ParseError<&'a [u8]> for Flaw<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        Flaw { at, expected: "something else" }
    }

    fn append(_: &'a [u8], _: ErrorKind, first: Self) -> Self {
        first
    }
}

/// A list as read: its elements, the first place where its grammar was broken, and the first empty element. Who reads a
/// list must pass over those (RFC 9110 §5.6.1.2), but one of them at least must not be empty.
pub(super) struct List<T> {
    pub(super) elements: Vec<T>,
    pub(super) malformed: Option<Malformed>,
    pub(super) empty: Option<Malformed>,
    pub(super) lines: u32,
}

/// Reads all lines of a field. `element` reads one element, and may tell of a flaw in one that it understood
/// nevertheless. `noun` names what an element is; `limit` bounds how many are kept.
pub(super) fn list<'a, T>(
    lines: impl Iterator<Item = &'a [u8]>,
    noun: &'static str,
    limit: usize,
    element: impl Fn(&'a [u8]) -> Read<'a, (T, Option<Flaw<'a>>)>,
) -> List<T> {
    let mut list = List { elements: Vec::new(), malformed: None, empty: None, lines: 0 };
    for line in lines {
        let mut rest = line;
        let mut quotes = Quotes::End;
        loop {
            rest = rest.trim_ascii_start();
            let (after, flaw) = if matches!(rest.first(), None | Some(b',')) {
                let flaw = Flaw { at: rest, expected: noun };
                list.empty.get_or_insert_with(|| flaw.place(line, list.lines));
                (rest, None)
            } else if list.elements.len() >= limit {
                (&[][..], Some(Flaw { at: rest, expected: "the end of a list as long as this" }))
            } else {
                match element(rest) {
                    Ok((after, (read, flaw))) => match after.trim_ascii_start() {
                        after @ ([] | [b',', ..]) => {
                            limits::grow(&mut list.elements, 1);
                            list.elements.push(read);
                            (after, flaw)
                        }
                        after => (
                            next_comma(after, &mut quotes),
                            Some(Flaw { at: after, expected: "`,` or the end" }),
                        ),
                    },
                    Err(nom::Err::Error(flaw) | nom::Err::Failure(flaw)) => {
                        (next_comma(flaw.at, &mut quotes), Some(flaw))
                    }
                    Err(nom::Err::Incomplete(_)) => (&[][..], Some(Flaw { at: rest, expected: noun })),
                }
            };
            if let (Some(flaw), None) = (flaw, &list.malformed) {
                list.malformed = Some(flaw.place(line, list.lines));
            }
            match after.split_first() {
                Some((_, next)) => rest = next,
                None => break,
            }
        }
        list.lines = list.lines.saturating_add(1);
    }
    if list.elements.is_empty() && list.malformed.is_none() {
        list.malformed = list.empty.take();
    }
    list
}

/// A token (RFC 9110 §5.6.2); `expected` names it where it is absent.
pub(super) fn token<'a>(expected: &'static str) -> impl Fn(&'a [u8]) -> Read<'a, CompactString> {
    move |input| {
        let (rest, token) = take_while1(is_token_byte)
            .parse(input)
            .map_err(|_: nom::Err<Flaw<'a>>| nom::Err::Error(Flaw { at: input, expected }))?;
        Ok((rest, CompactString::from_utf8_lossy(token)))
    }
}

/// A quoted string (RFC 9110 §5.6.4), unescaped. Bytes that are not UTF-8 are replaced.
pub(super) fn quoted_string(input: &[u8]) -> Read<'_, CompactString> {
    let (rest, _) = tag(&b"\""[..]).parse(input)?;
    let text = take_till1(|byte| matches!(byte, b'"' | b'\\'));
    let (rest, value) = match rest.first() {
        Some(b'"') => (rest, Vec::new()),
        _ => escaped_transform(text, '\\', take(1usize)).parse(rest).map_err(|_: nom::Err<Flaw<'_>>| {
            nom::Err::Error(Flaw { at: input, expected: "a quoted string that ends" })
        })?,
    };
    let (rest, _) = tag(&b"\""[..]).parse(rest).map_err(|_: nom::Err<Flaw<'_>>| {
        nom::Err::Error(Flaw { at: input, expected: "a quoted string that ends" })
    })?;
    Ok((rest, CompactString::from_utf8_lossy(&value)))
}

/// A token or a quoted string.
pub(super) fn value(input: &[u8]) -> Read<'_, CompactString> {
    match input.first() {
        Some(b'"') => quoted_string(input),
        _ => token("a value")(input),
    }
}

/// Optional white space (RFC 9110 §5.6.3).
pub(super) fn ows(input: &[u8]) -> Read<'_, &[u8]> {
    take_while(|byte| matches!(byte, b' ' | b'\t')).parse(input)
}

/// Whether `text` is a token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the quoted strings in what is left of a line end. Behind one that never ends none does: what closed it would have
/// closed the one before. So that a line is read to its end for this once, not for each of its elements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    End,
    NeverEnd,
}

/// From the next comma that no quoted string hides. A quote that never ends hides nothing.
fn next_comma<'a>(mut rest: &'a [u8], quotes: &mut Quotes) -> &'a [u8] {
    loop {
        match rest.first() {
            None | Some(b',') => return rest,
            Some(b'"') if *quotes == Quotes::End => match behind_quoted(rest) {
                Some(after) => rest = after,
                None => *quotes = Quotes::NeverEnd,
            },
            Some(_) => rest = rest.get(1..).unwrap_or_default(),
        }
    }
}

/// What stands behind the quoted string that this begins with; `None` where it never ends.
fn behind_quoted(quoted: &[u8]) -> Option<&[u8]> {
    let mut rest = quoted.get(1..)?;
    loop {
        #[cfg(test)]
        tests::LOOKED_AT.with(|count| count.set(count.get() + 1));
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
            [] => return None,
        };
    }
}

impl Flaw<'_> {
    /// As a place in `line`, of which `at` is the rest.
    fn place(&self, line: &[u8], number: u32) -> Malformed {
        let column = line.len().saturating_sub(self.at.len());
        let found = match self.at.first() {
            None => "the end".to_owned(),
            Some(&byte @ b' '..=b'~') => format!("`{}`", char::from(byte)),
            Some(byte) => format!("`{}`", byte.escape_ascii()),
        };
        Malformed {
            line: number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
            what: format!("{found}, expected {}", self.expected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// Bytes at which the end of a quoted string was looked for.
        pub(super) static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn quotes_that_never_end_are_followed_to_the_end_of_their_line_once() {
        // Each of these quotes is hidden from the one before it by a backslash, and ends nothing.
        let line = r#""a,\"#.repeat(limits::HEAD / 4);
        LOOKED_AT.set(0);
        let name = token("a name");
        let read = list([line.as_bytes(); 2].into_iter(), "a name", limits::LIST_ELEMENTS, |input| {
            let (rest, name) = name(input)?;
            Ok((rest, (name, None)))
        });
        assert!(read.elements.is_empty() && read.malformed.is_some());
        assert!((line.len()..=2 * line.len()).contains(&LOOKED_AT.get()), "{}", LOOKED_AT.get());
    }
}
