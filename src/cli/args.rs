//! What can be typed.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  wsanalyze edge.pcapng                       who closed the WebSocket, why, and what to change
  wsanalyze client.pcap.gz server.pcap.gz     several captures, each plain or compressed
  tcpdump -s 0 -w - 'port 80' | wsanalyze -   from standard input, until tcpdump is stopped
  wsanalyze --format json edge.pcapng         everything, for a program
  wsanalyze explain 1010 1014                 two close codes, and how they differ
  wsanalyze explain WS-EX-012                 the manual of a rule

Exit status:
  0  nothing at or above --fail-on
  1  findings at or above it
  2  wrong usage
  3  an input could not be read as a capture
  4  no WebSocket handshake or frame in the input (0 with --allow-empty)

A capture with the name of a command is given as ./explain.";

/// Tells from packet captures who closed a WebSocket, why, and what to change.
#[derive(Parser, Debug)]
#[command(
    name = "wsanalyze",
    version,
    after_help = EXAMPLES,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(super) struct Args {
    /// Captures: pcap or pcapng, plain or compressed with gzip, zstd or LZ4; - for standard input
    #[arg(value_name = "CAPTURE", required = true)]
    pub(super) captures: Vec<PathBuf>,

    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: Format,

    /// From which severity on findings make the exit status 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub(super) fail_on: FailOn,

    /// Succeed where the input holds no WebSocket
    #[arg(long)]
    pub(super) allow_empty: bool,

    /// Print values of query parameters, which often are tokens
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// When to colour; auto heeds the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(super) color: ColorWhen,

    /// Columns of the page; otherwise those of the terminal, or 80
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000), global = true)]
    pub(super) width: Option<u16>,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// What else the program does.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Explain close codes and rules; two or more close codes are compared
    Explain {
        /// Close codes (1010), rule codes (WS-EX-012) or rule names
        #[arg(value_name = "TOPIC", required = true)]
        topics: Vec<String>,
    },
    /// List the rules
    Rules {
        /// How to print them
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
}

// The values have no help of their own, so that --help stays on one screen.

/// See [`Args::format`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(super) enum Format {
    #[default]
    Table,
    Json,
}

/// See [`Args::fail_on`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(super) enum FailOn {
    #[default]
    Error,
    Warning,
    Info,
    Never,
}

/// See [`Args::color`].
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub(super) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn captures_and_commands_share_the_first_place() {
        let args = parse("wsanalyze --format json a.pcap - --fail-on warning").unwrap();
        assert_eq!(args.captures, [PathBuf::from("a.pcap"), PathBuf::from("-")]);
        assert_eq!((args.format, args.fail_on), (Format::Json, FailOn::Warning));
        assert!(args.command.is_none());
        let Some(Command::Explain { topics }) = parse("wsanalyze explain 1010 1014").unwrap().command else {
            panic!("not a command")
        };
        assert_eq!(topics, ["1010", "1014"]);
        assert!(matches!(
            parse("wsanalyze rules --color never").unwrap().command,
            Some(Command::Rules { .. })
        ));
    }

    #[test]
    fn a_capture_named_like_a_command_is_given_with_its_folder() {
        assert_eq!(parse("wsanalyze ./explain").unwrap().captures, [PathBuf::from("./explain")]);
        assert_eq!(parse("wsanalyze a.pcap explain").unwrap().captures.len(), 2);
    }

    #[test]
    fn what_is_missing_or_unknown_is_wrong_usage() {
        assert_eq!(parse("wsanalyze --allow-empty").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse("wsanalyze explain").unwrap_err().exit_code(), 2);
        assert_eq!(parse("wsanalyze --fail-on bad a.pcap").unwrap_err().exit_code(), 2);
        assert_eq!(parse("wsanalyze --width 7 a.pcap").unwrap_err().exit_code(), 2);
        assert_eq!(parse("wsanalyze --version").unwrap_err().exit_code(), 0);
    }
}
