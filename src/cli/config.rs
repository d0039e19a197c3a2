//! What was typed, in these surroundings, means this.

use super::args::{
    Analysis, ColorWhen, Format, Judging, MessageList, Output, Paper, Reading, Telling, Verdict,
};
use super::baseline;
use super::complain;
use super::file::File;
use super::scope::Scope;
use super::suggest::rules;
use super::suppress::Suppressing;
use crate::pipeline::{Options, When};
use crate::report::{Detail, Glyphs, Page, Secrets};
use crate::rules::selection::{Level, Requirement, Selection};
use crate::rules::{Rule, Severity, Suppressions};
use crate::time::Timestamp;
use crate::websocket::{Depth, Payloads};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run, with nothing left to decide.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) input: Input,
    /// Whether findings are printed as they come.
    pub(super) follow: bool,
    pub(super) format: Format,
    pub(super) page: Page,
    pub(super) outputs: Vec<Output>,
    pub(super) telling: Telling,
    /// The most causes that the table tells.
    pub(super) limit: Option<usize>,
    pub(super) detail: Detail,
    /// The page of a file, which takes colour only where that was asked for.
    pub(super) file_page: Page,
    pub(super) verdict: Verdict,
    pub(super) show_suppressed: bool,
    /// The report that is the baseline, so that none takes its place.
    pub(super) baseline: Option<PathBuf>,
    /// Whether the report is to say how the policy was met.
    pub(super) purpose: Purpose,
}

/// What is read, how it is judged, and which of it is told: what all commands that read captures have in common.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) captures: Vec<PathBuf>,
    pub(super) options: Options,
    /// What does not count.
    pub(super) suppressions: Suppressions,
    /// Key logs that were named; each must be there.
    pub(super) key_logs: Vec<PathBuf>,
    /// The key log that the environment names for programs that write one: it need not be there.
    pub(super) environment_key_log: Option<PathBuf>,
    pub(super) secrets: Secrets,
    pub(super) scope: Scope,
    /// Whether a progress bar may be drawn on standard error.
    pub(super) progress: bool,
}

/// What captures are read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To tell what is in them.
    Report,
    /// To hold them to a policy.
    Check,
}

/// What the program is run in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Surroundings {
    /// Whether standard output takes colour, by the terminal and by custom (`NO_COLOR`, `CLICOLOR_FORCE`).
    color: bool,
    /// `COLUMNS`.
    columns: Option<u16>,
    /// Width of the terminal that is standard output.
    terminal_width: Option<u16>,
    stdin_is_terminal: bool,
    stderr_is_terminal: bool,
    /// The locale for characters, where one is set.
    locale: Option<String>,
    /// `SSLKEYLOGFILE`.
    key_log: Option<PathBuf>,
    /// Cores that we may use.
    cores: usize,
    /// The day by the clock, in UTC: `2026-11-22`.
    today: String,
}

impl Config {
    /// The meaning of what was typed and of what stands in a file.
    ///
    /// # Errors
    /// What is wrong with it, where each part alone is well formed.
    pub(super) fn new(
        args: Analysis,
        paper: &Paper,
        file: File,
        purpose: Purpose,
        surroundings: &Surroundings,
    ) -> Result<Config, String> {
        let page = paper.page(surroundings);
        let suppressions = suppressions(file.suppressions, args.known.baseline.as_deref(), surroundings)?;
        let mut input = Input::new(args.captures, args.reading, &args.judging, suppressions, surroundings)?;
        if purpose == Purpose::Check {
            if file.expectations.is_empty() {
                return Err(match file.path {
                    Some(path) => {
                        format!("{}: no [[expect]] in it, so there is nothing to check", path.display())
                    }
                    None => {
                        String::from("check needs a policy: name a file with [[expect]] in it with --policy")
                    }
                });
            }
            input.options.selection = input.options.selection.expect(file.expectations);
        }
        let formats = args.outputs.iter().map(|output| output.format);
        let standard = (!args.follow || args.format != Format::Table).then_some(args.format);
        if formats
            .chain(standard)
            .any(|format| matches!(format, Format::Table | Format::Json | Format::Jsonl))
        {
            input.options.depth = args.messages.depth().unwrap_or(input.options.depth);
        }
        if args.follow {
            input.options.when = When::Promptly;
            input.options.threads = 1;
            input.progress = false;
        }
        Ok(Config {
            follow: args.follow,
            // A bar and lines that come as they are found would run into each other.
            input: Input { progress: input.progress && args.format != Format::Jsonl, ..input },
            format: args.format,
            page,
            file_page: page.colored(paper.color == ColorWhen::Always),
            outputs: args.outputs,
            telling: args.telling,
            limit: args.limit,
            detail: if args.brief { Detail::Brief } else { Detail::Full },
            verdict: args.verdict,
            show_suppressed: args.known.show_suppressed,
            baseline: args.known.baseline,
            purpose,
        })
    }
}

