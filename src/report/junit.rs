//! `--format junit`: the XML of JUnit as Jenkins and others read it. A capture is a suite, a connection a test, a finding
//! that makes the run fail a failure of it. Other findings, and suppressed ones, are its output. An input that could not
//! be read is a suite with an error.

use super::escape;
use super::model::{Capture, Connection, Finding, Report, UnreadableCapture};
use crate::rules::Severity;
use crate::time::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::collections::HashMap;
use std::io;

/// Writes the document. From `failing` on, findings are failures; none are where that is `None`.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, failing: Option<Severity>, out: &mut impl io::Write) -> io::Result<()> {
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = suites(report);
    let is_failure = |finding: &Finding| is_failure(finding, failing);
    let failures: usize = suites.iter().map(|suite| suite.failures(is_failure)).sum();
    let unreadable = &report.quality.captures_unreadable;
    let tests = suites.iter().map(Suite::tests).sum::<usize>() + unreadable.len();
    xml.create_element("testsuites")
        .with_attribute(("name", report.tool.name))
        .with_attribute(("tests", tests.to_string().as_str()))
        .with_attribute(("failures", failures.to_string().as_str()))
        .with_attribute(("errors", unreadable.len().to_string().as_str()))
        .write_inner_content(|xml| {
            suites.iter().try_for_each(|suite| suite.write(failing, xml))?;
            unreadable
                .iter()
                .enumerate()
                .try_for_each(|(index, one)| not_read(one, suites.len() + index, xml))
        })?;
    out.write_all(b"\n")
}

/// Each capture with what is about it: rotated ones may be thousands, each with few of all connections.
fn suites(report: &Report) -> Vec<Suite<'_>> {
    let of = |(id, capture)| Suite { id, capture, connections: Vec::new(), of_run: Vec::new() };
    let mut suites: Vec<Suite<'_>> = report.captures.iter().enumerate().map(of).collect();
    for connection in &report.connections {
        let own = connection.findings.iter().filter_map(|&id| report.findings.get(id));
        // A finding about both legs fails once.
        let own = own.filter(|finding| finding.connection == Some(connection.id)).collect();
        if let Some(suite) = suites.get_mut(usize::from(connection.capture)) {
            suite.connections.push((connection, own));
        }
    }
    for finding in report.findings.iter().filter(|finding| finding.connection.is_none()) {
        if let Some(suite) = suites.get_mut(usize::from(finding.capture)) {
            suite.of_run.push(finding);
        }
    }
    suites
}

/// One capture and what is about it.
struct Suite<'a> {
    id: usize,
    capture: &'a Capture,
    connections: Vec<(&'a Connection, Vec<&'a Finding>)>,
    /// Findings about the run as a whole, each a test of its own.
    of_run: Vec<&'a Finding>,
}

