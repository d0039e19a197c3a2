//! `Sec-WebSocket-Extensions`, by its grammar (RFC 6455 §9.1).

use super::list::{Flaw, Read, is_token, list, ows, token, value};
use crate::limits;
use compact_str::CompactString;
use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{cut, opt};
use nom::multi::fold_many_m_n;
use nom::sequence::preceded;
use std::cell::Cell;

/// The extensions that a request offers or a response accepts, in the order written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    /// Every element that could be parsed.
    pub list: Vec<Extension>,
    /// The first place where the grammar was broken; elements before and after it are still in `list`.
    pub malformed: Option<Box<Malformed>>,
    /// The first empty element beside others, as of `a,` or `a,,b`: whoever reads the list must pass over it.
    pub empty: Option<Box<Malformed>>,
    /// Header lines the list was spread over; 0 where there was none.
    pub lines: u32,
}

/// One element, `name; param; param=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extension {
    /// The extension token as written.
    pub name: CompactString,
    /// Its parameters in order.
    pub params: Vec<Param>,
}

/// One parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// The parameter token as written.
    pub name: CompactString,
    /// The value, unquoted; `None` for a bare parameter.
    pub value: Option<CompactString>,
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

impl Extensions {
    /// Reads all lines of the field, in order. Never fails: what the grammar cannot read is told by
    /// [`Extensions::malformed`]. A list of nothing but empty elements is malformed, too.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Extensions {
        let room = Cell::new(limits::LIST_PARAMS);
        let read = list(lines, "an extension", limits::LIST_ELEMENTS, |input| {
            let (rest, read) = extension(input, limits::EXTENSION_PARAMS.min(room.get()))?;
            room.set(room.get().saturating_sub(read.0.params.len()));
            Ok((rest, read))
        });
        let (malformed, empty) = (read.malformed.map(Box::new), read.empty.map(Box::new));
        Extensions { list: read.elements, malformed, empty, lines: read.lines }
    }

    /// Bytes that it takes besides names and values.
    pub fn weight(&self) -> usize {
        let params = self.list.iter().map(|extension| size_of_val(extension.params.as_slice()));
        params.fold(size_of_val(self.list.as_slice()), usize::saturating_add)
    }

    /// The first extension of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&Extension> {
        self.list.iter().find(|extension| extension.is(name))
    }

    /// Names offered here that `answer` does not accept: in lower case, each once, in the order of the offer.
    pub fn missing_from(&self, answer: &Extensions) -> Vec<CompactString> {
        let mut missing: Vec<CompactString> = Vec::new();
        for offered in &self.list {
            if answer.get(&offered.name).is_none() && !missing.iter().any(|name| offered.is(name)) {
                missing.push(offered.name.to_ascii_lowercase());
            }
        }
        missing
    }
}

impl Extension {
    /// Whether it has that name, whatever its case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// `extension = extension-token *( ";" extension-param )`, with so many parameters at most.
fn extension(input: &[u8], params: usize) -> Read<'_, (Extension, Option<Flaw<'_>>)> {
    let (rest, name) = token("an extension")(input)?;
    let (rest, (params, flaw)) = fold_many_m_n(
        0,
        params,
        preceded((ows, tag(&b";"[..]), ows), cut(param)),
        || (Vec::new(), None),
        |(mut params, first), (param, flaw)| {
            // Nearly all have none or one, and every connection keeps them.
            limits::grow(&mut params, 1);
            params.push(param);
            (params, first.or(flaw))
        },
    )
    .parse(rest)?;
    // The endpoint id of Broadband Forum's USP holds a colon by specification, against RFC 6455 §9.1.
    let exempt = name.eq_ignore_ascii_case("bbf-usp-protocol");
    Ok((rest, (Extension { name, params }, flaw.filter(|_| !exempt))))
}

