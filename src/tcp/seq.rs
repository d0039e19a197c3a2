//! Sequence numbers, which wrap (RFC 9293 §3.4).

/// How far `a` is ahead of `b`, negative where it is behind. Right while they are less than 2³¹ apart.
#[inline]
pub(super) const fn ahead(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::ahead;

    #[test]
    fn a_number_past_the_wrap_is_ahead() {
        assert_eq!(ahead(5, u32::MAX - 4), 10);
        assert_eq!(ahead(u32::MAX - 4, 5), -10);
        assert_eq!(ahead(7, 7), 0);
    }
}
