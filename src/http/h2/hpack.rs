//! HPACK (RFC 7541), decoded by someone who may have missed the beginning: what an index stands for can be unknown.

use super::huffman;
use super::table::{Found, Table};

/// Decodes the header blocks of one direction, in their order.
#[derive(Clone, Debug)]
pub struct Hpack {
    table: Table,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A name or a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text<'a> {
    /// These bytes.
    Known(&'a [u8]),
    /// It was sent before the capture began, or in a part that is missing.
    Unknown,
}

/// Why a header block cannot be decoded (RFC 7541 §2.3.3, §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It ends inside a field.
    Truncated,
    /// A number too large to be true.
    Integer,
    /// An index to which no entry belongs.
    Index,
    /// Invalid Huffman code.
    Huffman,
}

impl Hpack {
    /// A direction from its start.
    pub fn new() -> Hpack {
        Hpack { table: Table::new(), name: Vec::new(), value: Vec::new() }
    }

    /// A header block is missing, or the capture began later: what the table holds is not known from here on.
    pub fn forget(&mut self) {
        self.table.forget();
    }

    /// Decodes one header block and gives `field` each name and value in order.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the fields before that were given. The table is forgotten then.
    pub fn decode(&mut self, block: &[u8], field: &mut impl FnMut(Text<'_>, Text<'_>)) -> Result<(), Fault> {
        let result = self.fields(block, field);
        if result.is_err() {
            self.table.forget();
        }
        for scratch in [&mut self.name, &mut self.value] {
            if scratch.capacity() > SCRATCH {
                *scratch = Vec::new();
            }
        }
        result
    }

    fn fields(&mut self, block: &[u8], field: &mut impl FnMut(Text<'_>, Text<'_>)) -> Result<(), Fault> {
        let mut rest = block;
        while let Some(&first) = rest.first() {
            match first {
                // §6.1: indexed field.
                0x80.. => match self.table.get(integer(&mut rest, 7)?) {
                    Found::Field(name, value) => field(name, value),
                    Found::Unknown => field(Text::Unknown, Text::Unknown),
                    Found::Invalid => return Err(Fault::Index),
                },
                // §6.3: size update.
                0x20..0x40 => {
                    let capacity = integer(&mut rest, 5)?;
                    self.table.resize(capacity);
                }
                // §6.2: literal, with indexing (01), without (0000), never indexed (0001).
                _ => {
                    let inserts = first & 0x40 != 0;
                    let index = integer(&mut rest, if inserts { 6 } else { 4 })?;
                    let known = match index {
                        0 => {
                            string(&mut rest, &mut self.name)?;
                            true
                        }
                        index => self.take_name(index)?,
                    };
                    string(&mut rest, &mut self.value)?;
                    let name = if known { Text::Known(&self.name) } else { Text::Unknown };
                    field(name, Text::Known(&self.value));
                    if inserts {
                        self.table.insert(name, &self.value);
                    }
                }
            }
        }
        Ok(())
    }

    /// Copies the name of an entry, which an insertion may drop; tells whether it is known.
    fn take_name(&mut self, index: u64) -> Result<bool, Fault> {
        self.name.clear();
        match self.table.get(index) {
            Found::Field(Text::Known(name), _) => {
                self.name.extend_from_slice(name);
                Ok(true)
            }
            Found::Field(Text::Unknown, _) | Found::Unknown => Ok(false),
            Found::Invalid => Err(Fault::Index),
        }
    }
}

impl Default for Hpack {
    fn default() -> Hpack {
        Hpack::new()
    }
}

/// Capacity that scratch space may keep between blocks.
const SCRATCH: usize = 1024;

