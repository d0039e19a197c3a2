//! From secrets to keys: the key schedules of TLS 1.3 (RFC 8446 §7) and 1.2 (RFC 5246 §5, §6.3), over HKDF and HMAC.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};

/// The hash of a cipher suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    /// The hash of `bytes`.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha384 => Sha384::digest(bytes).to_vec(),
        }
    }

    /// Bytes of its output.
    pub(super) const fn len(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }

    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        Some(match self {
            Hash::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
                parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().to_vec()
            }
            Hash::Sha384 => {
                let mac = Hmac::<Sha384>::new_from_slice(key).ok()?;
                parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().to_vec()
            }
        })
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1). `None` where the secret is shorter than the hash, or too
/// much is asked for.
pub(super) fn expand_label(hash: Hash, secret: &[u8], label: &str, len: usize) -> Option<Vec<u8>> {
    const PREFIX: &[u8] = b"tls13 ";
    let label_len = u8::try_from(PREFIX.len().saturating_add(label.len())).ok()?;
    let mut info = u16::try_from(len).ok()?.to_be_bytes().to_vec();
    info.push(label_len);
    info.extend_from_slice(PREFIX);
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = vec![0; len];
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
    }
    Some(out)
}

/// The pseudorandom function of TLS 1.2 (RFC 5246 §5).
pub(super) fn prf(hash: Hash, secret: &[u8], label: &str, seed: &[&[u8]], len: usize) -> Option<Vec<u8>> {
    let seed = [&[label.as_bytes()], seed].concat().concat();
    let mut a = hash.hmac(secret, &[&seed])?;
    let mut out = Vec::with_capacity(len.saturating_add(hash.len()));
    while out.len() < len {
        out.extend(hash.hmac(secret, &[&a, &seed])?);
        a = hash.hmac(secret, &[&a])?;
    }
    out.truncate(len);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8448 §3, "Simple 1-RTT Handshake".
    #[test]
    fn traffic_keys_of_the_simple_handshake_are_those_of_rfc_8448() {
        let cases = [
            (
                "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
                "dbfaa693d1762c5b666af5d950258d01",
                "5bd3c71b836e0b76bb73265f",
            ),
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356",
                "cf782b88dd83549aadf1e984",
            ),
            (
                "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
            ),
        ];
        for (secret, key, iv) in cases {
            assert_eq!(expand_label(Hash::Sha256, &hex(secret), "key", 16), Some(hex(key)));
            assert_eq!(expand_label(Hash::Sha256, &hex(secret), "iv", 12), Some(hex(iv)));
        }
    }

    /// A vector in wide use for `P_SHA256` of TLS 1.2, published on the IETF's TLS mailing list.
    #[test]
    fn the_prf_of_tls_1_2_gives_the_published_vector() {
        let out = prf(
            Hash::Sha256,
            &hex("9bbe436ba940f017b17652849a71db35"),
            "test label",
            &[&hex("a0ba9f936cda311827a6f796ffd5198c")],
            100,
        );
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a
            6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66";
        assert_eq!(out, Some(hex(expected)));
    }

    #[test]
    fn a_secret_shorter_than_the_hash_gives_nothing() {
        assert!(expand_label(Hash::Sha384, &[1; 32], "key", 16).is_none());
    }
}
