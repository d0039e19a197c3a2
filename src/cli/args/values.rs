//! What can be typed behind an option. The values have no help of their own, so that --help stays on one screen.

use clap::ValueEnum;
use std::path::PathBuf;

/// The id of a connection.
pub(super) fn id(text: &str) -> Result<usize, String> {
    let is_id = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_id).ok_or_else(|| {
        String::from("expected the id of a connection, a number that wsanalyze connections shows, and then the captures")
    })
}

/// See [`super::Analysis::format`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum Format {
    #[default]
    Table,
    Json,
    Jsonl,
    Sarif,
    Junit,
    Github,
    Gitlab,
    Markdown,
    Csv,
    Html,
}

/// See [`super::Analysis::messages`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum MessageList {
    #[default]
    Off,
    Facts,
    Payload,
}

/// See [`super::Analysis::outputs`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Output {
    pub(in super::super) format: Format,
    pub(in super::super) path: PathBuf,
}

impl Output {
    pub(super) fn parse(text: &str) -> Result<Output, String> {
        let formats = || {
            let names = Format::value_variants().iter().filter_map(|format| format.to_possible_value());
            names.map(|name| name.get_name().to_owned()).collect::<Vec<_>>().join(", ")
        };
        match text.split_once('=') {
            Some((_, "" | "-")) => Err(String::from("expected a file; --format is for standard output")),
            Some((format, path)) => match Format::from_str(format, true) {
                Ok(format) => Ok(Output { format, path: PathBuf::from(path) }),
                Err(_) => Err(format!("{format:?} is no format: expected one of {}", formats())),
            },
            None => Err(format!("expected FORMAT=FILE, with one of {}", formats())),
        }
    }
}

/// The formats that have a schema of ours.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum SchemaFormat {
    #[default]
    Json,
    Jsonl,
}

/// How the list of rules is printed.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum ListFormat {
    #[default]
    Table,
    Json,
}

/// See [`super::Verdict::fail_on`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum FailOn {
    #[default]
    Error,
    Warning,
    Info,
    Never,
}

/// See [`super::Command::Connections`].
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(in super::super) enum GroupBy {
    Cause,
    Endpoint,
    Client,
}

/// How times are told.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum TimeStyle {
    Utc,
    Local,
    #[default]
    Relative,
    Epoch,
}

/// The language of an explanation.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum Lang {
    #[default]
    En,
    #[value(name = "pt-BR", aliases = ["pt", "pt_BR"])]
    PtBr,
}

/// See [`super::Paper::color`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(in super::super) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}
