//! `--format json`: everything, as one document ([`super::model`]).

use super::escape::JsonFormatter;
use super::model::{self, Connection, Counts, Finding, Report, SCHEMA, Tool};
use super::{Secrets, convert};
use crate::capture::PacketId;
use crate::connection;
use crate::legs::LegPair;
use crate::pipeline::{Observer, Summary};
use crate::rules;
use std::collections::HashMap;
use std::io;

/// Collects connections and findings until the order of all of them is known.
#[derive(Debug)]
pub struct JsonReport {
    secrets: Secrets,
    collected: Vec<Collected>,
    pairs: Vec<LegPair>,
}

#[derive(Debug)]
struct Collected {
    first: PacketId,
    serial: u64,
    connection: Connection,
    /// Each with the serials of other connections that it concerns.
    findings: Vec<(Finding, Vec<u64>)>,
}

impl JsonReport {
    /// An empty report.
    pub fn new(secrets: Secrets) -> JsonReport {
        JsonReport { secrets, collected: Vec::new(), pairs: Vec::new() }
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
            quality: convert::quality(&summary.totals.quality),
            connections: Vec::with_capacity(self.collected.len()),
            leg_pairs: self.pairs.iter().filter_map(|pair| convert::leg_pair(pair, id)).collect(),
            findings: Vec::new(),
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
        for pair in &report.leg_pairs {
            let client = &mut report.connections[pair.client_leg];
            if client.role == "direct" {
                client.role = "client-leg";
            }
            for &upstream in pair.attempts.iter().chain([&pair.upstream_leg]) {
                report.connections[upstream].role = "upstream-leg";
            }
        }
        for finding in &report.findings {
            for &related in &finding.related {
                report.connections[related].findings.push(finding.id);
            }
            let counts = &mut report.totals.findings;
            match finding.severity {
                "error" => counts.error += 1,
                "warning" => counts.warning += 1,
                _ => counts.info += 1,
            }
        }
        report
    }

    /// Writes the document, indented, with a line break at its end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, summary: &Summary, out: &mut impl io::Write) -> io::Result<()> {
        write(&self.finish(summary), out)
    }
}

/// Writes the list of all rules as one array.
///
/// # Errors
/// Those of `out`.
pub fn write_rules(out: &mut impl io::Write) -> io::Result<()> {
    let rules = rules::RULES.iter().map(|rule| model::Rule {
        code: rule.code,
        name: rule.name,
        severity: rule.severity.name(),
        category: rule.category.name(),
        reference: rule.reference,
        summary: rule.summary(),
        explains: rule.explains,
    });
    write(&rules.collect::<Vec<_>>(), out)
}

fn write(value: &impl serde::Serialize, out: &mut impl io::Write) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, JsonFormatter::pretty()))?;
    out.write_all(b"\n")
}

impl Observer for JsonReport {
    fn connection(&mut self, connection: connection::Connection, findings: Vec<rules::Finding>) {
        self.collected.push(Collected {
            first: connection.first.packet,
            serial: connection.serial,
            findings: findings.into_iter().map(|f| (convert::finding(&connection, &f), f.related)).collect(),
            connection: convert::connection(&connection, self.secrets),
        });
    }

    fn legs(&mut self, pair: LegPair) {
        self.pairs.push(pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Connection, Outcome};
    use crate::report::escape;
    use crate::report::testing::{OFFERED, finding, refused, summary, well};
    use crate::rules::Severity;
    use crate::rules::testing::Scene;
    use serde_json::Value;

    fn report(secrets: Secrets, connections: Vec<(Connection, Vec<rules::Finding>)>) -> JsonReport {
        let mut report = JsonReport::new(secrets);
        for (connection, findings) in connections {
            report.connection(connection, findings);
        }
        report
    }

    fn written(secrets: Secrets, connections: Vec<(Connection, Vec<rules::Finding>)>) -> String {
        let summary = summary(connections.len() as u64);
        let mut out = Vec::new();
        report(secrets, connections).write(&summary, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn one(connection: Connection) -> Value {
        let document: Value =
            serde_json::from_str(&written(Secrets::Hidden, vec![(connection, vec![])])).unwrap();
        document["connections"][0].clone()
    }

    #[test]
    fn the_document_has_the_promised_shape() {
        let text = written(Secrets::Hidden, vec![refused(0)]);
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn order_and_ids_are_those_of_the_packets_whatever_came_first() {
        let mut two = refused(5);
        let early = finding(&OFFERED, two.0.first, "nothing was agreed");
        two.1.push(early);
        let orders = [vec![refused(9), two.clone(), refused(0)], vec![refused(0), refused(9), two]];
        let [one, other] = orders.map(|order| written(Secrets::Hidden, order));
        assert_eq!(one, other);
        let document: Value = serde_json::from_str(&one).unwrap();
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
        let mut report = JsonReport::new(Secrets::Hidden);
        report.legs(pair);
        report.connection(upstream, rest);
        report.connection(client, found);
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
        let counts = report(Secrets::Hidden, vec![graded, refused(1)]).finish(&summary(2)).totals.findings;
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
        let hidden = written(Secrets::Hidden, vec![refused(0)]);
        assert!(hidden.contains("\"/chat?token=…\"") && !hidden.contains("s3cret"));
        assert!(written(Secrets::Shown, vec![refused(0)]).contains("\"/chat?token=s3cret\""));
    }

    #[test]
    fn hostile_text_is_escaped_and_reads_back_the_same() {
        let evil = "\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\"\\\u{7f}";
        let mut connection = well();
        connection.closes[0].reason = evil.to_owned();
        let text = written(Secrets::Hidden, vec![(connection.clone(), vec![])]);
        assert!(!text.chars().any(|c| c != '\n' && escape::is_hidden(c)));
        assert_eq!(one(connection)["closes"][0]["reason"], evil);
    }

    #[test]
    fn the_list_of_rules_is_an_array() {
        let mut out = Vec::new();
        write_rules(&mut out).unwrap();
        let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(list.len(), rules::RULES.len());
    }
}
