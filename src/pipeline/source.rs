//! The first stages of a run: reads packets in one order, and finds the TCP segments and ICMP errors in them.

use crate::capture::{Format, Item, Merged, Seen};
use crate::net::{self, IcmpError, Segment};
use crate::time::Timestamp;
use crate::tls::KeyLog;

/// The input of a run, and the state of decoding it.
pub(super) struct Source {
    pub(super) input: Merged,
    pub(super) net: net::Decoder,
    /// All TLS keys so far.
    pub(super) keys: KeyLog,
    /// The last packet.
    pub(super) last: Option<Seen>,
    /// Capture time of the next call of [`Target::pass`].
    next_pass: Timestamp,
}

/// Takes what [`Source`] reads.
pub(super) trait Target {
    /// The next segment, from the loaded item of `input`.
    fn segment(&mut self, segment: &Segment<'_>, seen: Seen, input: &Merged);

    /// An error about a segment.
    fn icmp(&mut self, error: &IcmpError, seen: Seen);

    /// The capture has come to this time; called about once a second, for shards that see no packets.
    fn pass(&mut self, now: Seen);

    /// The capture brought TLS keys; `keys` are all so far.
    fn renew(&mut self, keys: &KeyLog);
}

impl Source {
    pub(super) fn new(input: Merged, keys: KeyLog) -> Source {
        let next_pass = Timestamp::from_nanos(i64::MIN);
        Source { input, net: net::Decoder::new(), keys, last: None, next_pass }
    }

    /// Whether captures may bring keys after the packets that they open: only pcapng can.
    pub(super) fn more_keys(&self) -> bool {
        self.input.infos().iter().any(|capture| capture.format == Format::Pcapng)
    }

    /// Reads one item; false at the end.
    #[inline]
    pub(super) fn read(&mut self, target: &mut impl Target) -> bool {
        if !self.input.advance() {
            return false;
        }
        match self.input.current() {
            Some(Item::Packet(packet)) => {
                let seen = packet.seen;
                self.last = Some(seen);
                if seen.at >= self.next_pass {
                    self.next_pass = Timestamp::from_nanos(seen.at.as_nanos().saturating_add(PASS_NANOS));
                    target.pass(seen);
                }
                let error = self.net.segment(&packet, |segment| target.segment(segment, seen, &self.input));
                if let Some(error) = error {
                    target.icmp(&error, seen);
                }
            }
            Some(Item::Secrets(text)) => {
                self.keys.read(text);
                target.renew(&self.keys);
            }
            None => {}
        }
        true
    }
}

/// Capture time between two calls of [`Target::pass`]: so a flow that ended is reported soon, even if its shard sees no more
/// packets.
const PASS_NANOS: i64 = 1_000_000_000;
