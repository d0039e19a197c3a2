//! Opens one protected record with one direction's keys (RFC 8446 §5.2, RFC 5246 §6.2.3).

use super::record::{ContentType, Header};
use super::schedule::{Hash, expand_label, prf};
use super::suite::{Bulk, CipherSuite, Mac};
use aes::{Aes128, Aes256};
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use ccm::Ccm;
use ccm::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// The keys of one direction.
pub(super) struct Opener {
    cipher: Cipher,
    layout: Layout,
}

enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
    Aes128Ccm(Box<Ccm<Aes128, U16, U12>>),
    Aes256Ccm(Box<Ccm<Aes256, U16, U12>>),
    Aes128Ccm8(Box<Ccm<Aes128, U8, U12>>),
    Aes256Ccm8(Box<Ccm<Aes256, U8, U12>>),
    Cbc(Box<Cbc>),
}

/// How a record is laid out and where its nonce comes from.
enum Layout {
    /// TLS 1.3: the sequence number goes into the nonce, the real type follows the contents.
    Tls13 { iv: [u8; 12] },
    /// TLS 1.2 with ChaCha20-Poly1305 (RFC 7905): as 1.3, but for the type.
    Implicit { iv: [u8; 12] },
    /// TLS 1.2 with GCM or CCM (RFC 5288, RFC 6655): eight bytes of the nonce travel in front.
    Explicit { salt: [u8; 4] },
    /// TLS 1.2 with CBC.
    Block,
}

struct Cbc {
    key: Vec<u8>,
    mac: Mac,
    mac_key: Vec<u8>,
    encrypt_then_mac: bool,
}

/// What gives the keys of TLS 1.2.
#[derive(Clone, Copy)]
pub(super) struct Params12<'a> {
    pub(super) suite: CipherSuite,
    pub(super) client_random: &'a [u8; 32],
    pub(super) server_random: &'a [u8; 32],
    /// RFC 7366.
    pub(super) encrypt_then_mac: bool,
}

impl Opener {
    /// For TLS 1.3, from a traffic secret. `None` where the secret is not of the suite's hash.
    pub(super) fn tls13(suite: CipherSuite, secret: &[u8]) -> Option<Opener> {
        let (bulk, hash) = suite.parts()?;
        if secret.len() != hash.len() {
            return None;
        }
        let key = expand_label(hash, secret, "key", key_len(bulk))?;
        let iv = expand_label(hash, secret, "iv", 12)?.try_into().ok()?;
        Some(Opener { cipher: Cipher::aead(bulk, &key)?, layout: Layout::Tls13 { iv } })
    }

    /// For TLS 1.2, from the master secret: the client's keys, then the server's.
    pub(super) fn tls12(params: Params12<'_>, master: &[u8]) -> Option<[Opener; 2]> {
        let (bulk, hash) = params.suite.parts()?;
        let (mac, iv) = match bulk {
            Bulk::ChaCha20Poly1305 => (0, 12),
            Bulk::Aes128Cbc(mac) | Bulk::Aes256Cbc(mac) => (mac.len(), 0),
            _ => (0, 4),
        };
        let key = key_len(bulk);
        let seed: [&[u8]; 2] = [params.server_random, params.client_random];
        let len = mac.saturating_add(key).saturating_add(iv).saturating_mul(2);
        let block = prf(hash, master, "key expansion", &seed, len)?;
        let (macs, rest) = block.split_at_checked(mac.saturating_mul(2))?;
        let (keys, ivs) = rest.split_at_checked(key.saturating_mul(2))?;
        let halves = [macs.split_at_checked(mac)?, keys.split_at_checked(key)?, ivs.split_at_checked(iv)?];
        let [(client_mac, server_mac), (client_key, server_key), (client_iv, server_iv)] = halves;
        let opener = |mac_key: &[u8], key: &[u8], iv: &[u8]| {
            let (cipher, layout) = match bulk {
                Bulk::Aes128Cbc(mac) | Bulk::Aes256Cbc(mac) => {
                    let encrypt_then_mac = params.encrypt_then_mac;
                    let cbc = Cbc { key: key.to_vec(), mac, mac_key: mac_key.to_vec(), encrypt_then_mac };
                    (Cipher::Cbc(Box::new(cbc)), Layout::Block)
                }
                Bulk::ChaCha20Poly1305 => {
                    (Cipher::aead(bulk, key)?, Layout::Implicit { iv: iv.try_into().ok()? })
                }
                _ => (Cipher::aead(bulk, key)?, Layout::Explicit { salt: iv.try_into().ok()? }),
            };
            Some(Opener { cipher, layout })
        };
        Some([opener(client_mac, client_key, client_iv)?, opener(server_mac, server_key, server_iv)?])
    }

