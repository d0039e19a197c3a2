//! What an analysis finds, gathered into one document ([`super::model`]) that every format of a whole report shows.

use super::model::{Connection, Counts, Finding, Report, SCHEMA, Tool};
use super::{Secrets, convert};
use crate::capture::PacketId;
use crate::connection;
use crate::legs::LegPair;
use crate::pipeline::{Observer, Summary};
use crate::rules;
use crate::rules::expectation::Account;
use std::collections::HashMap;

/// Collects connections and findings until the order of all of them is known.
#[derive(Debug)]
pub struct Collector {
    secrets: Secrets,
    collected: Vec<Collected>,
    pairs: Vec<LegPair>,
    /// Serials of connections that were captured twice: of the first copy, and of the duplicate.
    duplicates: Vec<(u64, u64)>,
    policy: Option<Vec<Account>>,
}

#[derive(Debug)]
struct Collected {
    first: PacketId,
    serial: u64,
    connection: Box<Connection>,
    /// Each with the serials of other connections that it concerns.
    findings: Vec<(Finding, Vec<u64>)>,
}

impl Collector {
    /// Nothing collected yet.
    pub fn new(secrets: Secrets) -> Collector {
        Collector { secrets, collected: Vec::new(), pairs: Vec::new(), duplicates: Vec::new(), policy: None }
    }

    /// Takes one connection and what the rules say of it.
    pub fn add(&mut self, connection: &connection::Connection, findings: &[rules::Finding]) {
        let converted = |f: &rules::Finding| (convert::finding(connection, f), f.related.clone());
        self.collected.push(Collected {
            first: connection.first.packet,
            serial: connection.serial,
            findings: findings.iter().map(converted).collect(),
            connection: Box::new(convert::connection(connection, self.secrets)),
        });
    }

    /// Takes how the run stood to its policy.
    pub fn policy(&mut self, accounts: &[Account]) {
        self.policy = Some(accounts.to_vec());
    }

    /// The document: connections by first packet, findings by connection and packet, and ids by that order.
    pub fn finish(mut self, summary: &Summary) -> Report {
        self.collected.sort_by_key(|c| (c.first, c.connection.tcp_stream));
        let ids: HashMap<u64, usize> =
            self.collected.iter().enumerate().map(|(id, collected)| (collected.serial, id)).collect();
        let id = |serial: u64| ids.get(&serial).copied();
        let mut report = Report {
            schema: SCHEMA,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            captures: summary.captures.iter().map(convert::capture).collect(),
            totals: convert::totals(&summary.totals, Counts::default()),
            quality: convert::quality(summary),
            connections: Vec::with_capacity(self.collected.len()),
            leg_pairs: self.pairs.iter().filter_map(|pair| convert::leg_pair(pair, id)).collect(),
            findings: Vec::new(),
            policy: self
                .policy
                .as_ref()
                .map(|accounts| accounts.iter().map(|account| convert::demand(account, id)).collect()),
        };
        for Collected { mut connection, mut findings, .. } in self.collected {
            connection.id = report.connections.len();
            findings.sort_by_key(|(f, _)| (f.capture, f.packet, f.code));
            for (mut finding, related) in findings {
                finding.id = report.findings.len();
                finding.connection = Some(connection.id);
                finding.related = related.into_iter().filter_map(id).collect();
                connection.findings.push(finding.id);
                report.findings.push(finding);
            }
            report.connections.push(connection);
        }
        report.leg_pairs.sort_by_key(|pair| (pair.client_leg, pair.upstream_leg));
        for (first, second) in &self.duplicates {
            if let (Some(first), Some(second)) = (id(*first), id(*second)) {
                report.connections[second].same_as = Some(first);
            }
        }
        tell_roles(&mut report);
        let of_captures = summary.findings.iter().map(convert::finding_of_captures);
        let of_run = self.policy.iter().flatten().filter(|account| account.is_of_run());
        let of_run = of_run.filter_map(|account| convert::finding_of_run(account, &summary.captures));
        for mut finding in of_captures.chain(of_run) {
            finding.id = report.findings.len();
            report.findings.push(finding);
        }
        count_findings(&mut report);
        report
    }
}

/// Tells of each connection whether it is a leg.
fn tell_roles(report: &mut Report) {
    for pair in &report.leg_pairs {
        let client = &mut report.connections[pair.client_leg];
        if client.role == "direct" {
            client.role = "client-leg";
        }
        for &upstream in pair.attempts.iter().chain([&pair.upstream_leg]) {
            report.connections[upstream].role = "upstream-leg";
        }
    }
}

/// Lists findings with the connections to which they are related, and counts those that are not suppressed.
fn count_findings(report: &mut Report) {
    for finding in &report.findings {
        for &related in &finding.related {
            report.connections[related].findings.push(finding.id);
        }
        if finding.suppressed.is_none() {
            report.totals.findings.count(finding.severity);
        }
    }
}

impl Observer for Collector {
    fn connection(&mut self, connection: Box<connection::Connection>, findings: Vec<rules::Finding>) {
        self.add(&connection, &findings);
    }

    fn legs(&mut self, pair: LegPair) {
        self.pairs.push(pair);
    }

