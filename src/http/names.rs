//! Names of fields, and what tells most of them apart at a glance.

/// The name of a field to look for, in any case. Made beforehand, it is found faster: for names in tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldName<'n> {
    text: &'n str,
    pub(super) sign: Sign,
}

impl<'n> FieldName<'n> {
    /// This name.
    #[inline]
    pub const fn new(text: &'n str) -> FieldName<'n> {
        FieldName { text, sign: Sign::of(text.as_bytes()) }
    }

    /// As it was given.
    #[inline]
    pub const fn text(self) -> &'n str {
        self.text
    }
}

impl<'n> From<&'n str> for FieldName<'n> {
    #[inline]
    fn from(text: &'n str) -> FieldName<'n> {
        FieldName::new(text)
    }
}

/// A few bits of a name that do not depend on its case: most fields of another name have others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sign(u8);

impl Sign {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the bits of a sign need not be all of the length")]
    pub(super) const fn of(name: &[u8]) -> Sign {
        let (Some(first), Some(last)) = (name.first(), name.last()) else { return Sign(0) };
        let (first, last) = (*first | 0x20, *last | 0x20);
        Sign((name.len() as u8).wrapping_mul(11) ^ first.wrapping_mul(5) ^ last.wrapping_mul(29))
    }
}

/// The signs of all names of a head, one bit for several of them: that a field is not there is seen at a glance.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Signs(u64);

impl Signs {
    #[inline]
    pub(super) fn add(&mut self, sign: Sign) {
        self.0 |= 1 << (sign.0 & 63);
    }

    #[inline]
    pub(super) fn may_have(self, sign: Sign) -> bool {
        self.0 >> (sign.0 & 63) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_does_not_depend_on_the_case_of_a_name() {
        for name in ["Sec-WebSocket-Key", "", "x", &"Long".repeat(100)] {
            assert_eq!(Sign::of(name.as_bytes()), Sign::of(name.to_ascii_lowercase().as_bytes()), "{name}");
        }
    }
}
