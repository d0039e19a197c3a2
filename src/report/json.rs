//! `--format json`: everything, as one document ([`super::model`]).

use super::escape::JsonFormatter;
use super::model::{self, Report};
use crate::rules;
use schemars::generate::SchemaSettings;
use std::io;

/// Writes the document, indented, with a line break at its end.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    pretty(report, out)
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
    pretty(&rules.collect::<Vec<_>>(), out)
}

/// Writes the JSON Schema of the document, or of a line of `--format jsonl`, derived from the types themselves.
///
/// # Errors
/// Those of `out`.
pub fn write_schema(of: Shape, out: &mut impl io::Write) -> io::Result<()> {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = match of {
        Shape::Document => generator.into_root_schema_for::<Report>(),
        Shape::Line => generator.into_root_schema_for::<model::Line<'_>>(),
    };
    pretty(&schema, out)
}

/// What a schema describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `--format json`.
    Document,
    /// A line of `--format jsonl`.
    Line,
}

/// Writes any value as this program writes JSON documents: indented, hidden characters escaped.
pub(super) fn pretty(value: &impl serde::Serialize, out: &mut impl io::Write) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, JsonFormatter::pretty()))?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::report::escape;
    use crate::report::testing::{refused, report, well};
    use crate::rules::Finding;
    use serde_json::Value;

    fn written(connections: Vec<(Connection, Vec<Finding>)>) -> String {
        let mut out = Vec::new();
        write(&report(connections), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_document_has_the_promised_shape() {
        let text = written(vec![refused(0)]);
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn hostile_text_is_escaped_and_reads_back_the_same() {
        let evil = "\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\"\\\u{7f}";
        let mut connection = well();
        connection.closes[0].reason = evil.into();
        let text = written(vec![(connection, vec![])]);
        assert!(!text.chars().any(|c| c != '\n' && escape::is_hidden(c)));
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap()["connections"][0]["closes"][0]["reason"],
            evil
        );
    }

    #[test]
    fn the_list_of_rules_is_an_array() {
        let mut out = Vec::new();
        write_rules(&mut out).unwrap();
        let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(list.len(), rules::RULES.len());
    }
}
