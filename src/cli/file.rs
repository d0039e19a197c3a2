//! The configuration file, `wsanalyze.toml`: where it lies and what stands in it.

use super::expect::Expect;
use super::suggest::nearest;
use super::suppress::{Suppress, Suppressing};
use crate::rules::expectation::Expectation;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration file, read.
#[derive(Default, Debug)]
pub(super) struct File {
    /// Where it lies; `None` where there is none.
    pub(super) path: Option<PathBuf>,
    /// What recorded traffic must be like.
    pub(super) expectations: Vec<Expectation>,
    /// What does not count.
    pub(super) suppressions: Vec<Suppressing>,
    /// What it says of options of the command line.
    pub(super) settings: Vec<Setting>,
}

/// What a file says of one option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Setting {
    /// The option's long name.
    pub(super) option: String,
    /// As they would be typed.
    pub(super) values: Vec<String>,
    /// Where it stands, for people: `wsanalyze.toml:3`.
    pub(super) place: String,
}

/// Where a configuration file is looked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Places {
    /// It, and every folder above it.
    pub(super) working: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, or what stands for it.
    pub(super) home: Option<PathBuf>,
}

/// How it was decided that a file counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// The user named it, or keeps it at home.
    Chosen,
    /// It lay in the working directory or above: perhaps it came with somebody else's captures.
    CameAcross,
}

impl Places {
    /// The first file there is.
    pub(super) fn find(&self) -> Option<(PathBuf, Standing)> {
        let upward = self.working.iter().flat_map(|folder| folder.ancestors()).map(Path::to_path_buf);
        let home = self.home.iter().map(|folder| folder.join("wsanalyze"));
        let upward = upward.map(|folder| (folder, Standing::CameAcross));
        upward
            .chain(home.map(|folder| (folder, Standing::Chosen)))
            .map(|(folder, standing)| (folder.join(NAME), standing))
            .find(|(file, _)| file.is_file())
    }
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// That it cannot be read, or what is wrong with it, and where.
    pub(super) fn read(path: &Path, options: &[&str]) -> Result<File, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = File::parse(&text, &path.display().to_string(), options)?;
        Ok(File { path: Some(path.to_path_buf()), ..file })
    }

    /// Understands the text of the file at `path`, in which `options` may be set.
    fn parse(text: &str, path: &str, options: &[&str]) -> Result<File, String> {
        let place = |span: Range<usize>| format!("{path}:{}", line(text, span.start));
        let table = DeTable::parse(text).map_err(|error| {
            let place = error.span().map_or_else(|| path.to_owned(), &place);
            format!("{place}: {}", error.message())
        })?;
        let mut file = File::default();
        for (key, value) in table.into_inner() {
            let at = place(key.span());
            let key = key.into_inner();
            match &*key {
                EXPECT => {
                    file.expectations = entries(&place, value, Expect::meaning)?;
                    continue;
                }
                SUPPRESS => {
                    file.suppressions = entries(&place, value, Suppress::meaning)?;
                    continue;
                }
                _ => {}
            }
            if !options.contains(&&*key) {
                let known: Vec<&str> = options.iter().copied().chain([EXPECT, SUPPRESS]).collect();
                return Err(format!("{at}: {}", unknown(&key, &known)));
            }
            let values = as_typed(&value).map_err(|found| format!("{at}: {key}: {found}"))?;
            file.settings.push(Setting { option: key.into_owned(), values, place: at });
        }
        Ok(file)
    }
}

/// The entries of `[[…]]`, each read and understood; `place` says where in the file something stands.
fn entries<E: DeserializeOwned, M>(
    place: &impl Fn(Range<usize>) -> String,
    value: Spanned<DeValue<'_>>,
    meaning: impl Fn(E) -> Result<M, String>,
) -> Result<Vec<M>, String> {
    let at = place(value.span());
    let DeValue::Array(entries) = value.into_inner() else {
        return Err(format!("{at}: expected entries, each below a line with double brackets"));
    };
    let understood = entries.into_iter().map(|entry| {
        let span = entry.span();
        let read = E::deserialize(entry.into_deserializer()).map_err(|error| {
            format!("{}: {}", place(error.span().unwrap_or(span.clone())), meant(error.message()))
        })?;
        meaning(read).map_err(|reason| format!("{}: {reason}", place(span)))
    });
    understood.collect()
}

