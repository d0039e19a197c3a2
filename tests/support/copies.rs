//! Fixtures packet by packet, copies of them that lack or add something, and what such a copy makes the program claim.

use super::{captures, root};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Cursor;
use std::path::Path;
use wsanalyze::capture::{self, Item, LinkType, Merged, Packet, Reader, Seen, Writer};
use wsanalyze::connection::Connection;
use wsanalyze::legs::LegPair;
use wsanalyze::net::{Decoder, Endpoint};
use wsanalyze::pipeline::{self, Observer, Options};
use wsanalyze::rules::{Blame, Confidence, Finding, Severity};
use wsanalyze::tls::KeyLog;
use wsanalyze::websocket::Depth;

/// A fixture, packet by packet, and what is said of it.
pub struct Capture {
    pub path: String,
    pub packets: Vec<Sent>,
    keys: KeyLog,
    /// What is said of the whole of it.
    pub told: Told,
}

/// A packet.
pub struct Sent {
    pub seen: Seen,
    link: LinkType,
    original_len: u32,
    fcs_len: u8,
    data: Vec<u8>,
    /// Ports, where it is TCP.
    pub from: u16,
    pub to: u16,
}

/// What is said of a capture.
#[derive(Default)]
pub struct Told {
    pub claims: Vec<Claim>,
    /// Connections from a gateway to what stands behind it.
    inner: HashSet<[Endpoint; 2]>,
    /// The same by their serials.
    legs: HashSet<u64>,
    /// What was read of each connection.
    pub read: HashMap<[Endpoint; 2], String>,
}

/// What a finding claims.
pub struct Claim {
    /// The ends of the connection, in the order of their addresses: who is the client is a claim, too.
    pub of: [Endpoint; 2],
    pub rule: &'static str,
    pub severity: Severity,
    pub confidence: Confidence,
    pub blame: Blame,
    pub message: String,
}

/// Every fixture of whole packets.
pub fn all() -> Vec<Capture> {
    captures().iter().map(|path| Capture::open(path)).collect()
}

impl Capture {
    fn open(path: &str) -> Capture {
        let full = root().join(path);
        let mut reader = capture::open(full.to_str().unwrap(), 0).unwrap();
        let (mut keys, mut packets, mut decoder) = (KeyLog::default(), Vec::new(), Decoder::new());
        let log = Path::new(path).file_stem().unwrap().to_str().unwrap();
        if let Ok(log) = std::fs::read(root().join(format!("fixtures/keys/{log}.keys.log"))) {
            keys.read(&log);
        }
        while let Some(item) = reader.next() {
            match item {
                Item::Secrets(text) => drop(keys.read(text)),
                Item::Packet(packet) => {
                    let Packet { seen, link, original_len, fcs_len, data } = packet;
                    let data = data.to_vec();
                    let mut sent = Sent { seen, link, original_len, fcs_len, data, from: 0, to: 0 };
                    decoder.segment(&packet, |segment| {
                        sent.from = segment.key.endpoint(segment.from).port;
                        sent.to = segment.key.endpoint(segment.from.other()).port;
                    });
                    packets.push(sent);
                }
            }
        }
        let mut capture = Capture { path: path.to_owned(), packets, keys, told: Told::default() };
        // Of the whole one all is looked at, so that it may refute what a copy makes worth a look.
        capture.told = capture.tell(&capture.with(|_, _| true), Depth::All);
        assert!(capture.packets.len() > 1, "{path}");
        capture
    }

    /// Another beginning of the dice for each.
    pub fn salt(&self) -> u64 {
        self.path.bytes().fold(0, |salt: u64, byte| salt.wrapping_mul(31).wrapping_add(u64::from(byte))) << 16
    }

    /// The lower port of each connection, which is the server's.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.packets.iter().map(|sent| sent.from.min(sent.to)).filter(|&port| port != 0).collect()
    }

    /// A copy with those packets, of which the number is told from 0.
    pub fn with(&self, mut keep: impl FnMut(usize, &Sent) -> bool) -> Vec<u8> {
        let kept = self.packets.iter().enumerate().filter(|(number, sent)| keep(*number, sent));
        write(kept.map(|(_, sent)| (sent, usize::MAX)))
    }

    /// A copy with that much of each packet.
    pub fn snapped(&self, snap: usize) -> Vec<u8> {
        write(self.packets.iter().map(|sent| (sent, snap)))
    }

    /// What is said of a copy.
    pub fn tell(&self, copy: &[u8], depth: Depth) -> Told {
        let reader = Reader::from_read(&self.path, 0, Box::new(Cursor::new(copy.to_vec()))).unwrap();
        let (options, input) = (Options { depth, ..Options::default() }, Merged::new(vec![reader]));
        let mut told = Told::default();
        pipeline::analyze_with(&options, self.keys.clone(), input, &mut told, &mut |_, _| {});
        told
    }
}

