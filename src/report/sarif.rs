//! `--format sarif`: SARIF 2.1.0, for viewers of code analysis and for code scanning.
//!
//! A finding is a result. Its place is the capture; the packet is a logical location in it and stands among the
//! properties, for SARIF knows lines and bytes only. Evidence stands among the related locations.

use super::model::{Capture, Finding, Report};
use super::{escape, json, manual};
use crate::rules::{RULES, Rule};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::io;

/// Writes the document.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let rules = rules(report);
    let marked = report.findings.iter().any(|finding| finding.suppressed.is_some());
    let run = Run {
        artifacts: report.captures.iter().map(artifact).collect(),
        invocations: json!([{
            "executionSuccessful": report.quality.captures_unreadable.is_empty(),
            "toolExecutionNotifications": notifications(report),
        }]),
        results: Each(|| report.findings.iter().map(|finding| result(finding, report, &rules, marked))),
        tool: json!({ "driver": {
            "name": report.tool.name,
            "semanticVersion": report.tool.version,
            "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
        }}),
    };
    let schema = "https://json.schemastore.org/sarif-2.1.0.json";
    json::pretty(&Log { schema, runs: [run], version: "2.1.0" }, out)
}

/// The document.
#[derive(Serialize)]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [R; 1],
    version: &'static str,
}

#[derive(Serialize)]
struct Run<R> {
    artifacts: Vec<Value>,
    invocations: Value,
    results: R,
    tool: Value,
}

/// A list of which each element is made as it is written: all results together take many times what they are made of.
struct Each<F>(F);

impl<F: Fn() -> I, I: Iterator<Item = Value>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// The rules that found something, in order of code.
fn rules(report: &Report) -> Vec<&'static Rule> {
    let mut rules: Vec<&'static Rule> =
        RULES.iter().copied().filter(|rule| report.findings.iter().any(|f| f.code == rule.code)).collect();
    rules.sort_by_key(|rule| rule.code);
    rules
}

fn descriptor(rule: &Rule) -> Value {
    let sections = manual::sections(rule.manual);
    let joined = |before: &str, between: &str| {
        let text = |(heading, text): &(String, String)| format!("{before}{heading}{between}{text}");
        sections.iter().map(text).collect::<Vec<_>>().join("\n\n")
    };
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": escape::sarif(&rule.summary()) },
        "fullDescription": { "text": escape::sarif(&rule.section("What it finds").unwrap_or_default()) },
        "help": { "text": escape::sarif(&joined("", "\n\n")), "markdown": joined("## ", "\n\n") },
        "defaultConfiguration": { "level": level(rule.severity.name()) },
        "properties": { "tags": ["websocket", rule.category.name()], "reference": rule.reference },
    })
}

fn artifact(capture: &Capture) -> Value {
    json!({
        "location": { "uri": escape::uri(&capture.path) },
        "length": capture.bytes,
        "mimeType": "application/vnd.tcpdump.pcap",
        "roles": ["analysisTarget"],
        "properties": { "format": capture.format, "packets": capture.packets, "complete": capture.complete },
    })
}

/// Which captures could not be read, what is wrong with the others, and what is curious.
fn notifications(report: &Report) -> Vec<Value> {
    let one = |level: &str, index: usize, text: &String| {
        json!({
            "level": level,
            "message": { "text": escape::sarif(text) },
            "locations": [{ "physicalLocation": physical(report, index) }],
        })
    };
    let all = report.captures.iter().enumerate().flat_map(|(index, capture)| {
        let warnings = capture.warnings.iter().map(move |text| one("warning", index, text));
        warnings.chain(capture.notes.iter().map(move |text| one("note", index, text)))
    });
    let unreadable = report.quality.captures_unreadable.iter().map(|capture| {
        let text = format!("{} could not be read: {}", capture.path, capture.reason);
        json!({ "level": "error", "message": { "text": escape::sarif(&text) } })
    });
    let doubts = report.quality.cannot_conclude.iter();
    let doubts = doubts.map(|text| json!({ "level": "note", "message": { "text": escape::sarif(text) } }));
    unreadable.chain(all).chain(doubts).collect()
}

