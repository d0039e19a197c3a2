//! Key logs in the format of NSS: what opens a connection, by its client random (RFC 9850).
//!
//! Nothing here can be printed: no type that holds a secret implements `Debug` or `Display`.

use crate::limits;
use std::mem::take;
use std::sync::Arc;

/// Secrets of any number of connections. A clone shares them: only what is added afterwards is its own.
#[derive(Clone, Default)]
pub struct KeyLog {
    /// The oldest first, each in the order of names. Each is more than twice as long as the next, so that they stay few however
    /// many secrets are added. A list takes no more room than what it holds, while a hash table may take twice as much.
    layers: Vec<Arc<Vec<Entry>>>,
    count: usize,
    full: bool,
    has_premasters: bool,
}

/// A secret, and what it is found by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    name: Name,
    label: Label,
    secret: Secret,
}

/// A client random, a session ID, or the first eight bytes of an encrypted premaster secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    len: u8,
    bytes: [u8; Name::LONGEST],
}

impl Name {
    /// No session ID is longer than a random (RFC 5246 §7.4.1.2).
    const LONGEST: usize = 32;

    fn new(bytes: &[u8]) -> Option<Name> {
        let mut name = Name { len: u8::try_from(bytes.len()).ok()?, bytes: [0; Name::LONGEST] };
        name.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(name)
    }
}

/// Which secret it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Label {
    /// The master secret of TLS 1.2.
    Master,
    ClientEarly,
    ClientHandshake,
    ServerHandshake,
    ClientTraffic,
    ServerTraffic,
    /// The premaster secret of RSA key exchange.
    Premaster,
    /// The master secret of a session, by its ID.
    Session,
}

/// Some bytes that must not be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret {
    len: u8,
    bytes: [u8; Secret::LONGEST],
}

impl Secret {
    /// A traffic secret is as long as the hash, SHA-384 at most, and a master secret has as many bytes.
    const LONGEST: usize = MASTER;

    pub(super) fn new(bytes: &[u8]) -> Option<Secret> {
        let mut secret = Secret { len: u8::try_from(bytes.len()).ok()?, bytes: [0; Secret::LONGEST] };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl KeyLog {
    /// Adds what `text` holds, in any order and with any line ends, and tells how many lines held a secret,
    /// known or not. The others are passed over.
    pub fn read(&mut self, text: &[u8]) -> usize {
        let (mut fresh, mut held) = (Vec::new(), 0_usize);
        let lines = text.split(|&byte| byte == b'\n' || byte == b'\r');
        for entry in lines.filter_map(|line| entry(line.trim_ascii())) {
            held = held.saturating_add(1);
            self.add(entry, &mut fresh);
            if fresh.len() >= TOGETHER {
                self.settle(take(&mut fresh));
            }
        }
        self.settle(fresh);
        held
    }

    /// How many secrets it holds.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether secrets were left out because there were more than [`limits::KEY_LOG_SECRETS`].
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether it holds any secret of this connection.
    pub(super) fn knows(&self, client_random: &[u8; 32]) -> bool {
        self.of(Name::new(client_random)).any(|its| !matches!(its.label, Label::Premaster | Label::Session))
    }

    /// The secrets of a connection under one label: one, unless the log contradicts itself.
    pub(super) fn secrets(&self, client_random: &[u8; 32], label: Label) -> impl Iterator<Item = &Secret> {
        self.labelled(client_random, label)
    }

    pub(super) fn premaster(&self, encrypted: &[u8]) -> Option<&Secret> {
        self.labelled(encrypted.first_chunk::<8>()?, Label::Premaster).last()
    }

    pub(super) fn has_premasters(&self) -> bool {
        self.has_premasters
    }

    pub(super) fn session(&self, id: &[u8]) -> Option<&Secret> {
        self.labelled(id, Label::Session).last()
    }

    fn labelled(&self, name: &[u8], label: Label) -> impl Iterator<Item = &Secret> {
        self.of(Name::new(name)).filter(move |its| its.label == label).map(|its| &its.secret)
    }

    /// All secrets of this name, the oldest first.
    fn of(&self, name: Option<Name>) -> impl Iterator<Item = &Entry> {
        let named = move |layer: &'_ Arc<Vec<Entry>>| {
            let from = name.map(|name| layer.partition_point(|its| its.name < name));
            from.unwrap_or(layer.len())
        };
        let layers = self.layers.iter();
        layers.flat_map(move |layer| {
            let rest = layer.get(named(layer)..).unwrap_or_default();
            rest.iter().take_while(move |its| Some(its.name) == name)
        })
    }

    /// Puts a secret that is new to `fresh`, where there is room.
    fn add(&mut self, entry: Entry, fresh: &mut Vec<Entry>) {
        let mut others = 0_usize;
        let recent = fresh.iter().filter(|its| its.name == entry.name);
        for its in self.of(Some(entry.name)).chain(recent) {
            if *its == entry {
                return;
            }
            others = others.saturating_add(1);
        }
        self.full |= self.count >= limits::KEY_LOG_SECRETS;
        if others < SECRETS_OF_ONE && self.count < limits::KEY_LOG_SECRETS {
            self.count = self.count.saturating_add(1);
            self.has_premasters |= entry.label == Label::Premaster;
            fresh.push(entry);
        }
    }

    /// Makes a layer of what is new, together with those that are not much longer.
    fn settle(&mut self, mut fresh: Vec<Entry>) {
        if fresh.is_empty() {
            return;
        }
        fresh.sort_by_key(|entry| entry.name);
        while let Some(older) = self.layers.last()
            && fresh.len().saturating_mul(2) >= older.len()
        {
            fresh = merged(older, &fresh);
            self.layers.pop();
        }
        self.layers.push(Arc::new(fresh));
    }
}

/// Both in one order; of the same name, the older first.
fn merged(older: &[Entry], newer: &[Entry]) -> Vec<Entry> {
    let mut all = Vec::with_capacity(older.len().saturating_add(newer.len()));
    let mut newer = newer.iter().copied().peekable();
    for old in older {
        while let Some(new) = newer.next_if(|new| new.name < old.name) {
            all.push(new);
        }
        all.push(*old);
    }
    all.extend(newer);
    all
}

/// What a line holds.
fn entry(line: &[u8]) -> Option<Entry> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (label, which, secret) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let label = match label {
        b"RSA" => return rsa(which, secret),
        b"CLIENT_RANDOM" => Label::Master,
        b"CLIENT_EARLY_TRAFFIC_SECRET" => Label::ClientEarly,
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Label::ClientHandshake,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Label::ServerHandshake,
        b"CLIENT_TRAFFIC_SECRET_0" => Label::ClientTraffic,
        b"SERVER_TRAFFIC_SECRET_0" => Label::ServerTraffic,
        // Later traffic secrets follow from the first ones; exporter secrets open nothing.
        _ => return None,
    };
    let random: [u8; 32] = hex(which)?.try_into().ok()?;
    let secret = match hex(secret)? {
        bytes if label == Label::Master && bytes.len() != MASTER => return None,
        bytes if label != Label::Master && bytes.len() < SHORTEST_TRAFFIC => return None,
        bytes => Secret::new(&bytes)?,
    };
    Some(Entry { name: Name::new(&random)?, label, secret })
}