/// `extension-param = token [ "=" (token | quoted-string) ]`; a quoted value must be a token once unquoted.
fn param(input: &[u8]) -> Read<'_, (Param, Option<Flaw<'_>>)> {
    let (rest, name) = token("a parameter")(input)?;
    let (rest, equals) = opt((ows, tag(&b"="[..]), ows)).parse(rest)?;
    if equals.is_none() {
        return Ok((rest, (Param { name, value: None }, None)));
    }
    let (after, value) = value(rest)?;
    let flaw = (!is_token(&value)).then_some(Flaw { at: rest, expected: "a token in the quotes" });
    Ok((after, (Param { name, value: Some(value) }, flaw)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &[&str]) -> Extensions {
        Extensions::parse(lines.iter().map(|line| line.as_bytes()))
    }

    /// As it would be written again, to compare at a glance.
    fn shown(extensions: &Extensions) -> String {
        let one = |e: &Extension| {
            let param = |p: &Param| match &p.value {
                Some(value) => format!("; {}={value}", p.name),
                None => format!("; {}", p.name),
            };
            e.name.clone() + &e.params.iter().map(param).collect::<String>()
        };
        extensions.list.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn place(extensions: &Extensions) -> Option<(u32, u32, &str)> {
        extensions.malformed.as_ref().map(|m| (m.line, m.column, &*m.what))
    }

    #[test]
    fn what_browsers_offer_is_read() {
        let e = parse(&["permessage-deflate; client_max_window_bits"]);
        assert_eq!(
            (shown(&e).as_str(), place(&e), e.lines),
            ("permessage-deflate; client_max_window_bits", None, 1)
        );
    }

    #[test]
    fn several_elements_and_lines_make_one_list_in_order() {
        let e = parse(&["a;x=1;y=\"2\" ,b", "c\t;\tz = 3"]);
        assert_eq!((shown(&e).as_str(), place(&e), e.lines), ("a; x=1; y=2, b, c; z=3", None, 2));
    }

    #[test]
    fn quoted_values_are_unescaped_and_hide_commas() {
        let e = parse(&[r#"a; x="o\n\e", b"#]);
        assert_eq!((shown(&e).as_str(), place(&e)), ("a; x=one, b", None));
        let e = parse(&[r#"a; x="1,2;3\"", b"#]);
        assert_eq!(shown(&e), r#"a; x=1,2;3", b"#);
        assert_eq!(place(&e), Some((0, 5, "`\"`, expected a token in the quotes")));
    }

    #[test]
    fn an_empty_list_is_malformed_but_an_absent_field_is_not() {
        assert_eq!(parse(&[]), Extensions::default());
        assert_eq!(place(&parse(&[""])), Some((0, 0, "the end, expected an extension")));
        assert_eq!(place(&parse(&["", " ,, "])), Some((0, 0, "the end, expected an extension")));
        assert!(parse(&[""]).empty.is_none());
    }

    #[test]
    fn empty_elements_are_passed_over_and_told() {
        let empty = |e: &Extensions| e.empty.as_ref().map(|m| (m.line, m.column, m.what.clone()));
        let at = |line, column, found: &str| Some((line, column, format!("{found}, expected an extension")));
        for (lines, list, place_of_empty) in [
            (&["a", ", b,, c"][..], "a, b, c", at(1, 0, "`,`")),
            (&["a, "], "a", at(0, 3, "the end")),
            (&[",a;x"], "a; x", at(0, 0, "`,`")),
            (&["a", ""], "a", at(1, 0, "the end")),
            (&["a, b"], "a, b", None),
        ] {
            let e = parse(lines);
            assert_eq!((shown(&e).as_str(), place(&e), empty(&e)), (list, None, place_of_empty), "{lines:?}");
        }
        let full = format!("{},", vec!["a"; limits::LIST_ELEMENTS].join(","));
        assert_eq!(place(&parse(&[&full])), None);
    }

    #[test]
    fn only_the_first_malformed_place_is_told_and_what_surrounds_it_is_read() {
        let e = parse(&["a, b=1, c; x=, d; , e", "f@g, h"]);
        assert_eq!(
            (shown(&e).as_str(), place(&e)),
            ("a, e, h", Some((0, 4, "`=`, expected `,` or the end")))
        );
        assert_eq!(place(&parse(&["c; x=, d"])), Some((0, 5, "`,`, expected a value")));
        assert_eq!(place(&parse(&["d;"])), Some((0, 2, "the end, expected a parameter")));
    }

    #[test]
    fn a_quote_that_never_ends_spoils_only_its_element() {
        let e = parse(&[r#"a, b; x="1, c"#]);
        assert_eq!(
            (shown(&e).as_str(), place(&e)),
            ("a, c", Some((0, 8, "`\"`, expected a quoted string that ends")))
        );
        assert_eq!(shown(&parse(&[r#"b; x="1\"#])), "");
        assert_eq!(shown(&parse(&[r#"b@"x, y", c"#])), "c");
    }

    #[test]
    fn the_endpoint_id_of_usp_may_hold_a_colon() {
        assert_eq!(place(&parse(&[r#"bbf-usp-protocol; eid="proto::id""#])), None);
        assert!(place(&parse(&[r#"other; eid="proto::id""#])).is_some());
    }

    #[test]
    fn a_list_longer_than_any_real_one_is_cut_and_told() {
        let long = vec!["a"; limits::LIST_ELEMENTS + 5].join(",");
        let e = parse(&[&long, "b"]);
        assert_eq!(e.list.len(), limits::LIST_ELEMENTS);
        assert_eq!(e.malformed.unwrap().column as usize, 2 * limits::LIST_ELEMENTS);
        let long = format!("a{}", ";x".repeat(limits::EXTENSION_PARAMS + 1));
        assert_eq!(parse(&[&long, "b"]).list.len(), 1);
        let one = format!("a{}", ";x".repeat(limits::EXTENSION_PARAMS));
        let fit = limits::LIST_PARAMS / limits::EXTENSION_PARAMS;
        for (count, malformed) in [(fit, false), (fit + 1, true), (4 * fit, true)] {
            let e = parse(&[&vec![one.as_str(); count].join(","), "b"]);
            assert_eq!((e.list.len(), e.malformed.is_some()), (count.min(fit) + 1, malformed));
        }
    }

    #[test]
    fn names_compare_without_case_and_missing_ones_are_told_once() {
        let offer = parse(&["Permessage-Deflate; a, foo, PERMESSAGE-deflate, FOO, bar"]);
        assert_eq!(offer.missing_from(&parse(&["permessage-deflate"])), ["foo", "bar"]);
        assert_eq!(offer.missing_from(&Extensions::default()), ["permessage-deflate", "foo", "bar"]);
        assert!(offer.get("permessage-deflate").unwrap().is("PERMESSAGE-DEFLATE"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_the_place_lies_in_the_line(
            lines in prop::collection::vec(prop::collection::vec(prop::sample::select(&b"ab1,;=\"\\ \t@\xFF"[..]), 0..40), 0..4)
        ) {
            let e = Extensions::parse(lines.iter().map(Vec::as_slice));
            prop_assert_eq!(e.lines as usize, lines.len());
            if let Some(m) = &e.malformed {
                prop_assert!(m.column as usize <= lines[m.line as usize].len());
            }
        }

        #[test]
        fn what_is_written_well_is_read_back(
            list in prop::collection::vec(("[a-z-]{1,8}", prop::collection::vec(("[a-z_]{1,6}", prop::option::of("[a-z0-9]{1,4}")), 0..4)), 1..6),
            quoted: bool, space in "[ \t]{0,2}",
        ) {
            let list: Vec<Extension> = list.into_iter().map(|(name, params)| Extension {
                name: name.into(),
                params: params
                    .into_iter()
                    .map(|(name, value): (String, Option<String>)| Param { name: name.into(), value: value.map(Into::into) })
                    .collect(),
            }).collect();
            let mut line = String::new();
            for e in &list {
                if !line.is_empty() { line += &format!("{space},{space}"); }
                line += &e.name;
                for p in &e.params {
                    line += &format!("{space};{space}{}", p.name);
                    match &p.value {
                        Some(value) if quoted => line += &format!("{space}={space}\"\\{value}\""),
                        Some(value) => line += &format!("{space}={space}{value}"),
                        None => {}
                    }
                }
            }
            prop_assert_eq!(parse(&[&line]), Extensions { list, malformed: None, empty: None, lines: 1 });
        }
    }
}