impl Suite<'_> {
    /// A capture without a connection has one test, which is skipped: nothing to judge is no success.
    fn tests(&self) -> usize {
        self.connections.len().max(1) + self.of_run.len()
    }

    /// Tests that fail.
    fn failures(&self, is_failure: impl Fn(&Finding) -> bool) -> usize {
        let of_connections = self.connections.iter().map(|(_, findings)| findings.as_slice());
        let all = of_connections.chain(self.of_run.chunks(1));
        all.filter(|findings| findings.iter().any(|finding| is_failure(finding))).count()
    }

    fn write<W: io::Write>(&self, failing: Option<Severity>, xml: &mut Writer<W>) -> io::Result<()> {
        let path = escape::xml(&self.capture.path);
        let mut suite = xml
            .create_element("testsuite")
            .with_attribute(("name", path.as_str()))
            .with_attribute(("id", self.id.to_string().as_str()))
            .with_attribute(("tests", self.tests().to_string().as_str()))
            .with_attribute(("failures", self.failures(|f| is_failure(f, failing)).to_string().as_str()))
            .with_attribute(("errors", "0"))
            .with_attribute(("skipped", if self.connections.is_empty() { "1" } else { "0" }))
            .with_attribute(("file", path.as_str()));
        if let Some(first) = self.capture.first {
            suite = suite.with_attribute(("timestamp", seconds(first).as_str()));
        }
        suite.write_inner_content(|xml| {
            // Two tests of one name are one to a reader.
            let mut names: HashMap<String, usize> = HashMap::new();
            for (connection, findings) in &self.connections {
                let mut name = name(connection);
                let seen = names.entry(name.clone()).and_modify(|seen| *seen += 1).or_insert(1);
                if *seen > 1 {
                    name.push_str(&format!(" #{seen}"));
                }
                test(findings, (&name, &path, connection.outcome), failing, xml)?;
            }
            for finding in &self.of_run {
                test(&[finding], (&escape::xml(&finding.title), &path, "run"), failing, xml)?;
            }
            if self.connections.is_empty() {
                xml.create_element("testcase")
                    .with_attribute(("name", "WebSocket traffic"))
                    .with_attribute(("classname", path.as_str()))
                    .write_inner_content(|xml| {
                        let why = "no WebSocket handshake or frame in this capture";
                        xml.create_element("skipped").with_attribute(("message", why)).write_empty().map(drop)
                    })?;
            }
            let said: Vec<&String> = self.capture.warnings.iter().chain(&self.capture.notes).collect();
            output(&said.iter().map(|text| escape::xml(text)).collect::<Vec<_>>(), xml)
        })?;
        Ok(())
    }
}

/// The suite of an input that could not be read.
fn not_read<W: io::Write>(input: &UnreadableCapture, id: usize, xml: &mut Writer<W>) -> io::Result<()> {
    let path = escape::xml(&input.path);
    let suite = xml
        .create_element("testsuite")
        .with_attribute(("name", path.as_str()))
        .with_attribute(("id", id.to_string().as_str()))
        .with_attribute(("tests", "1"))
        .with_attribute(("failures", "0"))
        .with_attribute(("errors", "1"))
        .with_attribute(("skipped", "0"))
        .with_attribute(("file", path.as_str()));
    let case = |xml: &mut Writer<W>| {
        xml.create_element("testcase")
            .with_attribute(("name", "capture can be read"))
            .with_attribute(("classname", path.as_str()))
            .write_inner_content(|xml| {
                let why = escape::xml(&format!("could not be read: {}", input.reason));
                xml.create_element("error").with_attribute(("message", why.as_str())).write_empty().map(drop)
            })
            .map(drop)
    };
    suite.write_inner_content(case).map(drop)
}

/// `GET /chat of example.org, 10.0.0.5:51234 → 10.0.0.9:80 (stream 5)`.
fn name(connection: &Connection) -> String {
    let request = connection.request.as_ref().map_or(String::new(), |request| {
        let host = request.host.as_ref().map_or(String::new(), |host| format!(" of {host}"));
        format!("{} {}{host}, ", request.method, request.target)
    });
    let stream = connection.stream_id.map_or(String::new(), |stream| format!(", HTTP/2 stream {stream}"));
    escape::xml(&format!(
        "{request}{} → {} (stream {}{stream})",
        connection.client, connection.server, connection.tcp_stream
    ))
}

/// One test, by name, class and group.
fn test<W: io::Write>(
    findings: &[&Finding],
    (name, class, group): (&str, &str, &str),
    failing: Option<Severity>,
    xml: &mut Writer<W>,
) -> io::Result<()> {
    let case = xml
        .create_element("testcase")
        .with_attribute(("name", name))
        .with_attribute(("classname", class))
        .with_attribute(("group", group));
    if findings.is_empty() {
        return case.write_empty().map(drop);
    }
    let (failures, others): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| is_failure(finding, failing));
    case.write_inner_content(|xml| {
        for finding in failures {
            xml.create_element("failure")
                .with_attribute(("type", finding.code))
                .with_attribute(("message", escape::xml(&finding.title).as_str()))
                .write_text_content(BytesText::new(&lines(finding).join("\n")))?;
        }
        output(&others.into_iter().map(|finding| lines(finding).join("\n")).collect::<Vec<_>>(), xml)
    })
    .map(drop)
}

