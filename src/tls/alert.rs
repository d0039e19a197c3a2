//! Alerts: how TLS says that something is over or wrong (RFC 8446 §6, RFC 5246 §7.2).

use crate::capture::Seen;
use crate::role::Role;
use std::fmt;

/// One alert and who sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Who sent it.
    pub from: Role,
    /// The packet with its last byte.
    pub seen: Seen,
    /// 1 for a warning, 2 for a fatal one. TLS 1.3 gives it no meaning.
    pub level: u8,
    /// What it says.
    pub description: AlertDescription,
}

impl Alert {
    /// Whether it ends a handshake or a connection in disorder, whatever its level.
    pub fn is_failure(&self) -> bool {
        match self.description {
            AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED => false,
            AlertDescription(100 | 112) if self.level == 1 => false,
            _ => true,
        }
    }
}

/// The number of an alert. Prints its registered name, or its number where the name is not known here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AlertDescription(pub u8);

impl AlertDescription {
    /// The sender will send no more: the lawful end.
    pub const CLOSE_NOTIFY: AlertDescription = AlertDescription(0);
    /// The handshake is given up without an error.
    pub const USER_CANCELED: AlertDescription = AlertDescription(90);

    /// Its registered name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "alert {}", self.0),
        }
    }
}