    /// Opens the record with this sequence number; its contents are `out` then. `None` where the keys or the number
    /// are not those it was made with.
    pub(super) fn open(
        &self,
        sequence: u64,
        header: &Header,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<ContentType> {
        out.clear();
        match &self.layout {
            Layout::Tls13 { iv } => {
                let (body, tag) = self.split_tag(body)?;
                out.extend_from_slice(body);
                self.cipher.decrypt(&xor(iv, sequence), &header.bytes, out, tag)?;
                // The type is the last byte that is not padding (RFC 8446 §5.4).
                let end = out.iter().rposition(|&byte| byte != 0)?;
                let kind = ContentType::new(*out.get(end)?)?;
                out.truncate(end);
                Some(kind)
            }
            Layout::Implicit { iv } => {
                let (body, tag) = self.split_tag(body)?;
                out.extend_from_slice(body);
                self.cipher.decrypt(
                    &xor(iv, sequence),
                    &pseudo_header(sequence, header, body.len())?,
                    out,
                    tag,
                )?;
                Some(header.kind)
            }
            Layout::Explicit { salt } => {
                let (explicit, body) = body.split_first_chunk::<8>()?;
                let (body, tag) = self.split_tag(body)?;
                out.extend_from_slice(body);
                let mut nonce = [0; 12];
                let (front, back) = nonce.split_at_mut(salt.len());
                front.copy_from_slice(salt);
                back.copy_from_slice(explicit);
                self.cipher.decrypt(&nonce, &pseudo_header(sequence, header, body.len())?, out, tag)?;
                Some(header.kind)
            }
            Layout::Block => {
                let Cipher::Cbc(cbc) = &self.cipher else { return None };
                cbc.open(sequence, header, body, out)?;
                Some(header.kind)
            }
        }
    }

    /// Bytes that a record is longer than its contents, header included; for CBC a close guess.
    pub(super) fn overhead(&self) -> u64 {
        let tag = self.cipher.tag_len();
        let rest = match &self.layout {
            Layout::Tls13 { .. } => 1,
            Layout::Implicit { .. } => 0,
            Layout::Explicit { .. } => 8,
            Layout::Block => 17,
        };
        Header::LEN.saturating_add(tag).saturating_add(rest) as u64
    }

    fn split_tag<'a>(&self, body: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        body.split_at_checked(body.len().checked_sub(self.cipher.tag_len())?)
    }
}

impl Cipher {
    fn aead(bulk: Bulk, key: &[u8]) -> Option<Cipher> {
        fn new<A: KeyInit>(key: &[u8]) -> Option<Box<A>> {
            A::new_from_slice(key).ok().map(Box::new)
        }
        Some(match bulk {
            Bulk::Aes128Gcm => Cipher::Aes128Gcm(new(key)?),
            Bulk::Aes256Gcm => Cipher::Aes256Gcm(new(key)?),
            Bulk::ChaCha20Poly1305 => Cipher::ChaCha20Poly1305(new(key)?),
            Bulk::Aes128Ccm => Cipher::Aes128Ccm(new(key)?),
            Bulk::Aes256Ccm => Cipher::Aes256Ccm(new(key)?),
            Bulk::Aes128Ccm8 => Cipher::Aes128Ccm8(new(key)?),
            Bulk::Aes256Ccm8 => Cipher::Aes256Ccm8(new(key)?),
            Bulk::Aes128Cbc(_) | Bulk::Aes256Cbc(_) => return None,
        })
    }

    fn tag_len(&self) -> usize {
        match self {
            Cipher::Aes128Ccm8(_) | Cipher::Aes256Ccm8(_) => 8,
            Cipher::Cbc(cbc) => cbc.mac.len(),
            _ => 16,
        }
    }