fn write<'a>(packets: impl Iterator<Item = (&'a Sent, usize)>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (sent, snap) in packets {
        let data = &sent.data[..sent.data.len().min(snap)];
        writer.packet(&Packet { data, ..sent.packet() }).unwrap();
    }
    writer.finish().unwrap()
}

impl Sent {
    pub fn packet(&self) -> Packet<'_> {
        let &Sent { seen, link, original_len, fcs_len, ref data, .. } = self;
        Packet { seen, link, original_len, fcs_len, data }
    }
}

impl Observer for Told {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        let mut of = [connection.tcp.client, connection.tcp.server];
        of.sort();
        if self.legs.contains(&connection.serial) {
            self.inner.insert(of);
        }
        let frames = connection.frames.as_ref().map(|frames| [frames.client.total(), frames.server.total()]);
        let heads = [connection.request.is_some(), connection.response.is_some()];
        let lacks = connection.quality.lacks_bytes();
        *self.read.entry(of).or_default() += &format!("{heads:?} {frames:?} {lacks}");
        for finding in findings.iter().flat_map(|root| std::iter::once(root).chain(&root.consequences)) {
            let &Finding { severity, confidence, blame, .. } = finding;
            let (rule, message) = (finding.rule.name, format!("{}: {}", finding.title, finding.message));
            self.claims.push(Claim { of, rule, severity, confidence, blame, message });
        }
    }

    fn legs(&mut self, pair: LegPair) {
        self.legs.insert(pair.upstream_leg);
        self.legs.extend(pair.attempts);
    }
}

impl Told {
    /// Who is to blame as seen from the client of the whole capture; `None` where it is nobody.
    fn party(&self, claim: &Claim) -> Option<Blame> {
        match claim.blame {
            Blame::Capture | Blame::Nobody | Blame::Unknown => None,
            Blame::Client if self.inner.contains(&claim.of) => Some(Blame::Gateway),
            Blame::Server if self.inner.contains(&claim.of) => Some(Blame::Upstream),
            blame => Some(blame),
        }
    }

    /// Whether it blames that party of something that grave.
    fn blames(&self, party: Blame, severity: Severity) -> bool {
        let grave = self.claims.iter().filter(|claim| claim.severity >= severity);
        grave.filter_map(|claim| self.party(claim)).any(|whole| {
            // One leg alone does not tell a gateway from a server.
            whole == party || party == Blame::Server && matches!(whole, Blame::Gateway | Blame::Upstream)
        })
    }

    /// Whether it says that of that connection and party, however grave it is there.
    fn says(&self, claim: &Claim) -> bool {
        let same =
            |whole: &&Claim| (whole.of, whole.rule, whole.blame) == (claim.of, claim.rule, claim.blame);
        self.claims.iter().any(|whole| same(&whole))
    }

    /// Whether a whole capture shows that what is said of a poor copy is wrong, or surer than it may be. `as_whole`: the copy
    /// has all that the connection said.
    pub fn refutes(&self, claim: &Claim, as_whole: bool) -> bool {
        if self.says(claim) {
            return false;
        }
        let is_error = |claim: &Claim| claim.severity == Severity::Error;
        // What one leg shows may be said without the other one, though not for certain.
        is_error(claim) && !as_whole && !self.claims.iter().any(is_error)
            || claim.confidence == Confidence::Certain
                && self.party(claim).is_some_and(|party| !self.blames(party, claim.severity))
    }
}

/// What was claimed of poor copies, and how often, with an example.
#[derive(Default)]
pub struct Wrong {
    tried: u64,
    claims: BTreeMap<String, (u64, String)>,
}

impl Wrong {
    /// Notes what the whole capture refutes of what is said of a copy, and how the copy was made.
    pub fn judge(&mut self, capture: &Capture, copy: &[u8], how: impl Fn() -> String) {
        self.tried += 1;
        let told = capture.tell(copy, Depth::default());
        for claim in told.claims {
            let as_whole = capture.told.read.get(&claim.of) == told.read.get(&claim.of);
            if capture.told.refutes(&claim, as_whole) {
                let Claim { rule, severity, confidence, blame, message, .. } = claim;
                let what =
                    format!("{}: {rule} ({severity:?}, {confidence:?}, blames {blame:?})", capture.path);
                let example = || {
                    let kept =
                        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lossy-{}.pcapng", self.tried));
                    std::fs::write(&kept, copy).unwrap();
                    (0, format!("{}, kept as {}: {message}", how(), kept.display()))
                };
                self.claims.entry(what).or_insert_with(example).0 += 1;
            }
        }
    }

    pub fn none(self) {
        let line = |(what, (count, example)): (&String, &(u64, String))| {
            format!("{count} × {what}\n    {example}\n")
        };
        let lines: String = self.claims.iter().map(line).collect();
        assert!(lines.is_empty(), "{} claims of {} copies:\n{lines}", self.claims.len(), self.tried);
    }
}

/// Steele, Lea and Flood's SplitMix64: the same throws for the same seed, everywhere.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }
}