/// `RSA <first 8 bytes of the encrypted premaster secret> <premaster secret>`, or the older
/// `RSA Session-ID:<id> Master-Key:<master secret>`.
fn rsa(which: &[u8], secret: &[u8]) -> Option<Entry> {
    let (name, label, secret) = match which.strip_prefix(b"Session-ID:") {
        Some(id) => (hex(id)?, Label::Session, secret.strip_prefix(b"Master-Key:")?),
        None => (<[u8; 8]>::try_from(hex(which)?).ok()?.to_vec(), Label::Premaster, secret),
    };
    Some(Entry { name: Name::new(&name)?, label, secret: master(secret)? })
}

/// Bytes of a master or premaster secret.
const MASTER: usize = 48;

/// Bytes of the shortest hash of TLS 1.3.
const SHORTEST_TRAFFIC: usize = 32;

/// The longest known line has 32 + 64 + 131 characters.
const LONGEST_LINE: usize = 1024;

/// Secrets of one connection: five are usual.
const SECRETS_OF_ONE: usize = 16;

/// New secrets that are put in order together: few enough to look through, enough to make it worth its while.
const TOGETHER: usize = 256;

fn master(digits: &[u8]) -> Option<Secret> {
    hex(digits).filter(|bytes| bytes.len() == MASTER).and_then(|bytes| Secret::new(&bytes))
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4) | digit(low)?);
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANDOM: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";

    fn random() -> [u8; 32] {
        std::array::from_fn(|i| i as u8)
    }

    fn read(text: &str) -> KeyLog {
        let mut log = KeyLog::default();
        log.read(text.as_bytes());
        log
    }

    #[test]
    fn lines_are_found_among_comments_junk_repeats_and_any_line_ends() {
        let master = "ab".repeat(48);
        let traffic = "CD".repeat(32);
        let text = format!(
            "\u{feff}# comment\r\n\r\nGARBAGE LINE\nCLIENT_RANDOM zz yy\nCLIENT_RANDOM {RANDOM} {master} more\r\
             CLIENT_RANDOM {RANDOM} {master}\r\n  CLIENT_RANDOM\t{RANDOM}  {master}  \n\
             CLIENT_TRAFFIC_SECRET_0 {RANDOM} {traffic}\nEXPORTER_SECRET {RANDOM} {traffic}\n\
             SERVER_TRAFFIC_SECRET_0 {RANDOM} 00\nCLIENT_HANDSHAKE_TRAFFIC_SECRET {RANDOM} {traffic}"
        );
        let log = read(&text);
        assert_eq!(log.len(), 3);
        let secrets = |label| log.secrets(&random(), label).map(|s| s.bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(secrets(Label::Master), [vec![0xab; 48]]);
        assert_eq!(secrets(Label::ClientTraffic), [vec![0xcd; 32]]);
        assert_eq!(secrets(Label::ClientHandshake).len(), 1);
        assert!(secrets(Label::ServerTraffic).is_empty());
        assert!(log.knows(&random()) && !log.knows(&[0; 32]));
    }

    #[test]
    fn rsa_lines_of_both_kinds_are_read() {
        let secret = "07".repeat(48);
        let log = read(&format!("RSA 0102030405060708 {secret}\nRSA Session-ID:aabb Master-Key:{secret}\n"));
        assert!(log.premaster(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).is_some());
        assert!(log.premaster(&[1, 2, 3]).is_none() && log.session(&[0xaa]).is_none());
        assert_eq!(log.session(&[0xaa, 0xbb]).map(Secret::bytes), Some(&[7; 48][..]));
        assert_eq!(log.len(), 2);
    }

    #[test]
    fn secrets_that_contradict_each_other_are_all_kept() {
        let log = read(&format!(
            "CLIENT_RANDOM {RANDOM} {}\nCLIENT_RANDOM {RANDOM} {}\n",
            "00".repeat(48),
            "11".repeat(48)
        ));
        assert_eq!(log.secrets(&random(), Label::Master).count(), 2);
    }

    #[test]
    fn a_clone_shares_what_was_there_and_layers_stay_few() {
        let line = |n: u32| format!("SERVER_TRAFFIC_SECRET_0 {n:064x} {}", "07".repeat(32));
        let mut log = KeyLog::default();
        let mut clones = Vec::new();
        for n in 0..1000 {
            log.read(line(n).as_bytes());
            clones.push(log.clone());
        }
        assert!(log.layers.len() < 12, "{}", log.layers.len());
        let knows = |log: &KeyLog, n: u32| {
            let mut random = [0; 32];
            random[28..].copy_from_slice(&n.to_be_bytes());
            log.knows(&random)
        };
        assert!((0..1000).all(|n| knows(&log, n)));
        assert!(knows(&clones[500], 500) && !knows(&clones[500], 501));
        assert_eq!((clones[500].len(), log.len()), (501, 1000));
        log.read(line(3).as_bytes());
        assert_eq!(log.len(), 1000, "known already");
    }

    #[test]
    fn secrets_are_kept_up_to_their_bound_and_repeats_of_them_change_nothing() {
        let line = |n: usize| format!("CLIENT_RANDOM {n:064x} {}\n", "07".repeat(48));
        let mut log = KeyLog { count: limits::KEY_LOG_SECRETS - 300, ..KeyLog::default() };
        let text: String = (0..300).map(line).collect();
        log.read(text.as_bytes());
        log.read(text.as_bytes());
        assert_eq!((log.len(), log.is_full()), (limits::KEY_LOG_SECRETS, false));
        assert_eq!(log.read((300..1500).map(line).collect::<String>().as_bytes()), 1200);
        assert_eq!((log.len(), log.is_full()), (limits::KEY_LOG_SECRETS, true));
        let kept: usize = log.layers.iter().map(|layer| layer.len()).sum();
        assert_eq!(kept, 300);
    }

    #[test]
    fn a_connection_has_few_secrets() {
        let line = |n: usize| format!("CLIENT_RANDOM {RANDOM} {n:096x}\n");
        let log = read(&(0..1000).map(line).collect::<String>());
        assert_eq!(
            (log.len(), log.secrets(&random(), Label::Master).count()),
            (SECRETS_OF_ONE, SECRETS_OF_ONE)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            KeyLog::default().read(&bytes);
        }

        #[test]
        fn order_line_ends_and_junk_change_nothing(
            secrets in proptest::collection::vec((any::<[u8; 32]>(), any::<[u8; 32]>()), 1..6),
            junk in "[ -~]{0,40}",
            crlf in any::<bool>(),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
            let mut lines: Vec<String> = secrets
                .iter()
                .map(|(random, secret)| format!("SERVER_TRAFFIC_SECRET_0 {} {}", hex(random), hex(secret)))
                .collect();
            let forward = read(&lines.join(end));
            lines.reverse();
            lines.insert(0, format!("#{junk}"));
            let backward = read(&lines.join(end));
            prop_assert_eq!(forward.len(), backward.len());
            for (random, secret) in &secrets {
                for log in [&forward, &backward] {
                    let found = log.secrets(random, Label::ServerTraffic).any(|its| its.bytes() == secret);
                    prop_assert!(found);
                }
            }
        }
    }
}