    fn decrypt(&self, nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: &[u8]) -> Option<()> {
        fn decrypt<A: AeadInOut>(
            a: &A,
            nonce: &[u8],
            aad: &[u8],
            buffer: &mut [u8],
            tag: &[u8],
        ) -> Option<()> {
            let nonce = <&Nonce<A>>::try_from(nonce).ok()?;
            let tag = <&Tag<A>>::try_from(tag).ok()?;
            a.decrypt_inout_detached(nonce, aad, buffer.into(), tag).ok()
        }
        match self {
            Cipher::Aes128Gcm(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Aes256Gcm(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::ChaCha20Poly1305(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Aes128Ccm(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Aes256Ccm(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Aes128Ccm8(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Aes256Ccm8(cipher) => decrypt(&**cipher, nonce, aad, buffer, tag),
            Cipher::Cbc(_) => None,
        }
    }
}

impl Cbc {
    fn open(&self, sequence: u64, header: &Header, body: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (body, mac) = match self.encrypt_then_mac {
            true => {
                let (body, mac) = body.split_at_checked(body.len().checked_sub(self.mac.len())?)?;
                self.verify(&pseudo_header(sequence, header, body.len())?, body, mac)?;
                (body, None)
            }
            false => (body, Some(self.mac.len())),
        };
        let (iv, encrypted) = body.split_first_chunk::<16>()?;
        out.extend_from_slice(encrypted);
        match self.key.len() {
            16 => {
                let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&self.key, iv).ok()?;
                cipher.decrypt_padded::<NoPadding>(out).ok()?;
            }
            _ => {
                let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&self.key, iv).ok()?;
                cipher.decrypt_padded::<NoPadding>(out).ok()?;
            }
        }
        // The padding's length, then that many bytes of the same value before it.
        let padding = *out.last()?;
        let end = out.len().checked_sub(usize::from(padding).saturating_add(1))?;
        if out.get(end..)?.iter().any(|&byte| byte != padding) {
            return None;
        }
        out.truncate(end);
        if let Some(len) = mac {
            let end = out.len().checked_sub(len)?;
            let (contents, mac) = out.split_at_checked(end)?;
            self.verify(&pseudo_header(sequence, header, end)?, contents, mac)?;
            out.truncate(end);
        }
        Some(())
    }

    fn verify(&self, header: &[u8], contents: &[u8], mac: &[u8]) -> Option<()> {
        let key = &self.mac_key;
        match self.mac {
            Mac::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .ok()?
                .chain_update(header)
                .chain_update(contents)
                .verify_slice(mac),
            Mac::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .ok()?
                .chain_update(header)
                .chain_update(contents)
                .verify_slice(mac),
            Mac::Sha384 => Hmac::<Sha384>::new_from_slice(key)
                .ok()?
                .chain_update(header)
                .chain_update(contents)
                .verify_slice(mac),
        }
        .ok()
    }
}

/// The traffic secret after a key update (RFC 8446 §7.2).
pub(super) fn updated(hash: Hash, secret: &[u8]) -> Option<Vec<u8>> {
    expand_label(hash, secret, "traffic upd", hash.len())
}

const fn key_len(bulk: Bulk) -> usize {
    match bulk {
        Bulk::Aes128Gcm | Bulk::Aes128Ccm | Bulk::Aes128Ccm8 | Bulk::Aes128Cbc(_) => 16,
        Bulk::Aes256Gcm | Bulk::Aes256Ccm | Bulk::Aes256Ccm8 | Bulk::Aes256Cbc(_) => 32,
        Bulk::ChaCha20Poly1305 => 32,
    }
}

/// The nonce of a record whose number does not travel (RFC 8446 §5.3).
fn xor(iv: &[u8; 12], sequence: u64) -> [u8; 12] {
    let mut nonce = *iv;
    for (byte, number) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= number;
    }
    nonce
}

/// What TLS 1.2 authenticates before the contents (RFC 5246 §6.2.3.3).
fn pseudo_header(sequence: u64, header: &Header, len: usize) -> Option<[u8; 13]> {
    let mut out = [0; 13];
    let [kind, major, minor, ..] = header.bytes;
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    let (front, back) = out.split_at_mut(8);
    front.copy_from_slice(&sequence.to_be_bytes());
    back.copy_from_slice(&[kind, major, minor, high, low]);
    Some(out)
}
