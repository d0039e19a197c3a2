//! A client and a server of TLS 1.3 that seal records with the keys that a session must find.

use super::CipherSuite;
use super::handshake::kind;
use super::schedule::{Hash, expand_label};
use crate::net::Side;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};

pub(crate) const C: Side = Side::Low;
pub(crate) const S: Side = Side::High;
pub(crate) const RANDOM: [u8; 32] = [0x41; 32];
pub(crate) const SUITE: CipherSuite = CipherSuite(0x1301);

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, body].concat()
}

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vector16(body)].concat()
}

pub(crate) fn extension(number: u16, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &vector16(data)].concat()
}

pub(crate) fn client_hello(early_data: bool) -> Vec<u8> {
    let mut extensions =
        [extension(0, &vector16(b"\0\0\x0aws.example")), extension(16, &vector16(b"\x08http/1.1"))].concat();
    extensions.extend(extension(43, &[2, 3, 4]));
    if early_data {
        extensions.extend(extension(42, &[]));
    }
    let body = [&[3, 3][..], &RANDOM, &[0], &[0, 2, 0x13, 1], &[1, 0], &vector16(&extensions)].concat();
    record(22, &message(kind::CLIENT_HELLO, &body))
}

pub(crate) fn server_hello(random: [u8; 32]) -> Vec<u8> {
    let body = [&[3, 3][..], &random, &[0], &[0x13, 1], &[0], &vector16(&extension(43, &[3, 4]))].concat();
    record(22, &message(kind::SERVER_HELLO, &body))
}

/// Seals records of one direction and phase of TLS 1.3 with AES-128-GCM.
pub(crate) struct Sealer {
    secret: Vec<u8>,
    sequence: u64,
}

impl Sealer {
    pub(crate) fn new(secret: u8) -> Sealer {
        Sealer { secret: vec![secret; 32], sequence: 0 }
    }

    pub(crate) fn seal(&mut self, kind: u8, contents: &[u8]) -> Vec<u8> {
        let key = expand_label(Hash::Sha256, &self.secret, "key", 16).unwrap();
        let mut nonce = expand_label(Hash::Sha256, &self.secret, "iv", 12).unwrap();
        for (byte, number) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= number;
        }
        self.sequence += 1;
        let mut body = [contents, &[kind]].concat();
        let header = [&[23, 3, 3][..], &u16::try_from(body.len() + 16).unwrap().to_be_bytes()].concat();
        let cipher = aes_gcm::Aes128Gcm::new_from_slice(&key).unwrap();
        let nonce = <&Nonce<aes_gcm::Aes128Gcm>>::try_from(&nonce[..]).unwrap();
        let tag = cipher.encrypt_inout_detached(nonce, &header, body.as_mut_slice().into()).unwrap();
        [&header[..], &body, &tag].concat()
    }

    pub(crate) fn update(&mut self) {
        self.secret = expand_label(Hash::Sha256, &self.secret, "traffic upd", 32).unwrap();
        self.sequence = 0;
    }
}

/// The secrets of [`Peers`], one byte repeated each.
pub(crate) const SECRETS: [(&str, u8); 5] = [
    ("CLIENT_EARLY_TRAFFIC_SECRET", 0xE0),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 0xC1),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 0x51),
    ("CLIENT_TRAFFIC_SECRET_0", 0xC2),
    ("SERVER_TRAFFIC_SECRET_0", 0x52),
];

pub(crate) fn key_log(wanted: impl Fn(&str) -> bool) -> String {
    let random = hex(&RANDOM);
    let lines = SECRETS.iter().filter(|(label, _)| wanted(label));
    lines.map(|(label, byte)| format!("{label} {random} {}\n", hex(&[*byte; 32]))).collect()
}

/// What a capture holds: who sent what, a packet each.
pub(crate) type Packets = Vec<(Side, Vec<u8>)>;

/// A whole connection of TLS 1.3 in which the two say this in turn, the client first, and the server close_notify.
pub(crate) fn conversation(said: &[&[u8]]) -> Packets {
    let (mut ch, mut sh, mut c, mut s) =
        (Sealer::new(0xC1), Sealer::new(0x51), Sealer::new(0xC2), Sealer::new(0x52));
    let finished = message(kind::FINISHED, &[9; 32]);
    let change = record(20, &[1]);
    let extensions =
        message(kind::ENCRYPTED_EXTENSIONS, &vector16(&extension(16, &vector16(b"\x08http/1.1"))));
    let certificate = message(11, &[7; 300]);
    let flight = [extensions, certificate, finished.clone()].concat();
    let mut packets = vec![
        (C, client_hello(false)),
        (
            S,
            [server_hello([2; 32]), change.clone(), sh.seal(22, &flight[..100]), sh.seal(22, &flight[100..])]
                .concat(),
        ),
        (C, [change, ch.seal(22, &finished)].concat()),
        (S, s.seal(22, &message(4, &[0; 40]))),
    ];
    for (turn, said) in said.iter().enumerate() {
        // In two records, the second of them with nothing to say beside it.
        let (from, sealer) = if turn % 2 == 0 { (C, &mut c) } else { (S, &mut s) };
        let (one, other) = said.split_at(said.len() / 2);
        packets.push((from, [sealer.seal(23, one), sealer.seal(23, other), sealer.seal(23, b"")].concat()));
    }
    packets.push((S, s.seal(21, &[1, 0])));
    packets
}
