//! Cipher suites: their names and what they are made of (IANA's registry "TLS Cipher Suites").

use super::schedule::Hash;
use std::fmt;

/// A cipher suite by its number. Prints its registered name, or its number where the name is not known here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CipherSuite(pub u16);

/// How a suite protects records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    Aes128Ccm,
    Aes256Ccm,
    Aes128Ccm8,
    Aes256Ccm8,
    Aes128Cbc(Mac),
    Aes256Cbc(Mac),
}

/// The hash of a suite's HMAC, for those without authenticated encryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

impl Mac {
    /// Bytes of its output and of its key.
    pub(super) const fn len(self) -> usize {
        match self {
            Mac::Sha1 => 20,
            Mac::Sha256 => 32,
            Mac::Sha384 => 48,
        }
    }
}

impl CipherSuite {
    /// Its registered name.
    pub fn name(self) -> Option<&'static str> {
        READABLE
            .iter()
            .map(|&(number, name, ..)| (number, name))
            .chain(OTHERS.iter().copied())
            .find(|&(number, _)| number == self.0)
            .map(|(_, name)| name)
    }

    /// How it protects records and which hash its key schedule uses; `None` where this program cannot open it.
    pub(super) fn parts(self) -> Option<(Bulk, Hash)> {
        READABLE.iter().find(|&&(number, ..)| number == self.0).map(|&(_, _, bulk, hash)| (bulk, hash))
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

use Bulk::*;
use Hash::{Sha256, Sha384};

/// Suites that can be opened.
const READABLE: &[(u16, &str, Bulk, Hash)] = &[
    (0x1301, "TLS_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x1302, "TLS_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0x1304, "TLS_AES_128_CCM_SHA256", Aes128Ccm, Sha256),
    (0x1305, "TLS_AES_128_CCM_8_SHA256", Aes128Ccm8, Sha256),
    (0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0xC02D, "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0xC02E, "TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0xC031, "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0xC032, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x00A2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x00A3, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x00A6, "TLS_DH_anon_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x00A7, "TLS_DH_anon_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x00A8, "TLS_PSK_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x00A9, "TLS_PSK_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x00AA, "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x00AB, "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0x00AC, "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0x00AD, "TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0xD001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", Aes128Gcm, Sha256),
    (0xD002, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384", Aes256Gcm, Sha384),
    (0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCAB, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCAC, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCAD, "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xCCAE, "TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Sha256),
    (0xC09C, "TLS_RSA_WITH_AES_128_CCM", Aes128Ccm, Sha256),
    (0xC09D, "TLS_RSA_WITH_AES_256_CCM", Aes256Ccm, Sha256),
    (0xC09E, "TLS_DHE_RSA_WITH_AES_128_CCM", Aes128Ccm, Sha256),
    (0xC09F, "TLS_DHE_RSA_WITH_AES_256_CCM", Aes256Ccm, Sha256),
    (0xC0A0, "TLS_RSA_WITH_AES_128_CCM_8", Aes128Ccm8, Sha256),
    (0xC0A1, "TLS_RSA_WITH_AES_256_CCM_8", Aes256Ccm8, Sha256),
    (0xC0A2, "TLS_DHE_RSA_WITH_AES_128_CCM_8", Aes128Ccm8, Sha256),
    (0xC0A3, "TLS_DHE_RSA_WITH_AES_256_CCM_8", Aes256Ccm8, Sha256),
    (0xC0A4, "TLS_PSK_WITH_AES_128_CCM", Aes128Ccm, Sha256),
    (0xC0A5, "TLS_PSK_WITH_AES_256_CCM", Aes256Ccm, Sha256),
    (0xC0A8, "TLS_PSK_WITH_AES_128_CCM_8", Aes128Ccm8, Sha256),
    (0xC0A9, "TLS_PSK_WITH_AES_256_CCM_8", Aes256Ccm8, Sha256),
    (0xC0AC, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", Aes128Ccm, Sha256),
    (0xC0AD, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", Aes256Ccm, Sha256),
    (0xC0AE, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", Aes128Ccm8, Sha256),
    (0xC0AF, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", Aes256Ccm8, Sha256),
    (0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", Aes256Cbc(Mac::Sha256), Sha256),
    (0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0x0034, "TLS_DH_anon_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0x003A, "TLS_DH_anon_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", Aes256Cbc(Mac::Sha256), Sha256),
    (0x008C, "TLS_PSK_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0x008D, "TLS_PSK_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0x00AE, "TLS_PSK_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0x00AF, "TLS_PSK_WITH_AES_256_CBC_SHA384", Aes256Cbc(Mac::Sha384), Sha384),
    (0xC004, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0xC005, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0xC00E, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0xC00F, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", Aes256Cbc(Mac::Sha384), Sha384),
    (0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", Aes256Cbc(Mac::Sha384), Sha384),
    (0xC035, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", Aes128Cbc(Mac::Sha1), Sha256),
    (0xC036, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA", Aes256Cbc(Mac::Sha1), Sha256),
    (0xC037, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", Aes128Cbc(Mac::Sha256), Sha256),
    (0xC038, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384", Aes256Cbc(Mac::Sha384), Sha384),
];

/// Suites that are met on the wire and cannot be opened here.
const OTHERS: &[(u16, &str)] = &[
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x003B, "TLS_RSA_WITH_NULL_SHA256"),
    (0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"),
    (0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA"),
    (0xC007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xC008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xC011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0xC012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xC050, "TLS_RSA_WITH_ARIA_128_GCM_SHA256"),
    (0xC051, "TLS_RSA_WITH_ARIA_256_GCM_SHA384"),
    (0xC05C, "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256"),
    (0xC05D, "TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384"),
    (0xC060, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256"),
    (0xC061, "TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384"),
    (0xC072, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256"),
    (0xC076, "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256"),
    (0x00C6, "TLS_SM4_GCM_SM3"),
    (0x00C7, "TLS_SM4_CCM_SM3"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_suite_is_made_of() {
        for &(number, name, bulk, hash) in READABLE {
            let parts = match bulk {
                Aes128Gcm => "AES_128_GCM",
                Aes256Gcm => "AES_256_GCM",
                ChaCha20Poly1305 => "CHACHA20_POLY1305",
                Aes128Ccm => "AES_128_CCM",
                Aes256Ccm => "AES_256_CCM",
                Aes128Ccm8 => "AES_128_CCM_8",
                Aes256Ccm8 => "AES_256_CCM_8",
                Aes128Cbc(_) => "AES_128_CBC_SHA",
                Aes256Cbc(_) => "AES_256_CBC_SHA",
            };
            assert!(name.contains(parts), "{name}");
            assert_eq!(hash == Sha384, name.ends_with("_SHA384"), "{name}");
            assert_eq!(READABLE.iter().filter(|suite| suite.0 == number).count(), 1, "{name}");
            assert!(OTHERS.iter().all(|other| other.0 != number), "{name}");
            if let Aes128Cbc(mac) | Aes256Cbc(mac) = bulk {
                assert!(name.ends_with(["_SHA", "_SHA256", "_SHA384"][mac.len() / 16 - 1]), "{name}");
            }
        }
        assert_eq!(CipherSuite(0x1301).to_string(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(CipherSuite(0xFEFE).to_string(), "0xfefe");
        assert!(CipherSuite(0x000A).parts().is_none() && CipherSuite(0x000A).name().is_some());
    }
}
