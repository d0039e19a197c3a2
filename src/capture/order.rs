//! Numbers in the byte order of the machine that wrote the capture.

/// A byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The two bytes at `at`, or `None` where `bytes` are too short.
    #[inline]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u16::from_le_bytes(raw),
            Order::Big => u16::from_be_bytes(raw),
        })
    }

    /// The four bytes at `at`, or `None` where `bytes` are too short.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(raw),
            Order::Big => u32::from_be_bytes(raw),
        })
    }

    /// The first four times four bytes, or `None` where `bytes` are too short.
    #[inline]
    pub(super) fn words(self, bytes: &[u8]) -> Option<[u32; 4]> {
        let raw = bytes.first_chunk::<16>()?;
        let (words, _) = raw.as_chunks::<4>();
        let [a, b, c, d] = *words else { return None };
        Some(match self {
            Order::Little => [a, b, c, d].map(u32::from_le_bytes),
            Order::Big => [a, b, c, d].map(u32::from_be_bytes),
        })
    }

    /// The eight bytes at `at`, or `None` where `bytes` are too short.
    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u64::from_le_bytes(raw),
            Order::Big => u64::from_be_bytes(raw),
        })
    }
}
