//! The two header fields by which client and server know each other (RFC 6455 §4.1, §4.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use sha1::{Digest as _, Sha1};

/// What is wrong with a `Sec-WebSocket-Key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyFault {
    /// It is not base64.
    NotBase64,
    /// It decodes to this many bytes, not to 16.
    Length(usize),
}

/// The `Sec-WebSocket-Accept` that answers `key` (RFC 6455 §4.2.2). The key is hashed as written, without the white
/// space around it, valid or not.
pub fn accept_for(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key.trim_ascii()).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

/// Whether `accept` answers `key`, white space around it ignored (RFC 6455 §4.1).
pub fn accept_is_valid(key: &[u8], accept: &[u8]) -> bool {
    accept.trim_ascii() == accept_for(key).as_bytes()
}

/// Whether `key` is the base64 of 16 bytes (RFC 6455 §4.1). Bits that base64 leaves over may have any value, as
/// RFC 4648 §3.5 allows: no server refuses a key for them.
///
/// # Errors
///
/// What is wrong with the key.
pub fn check_key(key: &[u8]) -> Result<(), KeyFault> {
    match KEY.decode(key.trim_ascii()) {
        Ok(nonce) if nonce.len() == 16 => Ok(()),
        Ok(nonce) => Err(KeyFault::Length(nonce.len())),
        Err(_) => Err(KeyFault::NotBase64),
    }
}

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const KEY: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455_section_1_3_is_answered() {
        assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accept_is_valid(b"dGhlIHNhbXBsZSBub25jZQ==", b" s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t"));
        assert!(accept_is_valid(b"\tdGhlIHNhbXBsZSBub25jZQ== ", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn an_accept_for_another_key_or_in_another_case_is_not_valid() {
        assert!(!accept_is_valid(b"AAAAAAAAAAAAAAAAAAAAAA==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!accept_is_valid(b"dGhlIHNhbXBsZSBub25jZQ==", b"S3PPLMBITXAQ9KYGZZHZRBK+XOO="));
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        assert_eq!(check_key(b"dGhlIHNhbXBsZSBub25jZQ=="), Ok(()));
        assert_eq!(check_key(b" AQIDBAUGBwgJCgsMDQ4PEC== "), Ok(()));
        assert_eq!(check_key(b""), Err(KeyFault::Length(0)));
        assert_eq!(check_key(b"AAAA"), Err(KeyFault::Length(3)));
        assert_eq!(check_key(b"AAAAAAAAAAAAAAAAAAAAAAA="), Err(KeyFault::Length(17)));
        assert_eq!(check_key(b"dGhlIHNhbXBsZSBub25jZQ"), Err(KeyFault::NotBase64));
        assert_eq!(check_key(b"not base64!"), Err(KeyFault::NotBase64));
    }
}
