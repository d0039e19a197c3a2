use crate::connection::{Connection, Outcome, Transport};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote};
use crate::tls::{Alert, ClientCertificate, Facts, Opened};

rule! {
    /// # What it finds
    /// A TLS connection that ended before anything could be said on it: one side sent an alert, or ended TCP, during
    /// the TLS handshake.
    ///
    /// # Why it matters
    /// No WebSocket handshake can follow. Applications see 1006, or 1015 where the API tells TLS apart; browsers tell
    /// nothing more.
    ///
    /// # What causes it
    /// The alert says it from its sender's point of view: `unknown_ca` and the other certificate alerts of a client
    /// speak of the server's certificate, `unrecognized_name` of a name that the server does not know,
    /// `protocol_version` and `handshake_failure` of versions and cipher suites that the two do not share. An end
    /// without an alert comes from a firewall that heeds server names, or from a port that does not speak TLS.
    ///
    /// # How to fix
    /// Install the whole certificate chain for this name (nginx `ssl_certificate` and HAProxy `crt` with the intermediate
    /// certificates in the file), or let the client trust its issuer (Node `ca`, Python `cafile`, Go `RootCAs`); allow a version and
    /// cipher suite that both sides know; check the name and the port in the `wss` URL.
    ///
    /// # What it does not report
    /// TLS 1.3 encrypts most alerts, so without a key log such a failure looks like a short connection. Where the
    /// client also offered other protocols than `http/1.1`, as browsers do for pages, it was hardly meant for
    /// WebSocket, and the finding is info only.
    pub static RULE = "WS-TL-001" "tls-handshake-failed" {
        severity: Error, category: Tls, reference: "RFC 8446 §6.2",
        explains: [], asked_on: [Answer, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(tls) = connection.tls.as_deref().filter(|_| connection.outcome == Outcome::Encrypted) else {
        return;
    };
    let severity = severity(tls);
    let name = match &tls.server_name {
        Some(name) => format!(" for {}", quote::quoted(name)),
        None => String::new(),
    };
    // Who complains of a side that never said a word was left by it.
    let failure = tls.failure().filter(|alert| !tls.is_silent(alert.from.other()));
    let finding = match failure {
        Some(alert) => failed(tls, alert, &name),
        None => match ended(connection, tls, &name) {
            Some(finding) => finding,
            None => return,
        },
    };
    found.push(
        finding
            .at_most(severity)
            .shows(connection.first, format!("client hello{name}"))
            .help(failure.map_or(ANYTHING, |alert| help(alert, tls))),
    );
}

/// What to do first where nothing tells what was refused.
const ANYTHING: &str =
    "check the server's certificate chain, the name in the wss URL, and the TLS versions of both sides";

/// What to do first about an alert.
fn help(alert: &Alert, tls: &Facts) -> &'static str {
    match (alert.description.0, alert.from) {
        (42..=46 | 48, Role::Client) => {
            "install the whole certificate chain for the name in the wss URL on the server, or let the client trust its issuer"
        }
        (42..=46 | 48 | 116, Role::Server) => CLIENT_CERTIFICATE,
        (40, Role::Server) if tls.client_certificate == ClientCertificate::Absent => CLIENT_CERTIFICATE,
        (40 | 71, _) if tls.cipher_suite.is_none() => {
            "allow a version and a cipher suite that both sides know, and look whether the server has a certificate for this name"
        }
        (70, _) => "allow a TLS version that both sides know",
        (112, Role::Server) => "check the name in the wss URL, and that the server has a certificate for it",
        (120, Role::Server) => "let the server speak http/1.1, or let the client offer what it speaks (ALPN)",
        _ => ANYTHING,
    }
}

const CLIENT_CERTIFICATE: &str =
    "give the client a certificate whose issuer the server trusts, or let the server ask for none";

/// How grave it is that this TLS failed: it may have been meant for a page.
pub(super) fn severity(tls: &Facts) -> Severity {
    match tls.offers_http1_at_most() {
        true => Severity::Error,
        false => Severity::Info,
    }
}

/// The handshake ended with an alert.
fn failed(tls: &Facts, alert: &Alert, name: &str) -> Finding {
    let (who, what) = (alert.from.name(), alert.description);
    let (blame, meaning) = meaning(alert, tls);
    Finding::new(&RULE, alert.seen, format!("TLS handshake failed: {who} sent {what}"))
        .confidence(if blame == Blame::Unknown { Confidence::Possible } else { Confidence::Likely })
        .origin(alert.from)
        .blame(blame)
        .message(format!(
            "the {who} ended the TLS handshake{name} with the alert {what}: {meaning}; no WebSocket handshake took place, and the client's API shows 1006 or 1015"
        ))
        .shows(alert.seen, format!("{who} sends alert {what} ({})", what.0))
}

/// TCP ended before anything was encrypted.
fn ended(connection: &Connection, tls: &Facts, name: &str) -> Option<Finding> {
    let (who, seen) = connection.ending.by.filter(|_| tls.opened == Opened::Nothing)?;
    if Role::BOTH.iter().any(|&role| connection.quality.missing[role] > 0 || connection.quality.unseen[role])
    {
        return None;
    }
    let how = if connection.ending.transport == Transport::Reset { "reset" } else { "ended" };
    let who = who.name();
    Some(
        Finding::new(&RULE, seen, format!("{who} {how} TCP during the TLS handshake"))
            .confidence(Confidence::Possible)
            .origin(connection.ending.by?.0)
            .blame(Blame::Unknown)
            .message(format!(
                "the {who} {how} the connection during the TLS handshake{name}, without an alert; no WebSocket handshake took place, and the client's API shows 1006 or 1015"
            ))
            .shows(seen, format!("{who} {how} TCP")),
    )
}

/// Who must mend it, and what the alert means in words, of which its sender is "it".
pub(in crate::rules) fn meaning(alert: &Alert, tls: &Facts) -> (Blame, &'static str) {
    let peer = |role: Role| Blame::from(role.other());
    match (alert.description.0, alert.from) {
        (42..=46 | 48, Role::Client) => (Blame::Server, "it does not trust the server's certificate"),
        (42..=46 | 48 | 116, Role::Server) => {
            (Blame::Client, "it wants a client certificate that it can trust")
        }
        (112, Role::Server) => (Blame::Client, "it has no certificate for that name"),
        (120, Role::Server) => (Blame::Client, "it speaks none of the protocols that the client offers"),
        // A server that refuses the highest version of today is the one that lags behind.
        (70, Role::Server) if tls.offers_tls12() => {
            (Blame::Server, "it speaks none of the versions that the client offers")
        }
        (70, Role::Server) => (Blame::Client, "the client's versions are too old for it"),
        (70, Role::Client) => (Blame::Server, "it does not accept the version that the server chose"),
        (40, Role::Server) if tls.client_certificate == ClientCertificate::Absent => {
            (Blame::Client, "it asked for a client certificate and the client sent none")
        }
        (40 | 71, _) if tls.cipher_suite.is_some() => (
            Blame::Unknown,
            "version and cipher suite were agreed on by then, so what it refused is a certificate, a signature or a key",
        ),
        (40 | 71, _) => (Blame::Unknown, "the two have no version, cipher suite or certificate in common"),
        (80, from) => (Blame::from(from), "it failed within itself"),
        (_, from) => (peer(from), "it did not accept what the other side sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Seen;
    use crate::role::Role::{Client, Server};
    use crate::role::Sides;
    use crate::rules::testing::Scene;
    use crate::tls::{AlertDescription, ClientCertificate, Sent, Version};

    fn facts(alert: Option<(Role, u8)>, seen: Seen, alpn: &[&str]) -> Facts {
        let sent = Sent { records: 1, bytes: 200, first: Some(seen), last: Some(seen), ..Sent::default() };
        Facts {
            version: None,
            offered: Some(Version::TLS13),
            cipher_suite: None,
            server_name: Some(String::from("ws.example.org")),
            alpn: None,
            alpn_offered: alpn.iter().map(|name| (*name).to_owned()).collect(),
            client_certificate: ClientCertificate::NotAsked,
            opened: Opened::Nothing,
            alerts: alert
                .map(|(from, number)| Alert { from, seen, level: 2, description: AlertDescription(number) })
                .into_iter()
                .collect(),
            sent: Sides { client: sent, server: sent },
            pause: None,
            plain_answer: None,
        }
    }

    fn scene(alert: Option<(Role, u8)>, alpn: &[&str]) -> Scene {
        Scene::tcp().with(|connection| {
            connection.outcome = Outcome::Encrypted;
            connection.tls = Some(Box::new(facts(alert, connection.last, alpn)));
        })
    }

    #[test]
    fn a_client_that_does_not_trust_the_certificate_blames_the_server() {
        let finding = scene(Some((Client, 48)), &[]).fin(Client).finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Server));
        assert!(finding.title.contains("client sent unknown_ca"));
        assert!(finding.message.contains("ws.example.org"));
    }

    #[test]
    fn a_server_without_a_common_version_lags_behind_a_modern_client() {
        assert_eq!(scene(Some((Server, 70)), &["http/1.1"]).finds(RULE.name).blame, Blame::Server);
    }

    #[test]
    fn a_client_without_the_certificate_that_was_asked_for_is_told_so() {
        let refused = |change: fn(&mut Facts)| {
            let scene = scene(Some((Server, 40)), &[]);
            scene.with(|connection| change(connection.tls.as_mut().unwrap())).finds(RULE.name)
        };
        let finding = refused(|tls| tls.client_certificate = ClientCertificate::Absent);
        assert_eq!((finding.blame, finding.help), (Blame::Client, CLIENT_CERTIFICATE.into()));
        assert!(finding.message.contains("the client sent none"), "{}", finding.message);
        let agreed = refused(|tls| tls.cipher_suite = Some(crate::tls::CipherSuite(0xC02F)));
        assert!(agreed.message.contains("were agreed on by then"), "{}", agreed.message);
        assert!(refused(|_| ()).message.contains("no version, cipher suite or certificate in common"));
    }

    #[test]
    fn a_page_that_fails_is_hardly_a_websocket() {
        let finding = scene(Some((Client, 48)), &["h2", "http/1.1"]).finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
    }

    #[test]
    fn an_alert_after_the_other_side_left_without_a_word_is_no_complaint_of_it() {
        let finding = scene(Some((Client, 50)), &[])
            .fin(Server)
            .with(|connection| {
                connection.tls.as_mut().unwrap().sent.server = Sent::default();
            })
            .finds(RULE.name);
        assert!(finding.title.contains("server ended TCP during the TLS handshake"), "{}", finding.title);
    }

    #[test]
    fn a_reset_during_the_handshake_is_told_and_an_open_connection_is_not() {
        let finding = scene(None, &[]).reset(Server).finds(RULE.name);
        assert!(finding.title.contains("server reset TCP"));
        scene(None, &[]).silent(RULE.name);
        scene(None, &[]).gap(Server).fin(Server).silent(RULE.name);
    }

    #[test]
    fn a_lawful_end_is_silent_and_so_is_what_was_read() {
        scene(Some((Server, 0)), &[]).silent(RULE.name);
        Scene::session("", "")
            .with(|connection| {
                connection.tls = Some(Box::new(facts(Some((Client, 48)), connection.last, &[])))
            })
            .silent(RULE.name);
    }
}
