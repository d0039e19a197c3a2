//! The tables of HPACK (RFC 7541 §2.3): the static one, and the dynamic one as far as the capture shows it.
//!
//! Entries are counted from the newest one. So what was inserted while we watched is known by its index, whatever came
//! before; only an index beyond that is unknown.

use super::hpack::Text;
use crate::limits;
use std::collections::VecDeque;

/// The dynamic table of one direction.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Newest first.
    entries: VecDeque<Entry>,
    /// Names and values, oldest first.
    bytes: Vec<u8>,
    /// Bytes that were ever removed from the front of `bytes`.
    removed: u64,
    /// Size of the entries as RFC 7541 §4.1 counts it.
    size: usize,
    /// What the encoder said that it may grow to.
    capacity: u64,
    /// Whether the encoder's table may hold entries that are not here.
    incomplete: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its name begins, counted from the first byte ever inserted.
    at: u64,
    /// Length of the name; `None` where it is not known.
    name: Option<u32>,
    value: u32,
}

/// A name or a field that was looked up.
pub(super) enum Found<'a> {
    /// It is there.
    Field(Text<'a>, Text<'a>),
    /// It was inserted before we watched.
    Unknown,
    /// No such entry can exist.
    Invalid,
}

impl Table {
    /// Empty, as at the start of a connection (RFC 7541 §4.2, RFC 9113 §6.5.2).
    pub(super) fn new() -> Table {
        let entries = VecDeque::new();
        Table { entries, bytes: Vec::new(), removed: 0, size: 0, capacity: 4096, incomplete: false }
    }

    /// What it holds from here on is not known: a header block is missing, or could not be read.
    pub(super) fn forget(&mut self) {
        *self = Table { capacity: u64::MAX, incomplete: true, ..Table::new() };
    }

    /// The entry of this index (RFC 7541 §2.3.3).
    pub(super) fn get(&self, index: u64) -> Found<'_> {
        let Some(nth) = usize::try_from(index).ok().and_then(|index| index.checked_sub(1)) else {
            return Found::Invalid;
        };
        if let Some((name, value)) = STATIC.get(nth) {
            return Found::Field(Text::Known(name.as_bytes()), Text::Known(value.as_bytes()));
        }
        match self.entries.get(nth.saturating_sub(STATIC.len())) {
            Some(entry) => self.field(entry),
            None if self.incomplete => Found::Unknown,
            None => Found::Invalid,
        }
    }

    /// Adds a field as the newest one, and drops old ones for it (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, name: Text<'_>, value: &[u8]) {
        let known = match name {
            Text::Known(name) => name,
            Text::Unknown => &[],
        };
        let needed = known.len().saturating_add(value.len()).saturating_add(OVERHEAD);
        let room = self.limit();
        self.shrink(room.saturating_sub(needed));
        if needed > room {
            self.incomplete |= self.capacity > limits::HPACK_TABLE as u64;
            return;
        }
        let at = self.removed.saturating_add(self.bytes.len() as u64);
        self.bytes.extend_from_slice(known);
        self.bytes.extend_from_slice(value);
        self.size = self.size.saturating_add(needed);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let name = matches!(name, Text::Known(_)).then(|| length(known));
        self.entries.push_front(Entry { at, name, value: length(value) });
    }

    /// The encoder changes the size that its table may have (RFC 7541 §4.3).
    pub(super) fn resize(&mut self, capacity: u64) {
        self.capacity = capacity;
        self.shrink(self.limit());
        if capacity < OVERHEAD as u64 {
            // Nothing fits, so nothing is there.
            self.incomplete = false;
        }
    }

    /// The size up to which entries are kept here.
    fn limit(&self) -> usize {
        usize::try_from(self.capacity).unwrap_or(usize::MAX).min(limits::HPACK_TABLE)
    }

    /// Drops the oldest entries until those left have at most this size.
    fn shrink(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else { break };
            let length = u64::from(oldest.name.unwrap_or(0)).saturating_add(oldest.value.into());
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.size = self.size.saturating_sub(length).saturating_sub(OVERHEAD);
            // The encoder may hold on to what the bound makes us drop.
            self.incomplete |= self.capacity > limits::HPACK_TABLE as u64;
        }
        let used = self.entries.back().map_or(self.bytes.len(), |oldest| {
            usize::try_from(oldest.at.saturating_sub(self.removed)).unwrap_or(usize::MAX)
        });
        // Half of it at least, so that each byte is moved about once.
        if used.saturating_mul(2) >= self.bytes.len() && used > 0 {
            self.bytes.drain(..used.min(self.bytes.len()));
            self.removed = self.removed.saturating_add(used as u64);
        }
    }

    fn field(&self, entry: &Entry) -> Found<'_> {
        let start = usize::try_from(entry.at.saturating_sub(self.removed)).unwrap_or(usize::MAX);
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
        let (name, rest) = rest.split_at_checked(length(entry.name.unwrap_or(0))).unwrap_or_default();
        let value = rest.get(..length(entry.value)).unwrap_or_default();
        let name = if entry.name.is_some() { Text::Known(name) } else { Text::Unknown };
        Found::Field(name, Text::Known(value))
    }

    /// Its size by RFC 7541 §4.1.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

/// RFC 7541 §4.1.
const OVERHEAD: usize = 32;

/// RFC 7541 Appendix A.
static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(table: &Table, index: u64) -> Option<Vec<u8>> {
        match table.get(index) {
            Found::Field(Text::Known(name), _) => Some(name.to_vec()),
            _ => None,
        }
    }

    #[test]
    fn the_static_table_is_that_of_appendix_a() {
        let table = Table::new();
        for (index, expected) in
            [(1, ":authority"), (8, ":status"), (16, "accept-encoding"), (23, "authorization")]
                .into_iter()
                .chain([
                    (32, "cookie"),
                    (38, "host"),
                    (47, "max-forwards"),
                    (58, "user-agent"),
                    (61, "www-authenticate"),
                ])
        {
            assert_eq!(name(&table, index).as_deref(), Some(expected.as_bytes()), "{index}");
        }
        assert!(matches!(table.get(0), Found::Invalid));
        assert!(matches!(table.get(62), Found::Invalid));
    }

    #[test]
    fn after_a_loss_only_what_came_since_is_known() {
        let mut table = Table::new();
        table.insert(Text::Known(b"a"), b"1");
        table.forget();
        assert!(matches!(table.get(62), Found::Unknown));
        table.insert(Text::Known(b"b"), b"2");
        assert_eq!(name(&table, 62).as_deref(), Some(&b"b"[..]));
        assert!(matches!(table.get(63), Found::Unknown));
        table.resize(0);
        assert!(matches!(table.get(62), Found::Invalid));
    }

    #[test]
    fn more_than_the_bound_is_dropped_and_said_to_be_unknown() {
        let mut table = Table::new();
        table.resize(1 << 30);
        for _ in 0..10_000 {
            table.insert(Text::Known(b"name"), &[b'x'; 100]);
        }
        assert!(table.size() <= limits::HPACK_TABLE && table.bytes.len() <= 2 * limits::HPACK_TABLE);
        assert!(matches!(table.get(9_000), Found::Unknown));
        table.insert(Text::Known(b"name"), &vec![b'x'; limits::HPACK_TABLE]);
        assert!(matches!(table.get(62), Found::Unknown), "one that does not fit empties the table");
    }
}
