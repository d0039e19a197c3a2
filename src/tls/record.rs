//! Records: where one begins and ends in a stream of bytes, segments notwithstanding (RFC 8446 §5.1, RFC 5246 §6.2).

/// What a record holds, as its header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Heartbeat,
}

impl ContentType {
    pub(super) fn new(byte: u8) -> Option<ContentType> {
        Some(match byte {
            20 => ContentType::ChangeCipherSpec,
            21 => ContentType::Alert,
            22 => ContentType::Handshake,
            23 => ContentType::ApplicationData,
            24 => ContentType::Heartbeat,
            _ => return None,
        })
    }
}

/// The five bytes before every record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) kind: ContentType,
    pub(super) bytes: [u8; Header::LEN],
}

impl Header {
    pub(super) const LEN: usize = 5;

    /// 2^14 bytes, and 2048 more where they are encrypted (RFC 5246 §6.2.3).
    const LONGEST: usize = (1 << 14) + 2048;

    /// The header at the start of `bytes`; `None` where none can stand there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let (&bytes, _) = bytes.split_first_chunk::<{ Header::LEN }>()?;
        let header = Header { kind: ContentType::new(bytes[0])?, bytes };
        let version_fits = bytes[1] == 3 && bytes[2] <= 4;
        (version_fits && (1..=Header::LONGEST).contains(&header.len())).then_some(header)
    }

    /// Bytes of the record after its header.
    pub(super) fn len(&self) -> usize {
        let [_, _, _, high, low] = self.bytes;
        usize::from(u16::from_be_bytes([high, low]))
    }
}

/// What is missing before a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lost {
    /// Bytes from the first lost record to the next whole one, headers included.
    pub(super) span: u64,
    /// Records that are lost at least.
    pub(super) least: u64,
    /// Records that can be lost at most.
    pub(super) most: u64,
}

/// One whole record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) header: Header,
    pub(super) body: &'a [u8],
    /// What is missing since the record before it.
    pub(super) lost: Option<Lost>,
}

/// Cuts one direction's bytes into records. Copies only those that span several pieces.
#[derive(Default)]
pub(super) struct Records {
    at: Boundary,
    /// The part of a record that came so far.
    partial: Vec<u8>,
    /// Whether the record in `partial` was handed out.
    given: bool,
    lost: Option<Lost>,
    skim: bool,
}

/// Where the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Boundary {
    /// In the record of `partial`, or at the start of one.
    #[default]
    Known,
    /// This many bytes of a record that is not whole are still to come.
    Skip(u64),
    /// Nobody knows: a header is looked for.
    Unknown,
}

/// Bytes of the shortest record that is encrypted with an AEAD: a header and a tag of eight bytes.
const SHORTEST_PROTECTED: u64 = 13;