/// A finding in lines.
fn lines(finding: &Finding) -> Vec<String> {
    let mut lines = vec![
        format!("{} {} {}: {}", finding.severity, finding.code, finding.rule, finding.title),
        finding.message.clone(),
    ];
    lines.extend(
        finding.evidence.iter().map(|evidence| format!("packet {}: {}", evidence.packet, evidence.text)),
    );
    lines.push(format!(
        "{} spoke, {} must mend it, {}",
        finding.origin.unwrap_or("nobody"),
        finding.blame,
        finding.confidence
    ));
    lines.push(format!("first: {}", finding.help));
    lines.push(format!("Wireshark: {}", finding.display_filter));
    lines.extend(finding.suppressed.as_ref().map(|why| format!("suppressed: {}", why.justification)));
    lines.iter().map(|line| escape::xml(line)).collect()
}

/// Texts as output; nothing where there are none.
fn output<W: io::Write>(texts: &[String], xml: &mut Writer<W>) -> io::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    xml.create_element("system-out").write_text_content(BytesText::new(&texts.join("\n\n"))).map(drop)
}

fn is_failure(finding: &Finding, failing: Option<Severity>) -> bool {
    let severity = match finding.severity {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Info,
    };
    finding.suppressed.is_none() && failing.is_some_and(|failing| severity >= failing)
}

/// A time without its fraction and zone, as JUnit writes it.
fn seconds(time: Timestamp) -> String {
    let mut text = time.to_string();
    text.truncate(text.find('.').unwrap_or(text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{hostile_report, refused, report, text, well};

    #[test]
    fn a_suite_with_a_failure_and_a_success() {
        let report = report(vec![refused(0), (well(), vec![])]);
        insta::assert_snapshot!(text(|out| write(&report, Some(Severity::Error), out)));
    }

    #[test]
    fn what_is_a_failure_is_asked_for_and_nothing_suppressed_is_one() {
        let mut report = report(vec![refused(0), refused(1)]);
        let failures =
            |report: &Report, failing| text(|out| write(report, failing, out)).matches("<failure ").count();
        assert_eq!(
            [Some(Severity::Error), Some(Severity::Info), None].map(|f| failures(&report, f)),
            [2, 2, 0]
        );
        report.findings[0].severity = "warning";
        assert_eq!([Severity::Error, Severity::Warning].map(|f| failures(&report, Some(f))), [1, 2]);
        report.findings[1].suppressed =
            Some(crate::report::model::Suppression { kind: "ignored", justification: "known".to_owned() });
        assert_eq!(failures(&report, Some(Severity::Info)), 1);
        assert!(text(|out| write(&report, Some(Severity::Info), out)).contains("suppressed: known"));
    }

    #[test]
    fn a_capture_with_nothing_to_judge_is_no_success() {
        let xml = text(|out| write(&report(vec![]), Some(Severity::Error), out));
        assert!(xml.contains("tests=\"1\"") && xml.contains("skipped=\"1\"") && xml.contains("<skipped "));
    }

    #[test]
    fn two_attempts_on_one_connection_have_names_of_their_own() {
        let xml = text(|out| write(&report(vec![(well(), vec![]), (well(), vec![])]), None, out));
        assert!(xml.contains("(stream 0)\"") && xml.contains("(stream 0) #2\""), "{xml}");
    }

    #[test]
    fn hostile_text_is_no_markup_and_stays_within_xml() {
        let xml = text(|out| write(&hostile_report(), Some(Severity::Error), out));
        for part in ["<script", "<!--", "]]>", "\u{fffe}"] {
            assert!(!xml.contains(part), "{part}: {xml}");
        }
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut failure = String::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) if tag.name().as_ref() == "failure" => {
                    let message = tag.try_get_attribute("message").unwrap().unwrap();
                    failure =
                        message.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap().into_owned();
                }
                _ => {}
            }
        }
        assert!(failure.contains("<script>alert(1)</script><!--]]>\\n::error::owned"), "{failure}");
    }
}
