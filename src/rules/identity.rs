//! When two findings are the same fault.

use super::finding::{Blame, Confidence, Finding, Origin, Severity};
use super::rule::Rule;
use super::suppression::Suppressed;
use crate::connection::Connection;
use crate::net::Endpoint;
use sha1::{Digest, Sha1};
use std::borrow::Cow;

/// What findings of one cause have in common; equal keys are told once, with a count.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CauseKey {
    rule: &'static str,
    severity: Severity,
    confidence: Confidence,
    origin: Option<Origin>,
    blame: Blame,
    /// `None`: of any server.
    server: Option<Endpoint>,
    title: Cow<'static, str>,
    /// What does not count is told apart from what does.
    suppressed: Option<Suppressed>,
}

impl CauseKey {
    /// The same fault, whatever the server.
    pub fn of_any_server(&self) -> CauseKey {
        CauseKey { server: None, ..self.clone() }
    }
}

/// The key by which findings of one cause are grouped in a report.
pub fn cause_key(finding: &Finding, connection: &Connection) -> CauseKey {
    CauseKey {
        rule: finding.rule.code,
        severity: finding.severity,
        confidence: finding.confidence,
        origin: finding.origin,
        blame: finding.blame,
        server: Some(connection.tcp.server),
        title: finding.title.clone(),
        suppressed: finding.suppressed.clone(),
    }
}

/// 16 hexadecimal digits that are the same for the same fault in another capture: of the rule, the server, the
/// target without its query, the side that spoke, and the status or close code it spoke of.
pub fn fingerprint(finding: &Finding, connection: &Connection) -> String {
    let path = connection.request.as_ref().map_or("", |request| request.head.path());
    let text = format!(
        "{}\n{}\n{path}\n{}\n{}",
        finding.rule.code,
        connection.tcp.server,
        finding.origin.map_or("", Origin::name),
        variant(finding, connection).map_or(String::new(), |code| code.to_string()),
    );
    digits(&text)
}

/// The same of a finding about the run as a whole: of the rule and of what else tells it from others.
pub fn fingerprint_of_run(rule: &Rule, what: &str) -> String {
    digits(&format!("{}\n{what}", rule.code))
}

fn digits(text: &str) -> String {
    Sha1::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The close code or status of the packet that the finding points at.
fn variant(finding: &Finding, connection: &Connection) -> Option<u16> {
    let packet = finding.seen.packet;
    let close =
        connection.closes.iter().find(|close| close.seen.packet == packet).and_then(|close| close.code);
    let status = || {
        let response = connection.response.as_ref().filter(|response| response.seen.packet == packet);
        response.map(|response| response.head.status)
    };
    close.or_else(status)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANSWER, REQUEST, Scene};
    use super::*;
    use crate::role::Role::{Client, Server};

    fn print(scene: Scene) -> String {
        let connection = scene.build();
        fingerprint(&super::super::judge(&connection, &crate::rules::Context::alone())[0], &connection)
    }

    fn rejected(status: &str) -> Scene {
        Scene::answered(&format!("HTTP/1.1 {status}\r\n"), "")
    }

    #[test]
    fn the_same_fault_has_the_same_fingerprint_later_and_with_another_query() {
        let scene = |request: &str| {
            Scene::tcp()
                .request(request)
                .answer(ANSWER, "")
                .close(Server, 1014, "")
                .close(Client, 1014, "")
                .fin(Server)
        };
        let first = print(scene(REQUEST));
        assert_eq!(first, print(scene(&REQUEST.replace("s3cret", "other")).after(3.0)));
        assert_eq!((first.len(), first.bytes().all(|byte| byte.is_ascii_hexdigit())), (16, true));
        assert_ne!(first, print(scene(&REQUEST.replace("/chat", "/news"))));
    }

    #[test]
    fn another_status_is_another_fault() {
        assert_ne!(print(rejected("502 Bad Gateway")), print(rejected("504 Gateway Timeout")));
    }

    #[test]
    fn equal_causes_share_a_key_whatever_the_client() {
        let key = |scene: Scene| {
            let connection = scene.build();
            cause_key(&super::super::judge(&connection, &crate::rules::Context::alone())[0], &connection)
        };
        let other = rejected("502 Bad Gateway").with(|connection| connection.tcp.client.port = 9);
        assert_eq!(key(rejected("502 Bad Gateway")), key(other));
        assert_ne!(key(rejected("502 Bad Gateway")), key(rejected("404 Not Found")));
    }
}