fn result(finding: &Finding, report: &Report, rules: &[&Rule], marked: bool) -> Value {
    let place = |capture: u16, packet: u64| {
        let capture = usize::from(capture);
        let path = report.captures.get(capture).map_or("", |capture| capture.path.as_str());
        json!({
            "physicalLocation": physical(report, capture),
            "logicalLocations": [{
                "name": format!("packet {packet}"),
                "fullyQualifiedName": format!("{path}/packet {packet}"),
                "kind": "packet",
            }],
        })
    };
    let related = finding.evidence.iter().enumerate().map(|(id, evidence)| {
        let mut location = place(evidence.capture, evidence.packet);
        location["id"] = json!(id);
        location["message"] =
            json!({ "text": escape::sarif(&format!("packet {}: {}", evidence.packet, evidence.text)) });
        location
    });
    let connection = finding.connection.and_then(|id| report.connections.get(id));
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": {
            "text": escape::sarif(&format!("{}: {}; first: {}", finding.title, finding.message, finding.help)),
        },
        "locations": [place(finding.capture, finding.packet)],
        "relatedLocations": related.collect::<Vec<_>>(),
        "partialFingerprints": { "wsanalyze/v1": finding.fingerprint },
        "properties": {
            "packet": finding.packet,
            "time": finding.time,
            "connection": finding.connection,
            "client": connection.map(|connection| &connection.client),
            "server": connection.map(|connection| &connection.server),
            "confidence": finding.confidence,
            "origin": finding.origin,
            "blame": finding.blame,
            "displayFilter": finding.display_filter,
            "consequences": finding.consequences.iter().map(|consequence| consequence.code).collect::<Vec<_>>(),
        },
    });
    if let Some(index) = rules.iter().position(|rule| rule.code == finding.code) {
        result["ruleIndex"] = json!(index);
    }
    if marked {
        // All results have this property, or none (§3.27.23).
        let marks = finding.suppressed.iter().map(|suppression| {
            json!({ "kind": "external", "justification": escape::terminal(&suppression.justification) })
        });
        result["suppressions"] = marks.collect();
    }
    result
}

fn physical(report: &Report, capture: usize) -> Value {
    let path = report.captures.get(capture).map_or("", |capture| capture.path.as_str());
    json!({ "artifactLocation": { "uri": escape::uri(path), "index": capture } })
}

fn level(severity: &str) -> &str {
    match severity {
        "info" => "note",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Suppression;
    use crate::report::testing::{HOSTILE, hostile_report, refused, report, text, well};

    fn written(report: &Report) -> Value {
        serde_json::from_str(&text(|out| write(report, out))).unwrap()
    }

    #[test]
    fn a_log_with_one_result() {
        let report = report(vec![refused(0), (well(), vec![])]);
        insta::assert_snapshot!(text(|out| write(&report, out)));
    }

    #[test]
    fn either_all_results_say_whether_they_are_suppressed_or_none() {
        let mut report = report(vec![refused(0), refused(1)]);
        let marks = |report: &Report| -> Vec<Value> {
            let log = written(report);
            log["runs"][0]["results"].as_array().unwrap().iter().map(|r| r["suppressions"].clone()).collect()
        };
        assert_eq!(marks(&report), [Value::Null, Value::Null]);
        report.findings[1].suppressed =
            Some(Suppression { kind: "ignored", justification: "known".to_owned() });
        assert_eq!(marks(&report), [json!([]), json!([{ "kind": "external", "justification": "known" }])]);
    }

    #[test]
    fn rules_are_those_that_found_something_with_their_manuals() {
        let mut report = report(vec![refused(0)]);
        report.findings[0].code = "WS-EX-012";
        let log = written(&report);
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!((rules.len(), &rules[0]["id"]), (1, &json!("WS-EX-012")));
        assert!(rules[0]["help"]["markdown"].as_str().unwrap().starts_with("## What it finds\n\n"));
        assert!(rules[0]["help"]["text"].as_str().unwrap().starts_with("What it finds\n\n"));
        assert_eq!(log["runs"][0]["results"][0]["ruleIndex"], 0);
    }

    #[test]
    fn hostile_text_makes_no_link_and_no_placeholder() {
        let log = written(&hostile_report());
        let result = &log["runs"][0]["results"][0];
        let message = result["message"]["text"].as_str().unwrap();
        assert!(message.contains("\\[link\\](http") && message.contains("{{0}}"), "{message}");
        assert!(message.contains("<script>") && !message.contains(HOSTILE));
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("%3Dcmd%28%29%1B%5B31m") && uri.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