impl Input {
    /// What was named, to be read and judged as was asked.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub(super) fn new(
        captures: Vec<PathBuf>,
        reading: Reading,
        judging: &Judging,
        suppressions: Suppressions,
        surroundings: &Surroundings,
    ) -> Result<Input, String> {
        match captures.iter().filter(|path| path.as_path() == Path::new("-")).count() {
            0 => {}
            1 if surroundings.stdin_is_terminal => {
                return Err(String::from(
                    "-: standard input is a terminal: pipe a capture into it, or name a file",
                ));
            }
            1 => {}
            n => return Err(format!("-: standard input was named {n} times and can be read only once")),
        }
        Ok(Input {
            captures,
            options: Options {
                when: When::Late,
                selection: judging.selection()?,
                depth: if reading.decode { Depth::All } else { Depth::WhereAsked },
                threads: reading.threads.map_or(surroundings.cores, usize::from),
                ..Options::default()
            },
            suppressions,
            key_logs: reading.key_logs.clone(),
            environment_key_log: surroundings.key_log.clone(),
            secrets: reading.secrets(),
            scope: reading.scope(),
            progress: surroundings.stderr_is_terminal,
        })
    }
}

/// What does not count today: what a file says, and what an earlier report knows. What has expired is told.
///
/// # Errors
/// That the baseline is no report.
pub(super) fn suppressions(
    entries: Vec<Suppressing>,
    baseline: Option<&Path>,
    surroundings: &Surroundings,
) -> Result<Suppressions, String> {
    let mut suppressions = Suppressions::default();
    for entry in entries {
        match entry.on(&surroundings.today) {
            Ok(ignored) => suppressions.ignored.push(ignored),
            Err(expired) => complain(&expired),
        }
    }
    if let Some(path) = baseline {
        suppressions.known = baseline::read(path).map_err(|reason| format!("--baseline: {reason}"))?;
    }
    Ok(suppressions)
}

impl Reading {
    /// Which connections are told.
    pub(super) fn scope(self) -> Scope {
        Scope { since: self.since, until: self.until, filters: self.filters }
    }

    /// What becomes of values that often are tokens.
    pub(super) fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Shown } else { Secrets::Hidden }
    }
}

impl MessageList {
    /// How far messages must be read for it.
    fn depth(self) -> Option<Depth> {
        match self {
            MessageList::Off => None,
            MessageList::Facts => Some(Depth::Listed(Payloads::Hidden)),
            MessageList::Payload => Some(Depth::Listed(Payloads::Quoted)),
        }
    }
}

impl Judging {
    /// What is asked of the rules. What is ignored stays silent, whatever else was said of it.
    pub(super) fn selection(&self) -> Result<Selection, String> {
        let all = |option: &str, words: &[String]| -> Result<Vec<&'static Rule>, String> {
            Ok(words.iter().map(|word| rules(option, word)).collect::<Result<Vec<_>, _>>()?.concat())
        };
        let mut selection = Selection::default();
        for word in &self.severity {
            let (rule, severity) = word
                .split_once('=')
                .ok_or_else(|| format!("--severity: {word}: expected RULE=error, warning, info or off"))?;
            let level = match severity.trim().to_ascii_lowercase().as_str() {
                "error" => Level::At(Severity::Error),
                "warning" => Level::At(Severity::Warning),
                "info" => Level::At(Severity::Info),
                "off" => Level::Off,
                other => {
                    return Err(format!(
                        "--severity: {other:?} is no severity: expected error, warning, info or off"
                    ));
                }
            };
            selection = selection.level(&rules("--severity", rule)?, level);
        }
        let parse = |text: &String| {
            Requirement::parse(text).map_err(|reason| format!("--require-extension: {reason}"))
        };
        Ok(selection
            .only(&all("--select", &self.select)?)
            .level(&all("--ignore", &self.ignore)?, Level::Off)
            .require(self.require_extension.iter().map(parse).collect::<Result<_, _>>()?))
    }
}

impl Paper {
    /// The page to write on.
    pub(super) fn page(&self, surroundings: &Surroundings) -> Page {
        let width = self.width.or(surroundings.columns).or(surroundings.terminal_width).unwrap_or(80);
        let color = match self.color {
            ColorWhen::Auto => surroundings.color,
            ColorWhen::Always => true,
            ColorWhen::Never => false,
        };
        // No locale at all is how containers run, on terminals that do know UTF-8.
        let utf8 = surroundings.locale.as_ref().is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Page::new(usize::from(width), color, if utf8 { Glyphs::Unicode } else { Glyphs::Ascii })
    }
}

