//! What was typed, in these surroundings, means this.

use super::args::{Args, ColorWhen, FailOn, Format};
use super::selection::Selection;
use crate::report::{Glyphs, Page, Secrets};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

/// A run, with nothing left to decide.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) captures: Vec<PathBuf>,
    pub(super) format: Format,
    pub(super) page: Page,
    pub(super) secrets: Secrets,
    pub(super) fail_on: FailOn,
    pub(super) allow_empty: bool,
    pub(super) selection: Selection,
    /// Whether a progress bar may be drawn on standard error.
    pub(super) progress: bool,
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
}

impl Config {
    /// The meaning of `args`.
    ///
    /// # Errors
    /// What is wrong with them, where each alone is well formed.
    pub(super) fn new(args: Args, surroundings: &Surroundings) -> Result<Config, String> {
        let page = args.page(surroundings);
        match args.captures.iter().filter(|path| path.as_path() == Path::new("-")).count() {
            0 => {}
            1 if surroundings.stdin_is_terminal => {
                return Err(String::from(
                    "-: standard input is a terminal: pipe a capture into it, or name a file",
                ));
            }
            1 => {}
            n => return Err(format!("-: standard input was named {n} times and can be read only once")),
        }
        Ok(Config {
            format: args.format,
            page,
            secrets: if args.show_secrets { Secrets::Shown } else { Secrets::Hidden },
            fail_on: args.fail_on,
            allow_empty: args.allow_empty,
            selection: Selection { since: args.since, until: args.until, filters: args.filters },
            progress: surroundings.stderr_is_terminal,
            captures: args.captures,
        })
    }
}

impl Args {
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
    use clap::Parser as _;

    const PIPE: Surroundings = Surroundings {
        color: false,
        columns: None,
        terminal_width: None,
        stdin_is_terminal: false,
        stderr_is_terminal: false,
        locale: None,
    };

    fn args(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_width_is_the_one_asked_for_then_the_environments_then_the_terminals() {
        let width = |line: &str, surroundings: &Surroundings| args(line).page(surroundings).width();
        let terminal = Surroundings { terminal_width: Some(132), ..PIPE };
        assert_eq!(width("wsanalyze a", &PIPE), 80);
        assert_eq!(width("wsanalyze a", &terminal), 132);
        assert_eq!(width("wsanalyze a", &Surroundings { columns: Some(70), ..terminal.clone() }), 70);
        assert_eq!(width("wsanalyze --width 60 a", &terminal), 60);
    }

    #[test]
    fn what_was_typed_about_colour_beats_the_surroundings() {
        let color = |line: &str, color: bool| args(line).page(&Surroundings { color, ..PIPE }).color;
        assert!(color("wsanalyze a", true) && !color("wsanalyze a", false));
        assert!(!color("wsanalyze a --color never", true) && color("wsanalyze a --color always", false));
        assert!(color("wsanalyze explain 1010 --color always", false));
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        let glyphs = |locale: Option<&str>| {
            args("wsanalyze a").page(&Surroundings { locale: locale.map(str::to_owned), ..PIPE }).glyphs
        };
        assert_eq!(glyphs(None), Glyphs::Unicode);
        assert_eq!(glyphs(Some("en_GB.UTF-8")), Glyphs::Unicode);
        assert_eq!(glyphs(Some("de_DE.utf8")), Glyphs::Unicode);
        assert_eq!(glyphs(Some("C")), Glyphs::Ascii);
    }

    #[test]
    fn standard_input_is_read_once_and_never_from_a_keyboard() {
        let config = |line: &str, surroundings: &Surroundings| Config::new(args(line), surroundings);
        assert!(config("wsanalyze a -", &PIPE).is_ok());
        assert!(config("wsanalyze - -", &PIPE).unwrap_err().contains("2 times"));
        let keyboard = Surroundings { stdin_is_terminal: true, ..PIPE };
        assert!(config("wsanalyze -", &keyboard).unwrap_err().contains("terminal"));
        assert!(config("wsanalyze a", &keyboard).is_ok());
    }
}