/// What serde says of a key that it does not know, in the words used elsewhere: it names the key and the ones there are
/// between backticks.
fn meant(message: &str) -> String {
    match message.strip_prefix("unknown field ") {
        Some(rest) => {
            let mut names = rest.split('`').skip(1).step_by(2);
            let key = names.next().unwrap_or_default();
            unknown(key, &names.collect::<Vec<_>>())
        }
        None => message.to_owned(),
    }
}

/// That nothing has this name, and what may have been meant.
fn unknown(key: &str, known: &[&str]) -> String {
    let near = nearest(key, known.iter().copied());
    match near.as_slice() {
        [] => format!("unknown key {key:?}: the keys are {}", known.join(", ")),
        names => format!("unknown key {key:?}: did you mean {}?", names.join(", ")),
    }
}

/// A value as the words that would be typed for it: each of a list, and `key=value` for each of a table.
fn as_typed(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    match value.get_ref() {
        DeValue::Array(values) => values.iter().map(|value| word(value.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| Ok(format!("{}={}", key.get_ref(), word(value.get_ref())?)))
            .collect(),
        one => word(one).map(|word| vec![word]),
    }
}

fn word(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(Cow::into_owned(text.clone())),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => {
            Err(format!("expected one value or a list of values, not {} in it", value.type_str()))
        }
    }
}

/// The line of a byte, counted from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Tables that are no options.
const EXPECT: &str = "expect";

const SUPPRESS: &str = "suppress";

/// Its name.
const NAME: &str = "wsanalyze.toml";

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[&str] = &["format", "fail-on", "select", "severity", "allow-empty", "width"];

    fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let file = File::parse(text, "wsanalyze.toml", OPTIONS)?;
        Ok(file.settings.into_iter().map(|setting| (setting.option, setting.values)).collect())
    }

    #[test]
    fn values_lists_and_tables_become_what_would_be_typed() {
        let text = "width = 100\nformat = \"json\"\nallow-empty = true\nselect = [\"WS-EX\", \"close\"]\n\
            [severity]\nWS-EX-012 = \"info\"\n";
        let settings = parse(text).unwrap();
        let of = |option: &str| &settings.iter().find(|(name, _)| name == option).unwrap().1;
        assert_eq!(of("width"), &["100"]);
        assert_eq!(of("format"), &["json"]);
        assert_eq!(of("allow-empty"), &["true"]);
        assert_eq!(of("select"), &["WS-EX", "close"]);
        assert_eq!(of("severity"), &["WS-EX-012=info"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("\nfailon = \"info\"", "wsanalyze.toml:2: unknown key \"failon\": did you mean fail-on?"),
            ("qqqqqqqqqq = 1", "wsanalyze.toml:1: unknown key \"qqqqqqqqqq\": the keys are format, fail-on"),
            ("format = \"json\"\nformat = \"table\"", "wsanalyze.toml:2: duplicate key"),
            ("format = ", "wsanalyze.toml:1: "),
            ("select = [[1]]", "wsanalyze.toml:1: select: expected one value or a list"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.starts_with(says), "{text}: {reason}");
        }
    }

    #[test]
    fn expectations_and_suppressions_are_entries_with_keys_of_their_own() {
        let text = "[[expect]]\nhost = \"a.org\"\n\n[[expect]]\nmin-life = \"1s\"\n\n[[suppress]]\n\
            rule = \"WS-EX-001\"\nreason = \"old client\"\n";
        let file = File::parse(text, "wsanalyze.toml", OPTIONS).unwrap();
        assert_eq!((file.expectations.len(), file.suppressions.len()), (2, 1));
        for (text, says) in [
            ("\n[[expect]]\nhots = 1", "wsanalyze.toml:3: unknown key \"hots\": did you mean host?"),
            ("[[suppress]]\nrule = \"x\"", "wsanalyze.toml:1: missing field `reason`"),
            ("[[expect]]\nmin-life = 3", "wsanalyze.toml:2: invalid type: integer"),
            ("\n[[expect]]\nmin-life = \"x\"", "wsanalyze.toml:2: min-life: expected a length of time"),
            ("expect = 1", "wsanalyze.toml:1: expected entries"),
            ("[[expct]]", "wsanalyze.toml:1: unknown key \"expct\": did you mean expect"),
        ] {
            let reason = File::parse(text, "wsanalyze.toml", OPTIONS).unwrap_err();
            assert!(reason.starts_with(says), "{text}: {reason}");
        }
    }

    #[test]
    fn nothing_written_is_nothing_set() {
        assert_eq!(parse("# fail-on = \"never\"\n"), Ok(vec![]));
    }
}