impl Records {
    /// The next whole record of `bytes`, which advances past it; `None` where more bytes are needed. All of `bytes`
    /// is used up then.
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Record<'a>> {
        if self.given {
            self.given = false;
            self.partial.clear();
        }
        if let Boundary::Skip(left) = self.at {
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.pass(bytes, used);
            let left = left.saturating_sub(used as u64);
            self.at = if left == 0 { Boundary::Known } else { Boundary::Skip(left) };
        }
        if self.at == Boundary::Unknown {
            let found = find(bytes);
            self.pass(bytes, found.unwrap_or(bytes.len()));
            self.at = if found.is_some() { Boundary::Known } else { Boundary::Unknown };
        }
        if bytes.is_empty() {
            return None;
        }
        if self.partial.is_empty() {
            if bytes.len() < Header::LEN {
                self.partial.extend_from_slice(bytes);
                *bytes = &[];
                return None;
            }
            let Some(header) = Header::parse(bytes) else { return self.derailed(bytes) };
            let len = Header::LEN.saturating_add(header.len());
            let Some((record, rest)) = bytes.split_at_checked(len) else {
                if self.skim {
                    self.at = Boundary::Skip(len.saturating_sub(bytes.len()) as u64);
                    *bytes = &[];
                    return Some(Record { header, body: &[], lost: self.lost.take() });
                }
                self.partial.extend_from_slice(bytes);
                *bytes = &[];
                return None;
            };
            *bytes = rest;
            let body = record.get(Header::LEN..).unwrap_or_default();
            return Some(Record { header, body, lost: self.lost.take() });
        }
        self.complete(bytes)
    }

    /// From now on bodies are of no use: records that span several pieces come without them, at their first piece.
    pub(super) fn skim(&mut self) {
        if !self.skim {
            self.skim = true;
            // What is kept of a record is given up, its end is not.
            if self.given {
                self.given = false;
                self.partial.clear();
            }
            let header = Header::parse(&self.partial).filter(|_| self.at == Boundary::Known);
            if let Some(header) = header {
                let len = Header::LEN.saturating_add(header.len()).saturating_sub(self.partial.len());
                self.at = Boundary::Skip(len as u64);
                self.partial.clear();
            }
            self.partial.shrink_to_fit();
        }
    }

    /// Takes a gap of `len` bytes.
    pub(super) fn gap(&mut self, len: u64) {
        let partial = if self.given { 0 } else { self.partial.len() as u64 };
        let left = match self.at {
            Boundary::Unknown => None,
            Boundary::Skip(left) => Some(left),
            Boundary::Known if partial == 0 => None,
            Boundary::Known => Header::parse(&self.partial)
                .map(|header| (Header::LEN.saturating_add(header.len()) as u64).saturating_sub(partial)),
        };
        // Bytes of a record that is damaged already were counted with it.
        let fresh = self.at == Boundary::Known;
        let known_end = left.filter(|&left| len <= left);
        let lost = self.lost.get_or_insert(Lost { span: 0, least: 0, most: 0 });
        lost.span = lost.span.saturating_add(partial).saturating_add(len);
        let one = u64::from(fresh);
        lost.least = lost.least.saturating_add(one);
        lost.most = lost.most.saturating_add(one);
        if known_end.is_none() {
            lost.most = lost.most.saturating_add(len.div_euclid(SHORTEST_PROTECTED)).saturating_add(1);
        }
        self.partial.clear();
        self.given = false;
        self.at = match known_end.map(|left| left.saturating_sub(len)) {
            Some(0) => Boundary::Known,
            Some(left) => Boundary::Skip(left),
            None => Boundary::Unknown,
        };
    }

    /// Whether no byte came yet, and none is missing.
    pub(super) fn is_untouched(&self) -> bool {
        self.at == Boundary::Known && self.partial.is_empty() && self.lost.is_none()
    }

    /// Bytes of a record that is not whole.
    pub(super) fn buffered(&self) -> usize {
        self.partial.len()
    }

    /// What is missing at the end of the stream.
    pub(super) fn end(&mut self) -> Option<Lost> {
        let partial = if self.given { 0 } else { self.partial.len() as u64 };
        if partial > 0 {
            self.gap(0);
        }
        self.lost.take()
    }

    /// Adds to the record of `partial`.
    fn complete<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Record<'a>> {
        self.fill(bytes, Header::LEN);
        if self.partial.len() < Header::LEN {
            return None;
        }
        let Some(header) = Header::parse(&self.partial) else {
            let lost = self.lost.get_or_insert(Lost { span: 0, least: 1, most: 1 });
            lost.span = lost.span.saturating_add(self.partial.len() as u64);
            self.partial.clear();
            self.at = Boundary::Unknown;
            return self.next(bytes);
        };
        let len = Header::LEN.saturating_add(header.len());
        if self.skim {
            // Only its header was in two pieces.
            self.partial.clear();
            self.at = Boundary::Skip(header.len() as u64);
            return Some(Record { header, body: &[], lost: self.lost.take() });
        }
        self.fill(bytes, len);
        if self.partial.len() < len {
            return None;
        }
        self.given = true;
        let body = self.partial.get(Header::LEN..).unwrap_or_default();
        Some(Record { header, body, lost: self.lost.take() })
    }

    fn fill(&mut self, bytes: &mut &[u8], len: usize) {
        let wanted = len.saturating_sub(self.partial.len()).min(bytes.len());
        let (now, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(now);
        *bytes = rest;
    }

    /// What stands where a record should begin is none.
    #[cold]
    fn derailed<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Record<'a>> {
        self.gap(0);
        self.next(bytes)
    }

    fn pass(&mut self, bytes: &mut &[u8], len: usize) {
        *bytes = bytes.get(len..).unwrap_or_default();
        if let Some(lost) = &mut self.lost {
            lost.span = lost.span.saturating_add(len as u64);
            if self.at == Boundary::Unknown {
                lost.most = lost.most.saturating_add((len as u64).div_euclid(SHORTEST_PROTECTED));
            }
        }
    }
}

