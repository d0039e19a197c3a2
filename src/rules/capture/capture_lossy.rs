use crate::connection::{Connection, Quality};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Finding, Origin, quote};

rule! {
    /// # What it finds
    /// A connection of which the capture lacks bytes, a whole direction, or that was not followed to its end.
    ///
    /// # Why it matters
    /// What is missing may be the frame that explains the rest. Findings that depend on it are less sure or are not
    /// made at all.
    ///
    /// # What causes it
    /// Packets dropped by the capturing program, a snap length, a mirror port that shows one direction, or a rotated
    /// file. For TLS also a key log that has the secrets of one direction only.
    ///
    /// # How to fix
    /// Capture whole packets with a larger buffer (`tcpdump -s 0 -B 65536`) at a place that sees both directions.
    ///
    /// # What it does not report
    /// Packets that came late or twice: they are put in order. What lies before the first captured packet is another
    /// rule's matter.
    pub static RULE = "WS-CP-002" "capture-lossy" {
        severity: Info, category: Capture, reference: "none",
        explains: [], asked_on: [Incomplete], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let quality = &connection.quality;
    let unopened = connection.tls.as_ref().and_then(|tls| tls.unopened());
    if unopened.is_none() && !quality.bounded && Role::BOTH.iter().all(|&role| is_complete(quality, role)) {
        return;
    }
    let mut lacks = Vec::new();
    let mut finding = Finding::new(&RULE, connection.first, "capture lacks part of the connection");
    for role in Role::BOTH {
        if quality.unseen[role] {
            lacks.push(format!("every packet of the {}", role.name()));
        } else if unopened == Some(role) {
            lacks.push(format!("the key to what the {} sent", role.name()));
        } else if quality.missing[role] > 0 {
            lacks.push(format!("{} of the {}", quote::bytes(quality.missing[role]), role.name()));
        }
        if let Some(gap) = quality.last_gap[role] {
            finding = finding.shows(gap, format!("last gap in what the {} sent", role.name()));
        }
    }
    if quality.bounded {
        lacks.push(String::from("what lies beyond a bound of this program"));
    }
    if lacks.is_empty() {
        return;
    }
    found.push(
        finding
            .origin(Origin::Capture)
            .blame(Blame::Capture)
            .message(format!("the capture lacks {}; findings that depend on it are less sure", quote::list(&lacks)))
            .shows(connection.first, "first packet of the connection")
            .help(match unopened {
                Some(_) => "record the secrets of both directions: a key log of TLS 1.3 has five lines a connection",
                None => "capture whole packets of both directions with a larger buffer, as with tcpdump -s 0 -B 65536",
            }),
    );
}

/// Whether the capture has all that one side sent.
fn is_complete(quality: &Quality, role: Role) -> bool {
    !quality.unseen[role] && quality.missing[role] == 0
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    #[test]
    fn what_is_missing_is_named() {
        let finding = Scene::session("", "").gap(Server).unseen(Client).finds(RULE.name);
        assert!(finding.message.contains("every packet of the client and 100 bytes of the server"));
    }

    #[test]
    fn a_whole_capture_is_silent() {
        Scene::session("", "").silent(RULE.name);
    }
}
