use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity};
use crate::websocket::{FrameHeader, LengthForm, Violation};

rule! {
    /// # What it finds
    /// A payload length written in more bytes than it needs, or a 64-bit length with its top bit set.
    ///
    /// # Why it matters
    /// Some receivers close with 1002 on a length that is not minimal, most accept it: a session that works with one
    /// server fails with another. A set top bit is refused by all.
    ///
    /// # What causes it
    /// A frame writer that always uses the long form; or lost framing.
    ///
    /// # How to fix
    /// Write 0 to 125 in the first length byte, up to 65,535 in two bytes, more in eight.
    ///
    /// # What it does not report
    /// Lengths in their shortest form, however large. After missing bytes it is only likely.
    pub static RULE = "WS-FR-005" "length-encoding-invalid" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.2",
        explains: ["close-reports-peer-violation", "close-reply-differs"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        let (severity, what) = match anomaly.kind {
            Violation::LengthNotMinimal => (Severity::Warning, needless(&anomaly.quote)),
            Violation::LengthTopBit => {
                (Severity::Error, String::from("a payload length with its top bit set, expected 0"))
            }
            _ => continue,
        };
        found.push(
            super::violation(&RULE, connection, anomaly, "payload length badly encoded")
                .at_most(severity)
                .message(format!("the {} wrote {what}", anomaly.from.name()))
                .help(format!(
                    "correct the frame writer of the {}: use the shortest length form",
                    anomaly.from.name()
                )),
        );
    }
}

/// What was written in too many bytes by the header that a frame begins with, and how many are enough.
fn needless(header: &[u8]) -> String {
    match FrameHeader::parse(header) {
        Some(FrameHeader { len, length_form, .. }) => format!(
            "the payload length {len} in {} bytes, expected {}",
            if length_form == LengthForm::Long { 8 } else { 2 },
            if len <= 125 { 1 } else { 2 }
        ),
        None => String::from("a payload length in more bytes than it needs"),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::Client;
    use crate::rules::testing::Scene;
    use crate::rules::{Confidence, Severity};
    use crate::websocket::Violation::{LengthNotMinimal, LengthTopBit};

    #[test]
    fn the_length_is_told_with_the_bytes_it_took() {
        let says = |bytes: &[u8]| {
            Scene::session("", "").anomaly(Client, LengthNotMinimal, bytes).finds(RULE.name).message.clone()
        };
        let short = says(b"\x81\xfe\x00\x05\xf5\x15\xee\x00");
        assert_eq!(short, "the client wrote the payload length 5 in 2 bytes, expected 1");
        let medium = says(b"\x82\x7f\x00\x00\x00\x00\x00\x00\x01\x2c");
        assert_eq!(medium, "the client wrote the payload length 300 in 8 bytes, expected 2");
    }

    #[test]
    fn a_long_form_warns_and_a_top_bit_is_an_error() {
        let severity =
            |kind| Scene::session("", "").anomaly(Client, kind, b"\x81\xfe").finds(RULE.name).severity;
        assert_eq!(
            (severity(LengthNotMinimal), severity(LengthTopBit)),
            (Severity::Warning, Severity::Error)
        );
        let lossy = Scene::session("", "").gap(Client).anomaly(Client, LengthTopBit, b"\x81\xff");
        assert_eq!(lossy.finds(RULE.name).confidence, Confidence::Likely);
        Scene::session("", "").messages(Client, 1).silent(RULE.name);
    }
}
