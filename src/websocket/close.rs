//! Close payloads and close codes (RFC 6455 §5.5.1, §7.4 and the IANA registry of WebSocket close codes).

use std::borrow::Cow;

/// The body of a Close frame, unmasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClosePayload<'a> {
    /// The status code; `None` for an empty body, or one of a single byte.
    pub code: Option<u16>,
    /// The reason; bytes that are not UTF-8 are replaced.
    pub reason: Cow<'a, str>,
    /// What is wrong with the body.
    pub flaw: Option<CloseFlaw>,
}

/// What can be wrong with the body of a Close, besides its code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseFlaw {
    /// A body of one byte, which cannot hold a code.
    OneByte,
    /// The reason is not UTF-8.
    ReasonNotUtf8,
}

impl<'a> ClosePayload<'a> {
    /// Reads the unmasked payload of a Close.
    pub fn parse(payload: &'a [u8]) -> ClosePayload<'a> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            let flaw = if payload.is_empty() { None } else { Some(CloseFlaw::OneByte) };
            return ClosePayload { code: None, reason: Cow::Borrowed(""), flaw };
        };
        let (reason, flaw) = match str::from_utf8(reason) {
            Ok(reason) => (Cow::Borrowed(reason), None),
            Err(_) => (String::from_utf8_lossy(reason), Some(CloseFlaw::ReasonNotUtf8)),
        };
        ClosePayload { code: Some(u16::from_be_bytes(*code)), reason, flaw }
    }
}

/// What a close code is allowed to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseClass {
    /// Registered, or in a range that applications may use: may be sent.
    Sendable,
    /// 1004, 1005, 1006 and 1015: never sent (RFC 6455 §7.4.1).
    Reserved,
    /// 0 to 999, 1016 to 2999 and from 5000 on: nobody may send it (RFC 6455 §7.4.2).
    Invalid,
}

/// Whether `code` may travel in a Close frame.
pub const fn close_class(code: u16) -> CloseClass {
    match code {
        1004..=1006 | 1015 => CloseClass::Reserved,
        1000..=1014 | 3000..=4999 => CloseClass::Sendable,
        _ => CloseClass::Invalid,
    }
}

/// The name of `code` in the registry, or of the range it lies in.
pub const fn close_name(code: u16) -> &'static str {
    match code {
        1000 => "Normal Closure",
        1001 => "Going Away",
        1002 => "Protocol Error",
        1003 => "Unsupported Data",
        1004 => "Reserved",
        1005 => "No Status Received",
        1006 => "Abnormal Closure",
        1007 => "Invalid Payload Data",
        1008 => "Policy Violation",
        1009 => "Message Too Big",
        1010 => "Mandatory Extension",
        1011 => "Internal Error",
        1012 => "Service Restart",
        1013 => "Try Again Later",
        1014 => "Bad Gateway",
        1015 => "TLS Handshake",
        3000 => "Unauthorized",
        3003 => "Forbidden",
        3008 => "Timeout",
        3001..=3002 | 3004..=3007 | 3009..=3999 => "Registered (libraries)",
        4000..=4999 => "Private Use",
        _ => "Unassigned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_its_reason_are_read() {
        let close = ClosePayload::parse(b"\x03\xF6bad gateway");
        assert_eq!((close.code, &*close.reason, close.flaw), (Some(1014), "bad gateway", None));
        assert_eq!(close_name(1014), "Bad Gateway");
    }

    #[test]
    fn an_empty_body_has_no_code_and_no_flaw() {
        assert_eq!(ClosePayload::parse(b""), ClosePayload { code: None, reason: "".into(), flaw: None });
    }

    #[test]
    fn a_body_of_one_byte_is_a_flaw() {
        let close = ClosePayload::parse(b"\x03");
        assert_eq!((close.code, close.flaw), (None, Some(CloseFlaw::OneByte)));
    }

    #[test]
    fn a_reason_that_is_not_utf8_is_shown_repaired_and_told() {
        let close = ClosePayload::parse(b"\x03\xE8ok\xFF");
        assert_eq!((&*close.reason, close.flaw), ("ok\u{FFFD}", Some(CloseFlaw::ReasonNotUtf8)));
    }

    #[test]
    fn a_replacement_character_that_was_sent_is_no_flaw() {
        assert_eq!(ClosePayload::parse("\u{3}e\u{FFFD}".as_bytes()).flaw, None);
    }

    #[test]
    fn codes_are_classed_at_every_border() {
        use CloseClass::*;
        let cases = [
            (0, Invalid),
            (999, Invalid),
            (1000, Sendable),
            (1003, Sendable),
            (1004, Reserved),
            (1006, Reserved),
            (1007, Sendable),
            (1014, Sendable),
            (1015, Reserved),
            (1016, Invalid),
            (2999, Invalid),
            (3000, Sendable),
            (3999, Sendable),
            (4000, Sendable),
            (4999, Sendable),
            (5000, Invalid),
            (65535, Invalid),
        ];
        for (code, class) in cases {
            assert_eq!(close_class(code), class, "{code}");
        }
    }

    #[test]
    fn codes_without_a_name_of_their_own_bear_that_of_their_range() {
        assert_eq!(close_name(3001), "Registered (libraries)");
        assert_eq!(close_name(4400), "Private Use");
        assert_eq!(
            (close_name(999), close_name(1016), close_name(5000)),
            ("Unassigned", "Unassigned", "Unassigned")
        );
    }
}