    fn duplicate(&mut self, first: u64, second: u64) {
        self.duplicates.push((first, second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Connection, Outcome};
    use crate::report::testing::{OFFERED, finding, refused, report, summary};
    use crate::rules::Severity;
    use crate::rules::testing::Scene;
    use serde_json::Value;

    fn one(connection: Connection) -> Value {
        serde_json::to_value(&report(vec![(connection, vec![])]).connections[0]).unwrap()
    }

    #[test]
    fn order_and_ids_are_those_of_the_packets_whatever_came_first() {
        let mut two = refused(5);
        let early = finding(&OFFERED, two.0.first, "nothing was agreed");
        two.1.push(early);
        let orders = [vec![refused(9), two.clone(), refused(0)], vec![refused(0), refused(9), two]];
        let [one, other] = orders.map(report);
        assert_eq!(one, other);
        let document = serde_json::to_value(&one).unwrap();
        let all = |list: &str, field: &str| -> Vec<Value> {
            document[list].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
        };
        assert_eq!(all("connections", "id"), [0, 1, 2]);
        assert_eq!(all("connections", "tcp_stream"), [0, 5, 9]);
        assert_eq!(Value::from(all("connections", "findings")), serde_json::json!([[0], [1, 2], [3]]));
        assert_eq!(all("findings", "id"), [0, 1, 2, 3]);
        assert_eq!(all("findings", "connection"), [0, 1, 1, 2]);
        assert_eq!(all("findings", "code"), ["WS-XX-001", "WS-XX-002", "WS-XX-001", "WS-XX-001"]);
        assert_eq!(
            document["totals"]["findings"],
            serde_json::json!({ "error": 3, "warning": 0, "info": 1 })
        );
    }

    #[test]
    fn a_pair_names_its_connections_by_their_ids_wherever_they_come() {
        let client = Scene::session("permessage-deflate", "");
        let both = crate::rules::testing::both(client, Scene::session("", ""));
        let (found, rest) = both.findings();
        let (pair, [client, upstream]) = both.into_parts();
        let mut report = Collector::new(Secrets::Hidden);
        report.legs(pair);
        report.connection(Box::new(upstream), rest);
        report.connection(Box::new(client), found);
        let report = report.finish(&summary(2));
        let pair = &report.leg_pairs[0];
        assert_eq!((pair.client_leg, pair.upstream_leg, pair.matched_by), (0, 1, "sec-websocket-key"));
        assert_eq!((pair.gateway.as_str(), pair.confidence), ("10.0.0.9", "certain"));
        let change = &pair.changes[0];
        assert_eq!((change.field, change.place), ("sec-websocket-extensions", "request"));
        assert_eq!((change.client_leg.as_deref(), &change.upstream_leg), (Some("permessage-deflate"), &None));
        assert_eq!(
            report.connections.iter().map(|c| c.role).collect::<Vec<_>>(),
            ["client-leg", "upstream-leg"]
        );
        let finding = &report.findings[0];
        assert_eq!((finding.rule, finding.connection), ("extension-stripped-by-gateway", Some(0)));
        assert_eq!((&finding.related, &report.connections[1].findings), (&vec![1], &vec![0]));
    }

    #[test]
    fn severities_are_counted_apart() {
        let mut graded = refused(0);
        graded.1[0].severity = Severity::Warning;
        let counts = report(vec![graded, refused(1)]).totals.findings;
        assert_eq!(counts, Counts { error: 1, warning: 1, info: 0 });
    }

    #[test]
    fn what_was_not_seen_is_null() {
        let nothing = one(Scene::tcp().build());
        for field in ["stream_id", "tls", "request", "response", "frames", "sees"] {
            assert_eq!(nothing[field], Value::Null, "{field}");
        }
        assert_eq!(
            nothing["end"],
            serde_json::json!({
                "close": null, "transport": "open", "error": null, "by": null, "packet": null, "time": null
            })
        );
        assert_eq!(nothing["outcome"], "unseen");
        let empty = one(Scene::session("", "").raw_close(crate::role::Role::Client, b"").build());
        assert_eq!((&empty["closes"][0]["code"], &empty["closes"][0]["name"]), (&Value::Null, &Value::Null));
        assert_eq!(empty["request"]["origin"], Value::Null);
    }

    #[test]
    fn missing_extensions_are_those_that_a_101_leaves_out() {
        let missing =
            |offer, answer| one(Scene::session(offer, answer).build())["missing_extensions"].clone();
        assert_eq!(
            missing("Permessage-Deflate, x-a, x-a; p=1", ""),
            serde_json::json!(["permessage-deflate", "x-a"])
        );
        assert_eq!(missing("permessage-deflate", "PERMESSAGE-DEFLATE"), serde_json::json!([]));
        let refused = Scene::session("permessage-deflate", "").with(|c| {
            c.outcome = Outcome::Rejected;
            c.response.as_mut().unwrap().head.status = 404;
        });
        assert_eq!(one(refused.build())["missing_extensions"], serde_json::json!([]));
    }

    #[test]
    fn values_of_a_query_are_hidden_unless_asked_for() {
        let target = |secrets| {
            let mut collector = Collector::new(secrets);
            let (connection, findings) = refused(0);
            collector.connection(Box::new(connection), findings);
            collector.finish(&summary(1)).connections.remove(0).request.unwrap().target
        };
        assert_eq!(target(Secrets::Hidden), "/chat?token=…");
        assert_eq!(target(Secrets::Shown), "/chat?token=s3cret");
    }
}
