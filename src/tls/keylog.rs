//! Key logs in the format of NSS: what opens a connection, by its client random (RFC 9850).
//!
//! Nothing here can be printed: no type that holds a secret implements `Debug` or `Display`.

use crate::limits;
use std::collections::HashMap;
use std::sync::Arc;

/// Secrets of any number of connections. A clone shares them: only what is added afterwards is its own.
#[derive(Clone, Default)]
pub struct KeyLog {
    /// The oldest first. Each is more than twice as large as the next, so that they stay few however many are added.
    layers: Vec<Arc<Layer>>,
    count: usize,
    full: bool,
}

/// Secrets that were added together.
#[derive(Clone, Default)]
struct Layer {
    /// By client random.
    secrets: HashMap<[u8; 32], Vec<(Label, Secret)>>,
    /// Premaster secrets of RSA key exchange, by the first bytes of their encrypted form.
    premasters: HashMap<[u8; 8], Secret>,
    /// Master secrets by session ID.
    sessions: HashMap<Box<[u8]>, Secret>,
}

impl Layer {
    fn len(&self) -> usize {
        self.secrets.len().saturating_add(self.premasters.len()).saturating_add(self.sessions.len())
    }

    /// Takes what a newer one holds.
    fn absorb(&mut self, newer: &Layer) {
        for (random, secrets) in &newer.secrets {
            self.secrets.entry(*random).or_default().extend(secrets);
        }
        self.premasters.extend(&newer.premasters);
        self.sessions.extend(newer.sessions.iter().map(|(id, secret)| (id.clone(), *secret)));
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
}

/// Some bytes that must not be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret {
    len: u8,
    bytes: [u8; Secret::LONGEST],
}

impl Secret {
    /// A traffic secret is as long as the hash; no hash is longer than 64 bytes.
    const LONGEST: usize = 64;

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
        let lines = text.split(|&byte| byte == b'\n' || byte == b'\r');
        let held = lines.filter_map(|line| self.line(line.trim_ascii())).count();
        self.settle();
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
        self.layers.iter().any(|layer| layer.secrets.contains_key(client_random))
    }

    /// The secrets of a connection under one label: one, unless the log contradicts itself.
    pub(super) fn secrets(&self, client_random: &[u8; 32], label: Label) -> impl Iterator<Item = &Secret> {
        self.of(client_random).filter(move |(its, _)| *its == label).map(|(_, secret)| secret)
    }

    pub(super) fn premaster(&self, encrypted: &[u8]) -> Option<&Secret> {
        let which = encrypted.first_chunk::<8>()?;
        self.layers.iter().rev().find_map(|layer| layer.premasters.get(which))
    }

    pub(super) fn has_premasters(&self) -> bool {
        self.layers.iter().any(|layer| !layer.premasters.is_empty())
    }

    pub(super) fn session(&self, id: &[u8]) -> Option<&Secret> {
        self.layers.iter().rev().find_map(|layer| layer.sessions.get(id))
    }

    /// All secrets of a connection.
    fn of(&self, client_random: &[u8; 32]) -> impl Iterator<Item = &(Label, Secret)> {
        self.layers.iter().filter_map(|layer| layer.secrets.get(client_random)).flatten()
    }

    /// Where secrets are added: the newest layer, unless it is shared.
    fn top(&mut self) -> Option<&mut Layer> {
        if self.layers.last_mut().and_then(Arc::get_mut).is_none() {
            self.layers.push(Arc::default());
        }
        self.layers.last_mut().and_then(Arc::get_mut)
    }

    /// Puts small layers together.
    fn settle(&mut self) {
        while let [.., older, newer] = self.layers.as_mut_slice()
            && newer.len().saturating_mul(2) >= older.len()
        {
            Arc::make_mut(older).absorb(newer);
            self.layers.pop();
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (label, which, secret) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        if label == b"RSA" {
            return self.rsa(which, secret);
        }
        let label = match label {
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
        if !self.has_room() {
            return None;
        }
        let known = self.of(&random).any(|its| *its == (label, secret));
        if !known && self.of(&random).count() < SECRETS_OF_ONE {
            self.top()?.secrets.entry(random).or_default().push((label, secret));
            self.count = self.count.saturating_add(1);
        }
        Some(())
    }

    /// `RSA <first 8 bytes of the encrypted premaster secret> <premaster secret>`, or the older
    /// `RSA Session-ID:<id> Master-Key:<master secret>`.
    fn rsa(&mut self, which: &[u8], secret: &[u8]) -> Option<()> {
        if !self.has_room() {
            return None;
        }
        let known = match which.strip_prefix(b"Session-ID:") {
            Some(id) => {
                let (id, secret) = (hex(id)?, master(secret.strip_prefix(b"Master-Key:")?)?);
                let known = self.session(&id).is_some();
                self.top()?.sessions.insert(id.into(), secret);
                known
            }
            None => {
                let (which, secret): ([u8; 8], _) = (hex(which)?.try_into().ok()?, master(secret)?);
                let known = self.premaster(&which).is_some();
                self.top()?.premasters.insert(which, secret);
                known
            }
        };
        self.count = self.count.saturating_add(usize::from(!known));
        Some(())
    }

    fn has_room(&mut self) -> bool {
        self.full |= self.count >= limits::KEY_LOG_SECRETS;
        !self.full
    }
}

/// Bytes of a master or premaster secret.
const MASTER: usize = 48;

/// Bytes of the shortest hash of TLS 1.3.
const SHORTEST_TRAFFIC: usize = 32;

/// The longest known line has 32 + 64 + 131 characters.
const LONGEST_LINE: usize = 1024;

/// Secrets of one connection: five are usual.
const SECRETS_OF_ONE: usize = 16;

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