/// By the clock of this machine.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Surroundings {
    /// Looks at the terminal and the environment.
    pub(super) fn look() -> Surroundings {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let stdout = io::stdout();
        Surroundings {
            color: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            columns: set("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0),
            terminal_width: terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0),
            stdin_is_terminal: io::stdin().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            today: now().day(),
            key_log: std::env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty()).map(PathBuf::from),
            locale: if cfg!(windows) {
                None
            } else {
                set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Args;
    use crate::rules::selection::named;
    use clap::Parser as _;

    const PIPE: Surroundings = Surroundings {
        today: String::new(),
        color: false,
        columns: None,
        terminal_width: None,
        stdin_is_terminal: false,
        stderr_is_terminal: false,
        locale: None,
        key_log: None,
        cores: 1,
    };

    fn args(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    fn read(line: &str, surroundings: &Surroundings) -> Result<Config, String> {
        let Args { analysis, paper, .. } = args(line);
        Config::new(analysis, &paper, File::default(), Purpose::Report, surroundings)
    }

    #[test]
    fn the_width_is_the_one_asked_for_then_the_environments_then_the_terminals() {
        let width = |line: &str, surroundings: &Surroundings| args(line).paper.page(surroundings).width();
        let terminal = Surroundings { terminal_width: Some(132), ..PIPE };
        assert_eq!(width("wsanalyze a", &PIPE), 80);
        assert_eq!(width("wsanalyze a", &terminal), 132);
        assert_eq!(width("wsanalyze a", &Surroundings { columns: Some(70), ..terminal.clone() }), 70);
        assert_eq!(width("wsanalyze --width 60 a", &terminal), 60);
    }

    #[test]
    fn what_was_typed_about_colour_beats_the_surroundings() {
        let color = |line: &str, color: bool| args(line).paper.page(&Surroundings { color, ..PIPE }).color;
        assert!(color("wsanalyze a", true) && !color("wsanalyze a", false));
        assert!(!color("wsanalyze a --color never", true) && color("wsanalyze a --color always", false));
        assert!(color("wsanalyze explain 1010 --color always", false));
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        let glyphs = |locale: Option<&str>| {
            args("wsanalyze a").paper.page(&Surroundings { locale: locale.map(str::to_owned), ..PIPE }).glyphs
        };
        assert_eq!(glyphs(None), Glyphs::Unicode);
        assert_eq!(glyphs(Some("en_GB.UTF-8")), Glyphs::Unicode);
        assert_eq!(glyphs(Some("de_DE.utf8")), Glyphs::Unicode);
        assert_eq!(glyphs(Some("C")), Glyphs::Ascii);
    }

    #[test]
    fn standard_input_is_read_once_and_never_from_a_keyboard() {
        let config = |line: &str, surroundings: &Surroundings| read(line, surroundings);
        assert!(config("wsanalyze a -", &PIPE).is_ok());
        assert!(config("wsanalyze - -", &PIPE).unwrap_err().contains("2 times"));
        let keyboard = Surroundings { stdin_is_terminal: true, ..PIPE };
        assert!(config("wsanalyze -", &keyboard).unwrap_err().contains("terminal"));
        assert!(config("wsanalyze a", &keyboard).is_ok());
    }

    fn selection(line: &str) -> Result<Selection, String> {
        read(line, &PIPE).map(|config| config.input.options.selection)
    }

    #[test]
    fn rules_are_selected_ignored_and_weighed() {
        let speaks = |line: &str, name: &str| selection(line).unwrap().speaks(named(name)[0]);
        assert!(speaks("wsanalyze a --select WS-EX,close", "WS-EX-012"));
        assert!(!speaks("wsanalyze a --select WS-EX,close", "WS-GW-002"));
        assert!(!speaks("wsanalyze a --select WS-EX --ignore ws-ex-001", "WS-EX-001"));
        assert!(!speaks("wsanalyze a --ignore WS-EX-001 --severity WS-EX-001=error", "WS-EX-001"));
        assert!(!speaks("wsanalyze a --select WS-EX --severity gateway=error", "WS-GW-002"));
        assert!(speaks("wsanalyze a --severity extension=off,WS-EX-012=info", "WS-EX-012"));
        assert!(!speaks("wsanalyze a --severity extension=off,WS-EX-012=info", "WS-EX-001"));
        assert_eq!(selection("wsanalyze a").unwrap(), Selection::default());
    }

    #[test]
    fn what_no_rule_is_called_is_answered_with_what_may_have_been_meant() {
        for (line, says) in [
            ("wsanalyze a --select WS-EX-O12", "did you mean WS-EX-012"),
            ("wsanalyze a --ignore extention", "did you mean extension"),
            ("wsanalyze a --ignore qqqqqqqq", "wsanalyze rules"),
            ("wsanalyze a --ignore ,", "neither a rule"),
            ("wsanalyze a --severity WS-EX-012", "RULE=error"),
            ("wsanalyze a --severity WS-EX-012=fatal", "\"fatal\" is no severity"),
            ("wsanalyze a --require-extension a;b", "--require-extension: a;b"),
        ] {
            let reason = selection(line).unwrap_err();
            assert!(reason.contains(says), "{line}: {reason}");
        }
    }
}
