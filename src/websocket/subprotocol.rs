//! `Sec-WebSocket-Protocol`, by its grammar: `1#token` (RFC 6455 §4.3).

use super::Malformed;
use super::list::{list, token};
use crate::limits;
use compact_str::CompactString;

/// The subprotocols that a request offers, or the one that a response names.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Subprotocols {
    /// The names as written, in order. They compare with case (RFC 6455 §4.1).
    pub list: Vec<CompactString>,
    /// The first place where the grammar was broken; elements before and after it are still in `list`.
    pub malformed: Option<Malformed>,
    /// The first empty element beside others: whoever reads the list must pass over it.
    pub empty: Option<Malformed>,
    /// Header lines the list was spread over; 0 where there was none.
    pub lines: u32,
}

impl Subprotocols {
    /// Reads all lines of the field, in order. Never fails: see [`Subprotocols::malformed`].
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Subprotocols {
        let name = token("a subprotocol");
        let read = list(lines, "a subprotocol", limits::LIST_ELEMENTS, |input| {
            let (rest, name) = name(input)?;
            Ok((rest, (name, None)))
        });
        Subprotocols { list: read.elements, malformed: read.malformed, empty: read.empty, lines: read.lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Subprotocols {
        Subprotocols::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn names_are_read_in_order_over_all_lines() {
        let read = parse(&["graphql-ws, mqtt", "v1.chat"]);
        assert_eq!(
            (read.list, read.malformed, read.lines),
            (vec!["graphql-ws".into(), "mqtt".into(), "v1.chat".into()], None, 2)
        );
        assert_eq!(parse(&[]), Subprotocols::default());
    }

    #[test]
    fn an_empty_element_is_passed_over_and_a_list_of_none_else_is_malformed() {
        let read = parse(&[", chat"]);
        assert_eq!(
            (read.list.len(), read.malformed, read.empty.map(|place| place.column)),
            (1, None, Some(0))
        );
        let read = parse(&[" , "]);
        assert!(read.list.is_empty() && read.malformed.is_some() && read.empty.is_none());
    }

    #[test]
    fn a_name_that_is_no_token_is_told_and_the_others_are_read() {
        let read = parse(&["a, https://example.org/b, c"]);
        assert_eq!(read.list, ["a", "c"]);
        let place = read.malformed.unwrap();
        assert_eq!((place.column, place.what.as_str()), (8, "`:`, expected `,` or the end"));
    }
}