/// Where a record of TLS 1.2 or 1.3 begins in the middle of a stream: at a header that another one, or the end of the
/// bytes, follows.
fn find(bytes: &[u8]) -> Option<usize> {
    let follows = |at: usize| match bytes.get(at..) {
        None | Some([]) => true,
        Some(rest) if rest.len() < Header::LEN => matches!(rest, [20..=24] | [20..=24, 3, ..]),
        Some(rest) => midway(rest).is_some(),
    };
    (0..bytes.len().saturating_sub(Header::LEN)).find(|&at| {
        let header = bytes.get(at..).and_then(midway);
        header.is_some_and(|header| follows(at.saturating_add(Header::LEN).saturating_add(header.len())))
    })
}

fn midway(bytes: &[u8]) -> Option<Header> {
    Header::parse(bytes).filter(|header| header.bytes.get(1..3) == Some(&[3, 3]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3, high, low], body].concat()
    }

    fn read(records: &mut Records, mut bytes: &[u8]) -> Vec<(ContentType, Vec<u8>, Option<Lost>)> {
        let mut found = Vec::new();
        while let Some(record) = records.next(&mut bytes) {
            found.push((record.header.kind, record.body.to_vec(), record.lost));
        }
        assert!(bytes.is_empty());
        found
    }

    proptest! {
        #[test]
        fn records_are_the_same_however_the_stream_is_cut(
            bodies in proptest::collection::vec((20u8..=24, proptest::collection::vec(any::<u8>(), 1..60)), 1..8),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|(kind, body)| record(*kind, body)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut records = Records::default();
            let found: Vec<_> = cuts.windows(2).flat_map(|cut| read(&mut records, &stream[cut[0]..cut[1]])).collect();
            let expected: Vec<_> =
                bodies.into_iter().map(|(kind, body)| (ContentType::new(kind).unwrap(), body, None)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn noise_and_gaps_never_stop_it(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), 0u64..50), 0..20),
        ) {
            let mut records = Records::default();
            for (bytes, gap) in pieces {
                read(&mut records, &bytes);
                if gap > 0 {
                    records.gap(gap);
                }
            }
            records.end();
        }
    }

    #[test]
    fn skimming_counts_records_without_their_bodies() {
        let stream = [record(23, &[1; 40]), record(23, &[2; 100]), record(21, &[3; 30])].concat();
        for piece in 1..stream.len() {
            let mut records = Records::default();
            let first = stream.len() / 4;
            let mut found = read(&mut records, &stream[..first]);
            records.skim();
            for bytes in stream[first..].chunks(piece) {
                found.extend(read(&mut records, bytes));
            }
            let kinds: Vec<ContentType> = found.iter().map(|(kind, ..)| *kind).collect();
            assert_eq!(kinds.last(), Some(&ContentType::Alert), "pieces of {piece}");
            assert!(kinds.len() <= 3 && records.partial.is_empty());
        }
    }

    #[test]
    fn a_gap_inside_a_record_loses_that_one_only() {
        let (a, b, c) = (record(23, &[1; 40]), record(23, &[2; 100]), record(23, &[3; 30]));
        let mut records = Records::default();
        assert_eq!(read(&mut records, &[&a[..], &b[..20]].concat()).len(), 1);
        records.gap(30);
        let found = read(&mut records, &[&b[50..], &c[..]].concat());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, [3; 30]);
        assert_eq!(found[0].2, Some(Lost { span: 105, least: 1, most: 1 }));
    }

    #[test]
    fn after_a_gap_of_unknown_extent_the_next_header_is_found() {
        let (a, b, c) = (record(23, &[1; 40]), record(23, &[2; 100]), record(23, &[3; 30]));
        let mut records = Records::default();
        assert_eq!(read(&mut records, &a).len(), 1);
        records.gap(50);
        let found = read(&mut records, &[&b[50..], &c[..]].concat());
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].1[..], found[0].2.unwrap().span), (&[3; 30][..], 105));
        assert!(found[0].2.unwrap().most >= 1);
        records.gap(105);
        assert_eq!(read(&mut records, &c)[0].2.map(|lost| (lost.span, lost.least)), Some((105, 1)));
    }
}