/// §5.1: an integer whose first byte has a prefix of `bits` bits.
fn integer(rest: &mut &[u8], bits: u32) -> Result<u64, Fault> {
    let (&first, mut more) = rest.split_first().ok_or(Fault::Truncated)?;
    let mask = u8::MAX.checked_shr(8_u32.saturating_sub(bits)).unwrap_or(u8::MAX);
    let mut value = u64::from(first & mask);
    if value == u64::from(mask) {
        let mut shift = 0_u32;
        loop {
            let (&byte, after) = more.split_first().ok_or(Fault::Truncated)?;
            more = after;
            // Five bytes of seven bits are room for 32 bits, which nothing real exceeds.
            if shift > 28 {
                return Err(Fault::Integer);
            }
            value = value.saturating_add(u64::from(byte & 0x7F) << shift);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = more;
    Ok(value)
}

/// §5.2: a string literal, plain or in Huffman code.
fn string(rest: &mut &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
    into.clear();
    let huffman_coded = rest.first().ok_or(Fault::Truncated)? & 0x80 != 0;
    let length = usize::try_from(integer(rest, 7)?).map_err(|_| Fault::Truncated)?;
    let (text, more) = rest.split_at_checked(length).ok_or(Fault::Truncated)?;
    *rest = more;
    if huffman_coded {
        return huffman::decode(text, into);
    }
    into.extend_from_slice(text);
    Ok(())
}

/// An encoder, for tests.
#[cfg(test)]
pub(super) mod encode {
    use super::huffman;

    pub(crate) fn integer(value: u64, bits: u32, flags: u8) -> Vec<u8> {
        let mask = (1_u64 << bits) - 1;
        if value < mask {
            return vec![flags | value as u8];
        }
        let (mut out, mut left) = (vec![flags | mask as u8], value - mask);
        while left >= 128 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
        out
    }

    fn string(text: &[u8], coded: bool) -> Vec<u8> {
        let (text, flag) = if coded { (huffman::encode(text), 0x80) } else { (text.to_vec(), 0) };
        [integer(text.len() as u64, 7, flag), text].concat()
    }

    pub(crate) fn indexed(index: u64) -> Vec<u8> {
        integer(index, 7, 0x80)
    }

    /// A literal with a literal name; `inserts` adds it to the table.
    pub(crate) fn literal(name: &[u8], value: &[u8], inserts: bool, coded: bool) -> Vec<u8> {
        [vec![if inserts { 0x40 } else { 0x10 }], string(name, coded), string(value, coded)].concat()
    }

    /// A literal whose name is that of an entry.
    pub(crate) fn named(index: u64, value: &[u8], inserts: bool) -> Vec<u8> {
        let head = if inserts { integer(index, 6, 0x40) } else { integer(index, 4, 0) };
        [head, string(value, true)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use proptest::prelude::*;

    type Fields = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

    fn decode(hpack: &mut Hpack, block: &[u8]) -> Result<Fields, Fault> {
        let mut fields = Vec::new();
        let text = |text: Text<'_>| match text {
            Text::Known(bytes) => Some(bytes.to_vec()),
            Text::Unknown => None,
        };
        hpack.decode(block, &mut |name, value| fields.push((text(name), text(value)))).map(|()| fields)
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    /// Blocks of one connection, each with what it decodes to as lines, and with the size of the table after it.
    fn check(capacity: u64, blocks: &[(&str, &str, usize)]) {
        let mut hpack = Hpack::new();
        hpack.table.resize(capacity);
        for (block, expected, size) in blocks {
            let fields = decode(&mut hpack, &hex(block)).unwrap();
            let lines: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| {
                    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
                    format!("{}: {}", text(name), text(value))
                })
                .collect();
            assert_eq!(lines, expected.split('|').collect::<Vec<_>>());
            assert_eq!(hpack.table.size(), *size);
        }
    }

    #[test]
    fn the_examples_of_appendix_c_1_are_read() {
        for (bytes, bits, value) in [(&[0b01010_u8][..], 5, 10), (&[31, 154, 10], 5, 1337), (&[42], 8, 42)] {
            let mut rest = bytes;
            assert_eq!(integer(&mut rest, bits), Ok(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn the_examples_of_appendix_c_2_are_read() {
        check(
            4096,
            &[(
                "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                "custom-key: custom-header",
                55,
            )],
        );
        check(4096, &[("040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0)]);
        check(4096, &[("1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0)]);
        check(4096, &[("82", ":method: GET", 0)]);
    }

    const C_REQUESTS: [&str; 3] = [
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com",
        ":method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache",
        ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value",
    ];

    #[test]
    fn the_requests_of_appendix_c_3_and_c_4_are_read() {
        let [one, two, three] = C_REQUESTS;
        check(
            4096,
            &[
                ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", one, 57),
                ("8286 84be 5808 6e6f 2d63 6163 6865", two, 110),
                ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", three, 164),
            ],
        );
        check(
            4096,
            &[
                ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", one, 57),
                ("8286 84be 5886 a8eb 1064 9cbf", two, 110),
                ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", three, 164),
            ],
        );
    }

    const C_RESPONSES: [&str; 3] = [
        ":status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
        ":status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
        ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ];

    #[test]
    fn the_responses_of_appendix_c_5_and_c_6_are_read_in_a_table_of_256() {
        let [one, two, three] = C_RESPONSES;
        check(
            256,
            &[
                (
                    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                    one,
                    222,
                ),
                ("4803 3330 37c1 c0bf", two, 222),
                (
                    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
                    three,
                    215,
                ),
            ],
        );
        check(
            256,
            &[
                (
                    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                    one,
                    222,
                ),
                ("4883 640e ffc1 c0bf", two, 222),
                (
                    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                    three,
                    215,
                ),
            ],
        );
    }

    #[test]
    fn what_was_sent_before_the_capture_is_unknown_and_what_came_since_is_not() {
        let mut hpack = Hpack::new();
        hpack.forget();
        let block =
            [encode::indexed(70), encode::named(70, b"v", true), encode::indexed(62), encode::indexed(2)];
        let (known, unknown) = (|text: &[u8]| Some(text.to_vec()), None::<Vec<u8>>);
        assert_eq!(
            decode(&mut hpack, &block.concat()).unwrap(),
            [
                (unknown.clone(), unknown.clone()),
                (unknown.clone(), known(b"v")),
                (unknown, known(b"v")),
                (known(b":method"), known(b"GET"))
            ]
        );
    }

    #[test]
    fn a_block_that_is_wrong_is_refused_and_the_table_forgotten() {
        for (block, fault) in [
            (&[0x80_u8][..], Fault::Index),
            (&[0xBE], Fault::Index),
            (&[0x3F], Fault::Truncated),
            (&[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], Fault::Integer),
            (&[0x40, 0x05, b'a'], Fault::Truncated),
            (&[0x40, 0x81, 0xFF], Fault::Huffman),
        ] {
            let mut hpack = Hpack::new();
            assert_eq!(decode(&mut hpack, block), Err(fault), "{block:?}");
            assert_eq!(decode(&mut hpack, &[0xBE]), Ok(vec![(None, None)]));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_within_bounds(blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8)) {
            let mut hpack = Hpack::new();
            for block in blocks {
                let _ = decode(&mut hpack, &block);
                prop_assert!(hpack.table.size() <= limits::HPACK_TABLE);
            }
        }

        #[test]
        fn what_is_encoded_is_decoded_again(
            fields in proptest::collection::vec(("[a-z:-]{1,40}", "[ -~]{0,300}", any::<bool>(), any::<bool>()), 0..60),
        ) {
            let mut hpack = Hpack::new();
            // What the table holds, by a plain reading of the RFC: newest first, sizes summed anew each time.
            let mut model: Vec<(&str, &str)> = Vec::new();
            for (name, value, inserts, coded) in &fields {
                let known = model.iter().position(|field| field == &(name.as_str(), value.as_str()));
                let same_name = model.iter().position(|field| field.0 == name);
                let block = match (known, same_name) {
                    (Some(nth), _) => encode::indexed(62 + nth as u64),
                    (_, Some(nth)) => encode::named(62 + nth as u64, value.as_bytes(), *inserts),
                    _ => encode::literal(name.as_bytes(), value.as_bytes(), *inserts, *coded),
                };
                let expected = (Some(name.clone().into_bytes()), Some(value.clone().into_bytes()));
                prop_assert_eq!(decode(&mut hpack, &block), Ok(vec![expected]));
                if *inserts && known.is_none() {
                    model.insert(0, (name, value));
                    while model.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>() > 4096 {
                        model.pop();
                    }
                }
            }
        }
    }
}
