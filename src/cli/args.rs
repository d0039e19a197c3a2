//! What can be typed.

mod values;

pub(super) use values::{
    ColorWhen, FailOn, Format, GroupBy, Lang, ListFormat, MessageList, Output, SchemaFormat, TimeStyle,
};

use self::values::id;

use super::scope::{Filter, Moment};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Tells from packet captures who closed a WebSocket, why, and what to change.
#[derive(Parser, Debug)]
#[command(
    name = "wsanalyze",
    version,
    // The command comes before the captures, of which there may be any number.
    override_usage = "wsanalyze [OPTIONS] <CAPTURE>...\n       wsanalyze <COMMAND> [OPTIONS] [CAPTURE]...",
    after_help = EXAMPLES,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) analysis: Analysis,

    #[command(flatten)]
    pub(super) paper: Paper,

    #[command(flatten)]
    pub(super) settings: Settings,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Captures, read, judged and reported on.
#[derive(clap::Args, Debug)]
pub(super) struct Analysis {
    /// Captures: pcap or pcapng, plain or compressed with gzip, zstd or LZ4; - for standard input
    #[arg(value_name = "CAPTURE", required = true)]
    pub(super) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) reading: Reading,

    #[command(flatten)]
    pub(super) judging: Judging,

    #[command(flatten)]
    pub(super) known: Known,

    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: Format,

    /// Print each finding as soon as it is certain, one a line, and at the end a line that sums up
    #[arg(long)]
    pub(super) follow: bool,

    /// Write a report into a file as well: json=report.json; repeatable
    #[arg(short, long = "output", value_name = "FORMAT=FILE", value_parser = Output::parse)]
    pub(super) outputs: Vec<Output>,

    #[command(flatten)]
    pub(super) telling: Telling,

    /// List the messages of each connection, in the table, json and jsonl: how long, and why one cannot be read; with
    /// =payload also how each begins, which may be secret
    #[arg(
        long,
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "facts",
        default_value = "off",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "WHAT"
    )]
    pub(super) messages: MessageList,

    /// Tell only the facts of what the table lists, not what each rule means: explain has that
    #[arg(long)]
    pub(super) brief: bool,

    /// Tell at most so many causes in the table
    #[arg(long, value_name = "COUNT")]
    pub(super) limit: Option<usize>,

    #[command(flatten)]
    pub(super) verdict: Verdict,
}

/// How things are told to people; shared by all commands that read captures.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Telling {
    /// How times are told; relative counts from the first packet of the capture
    #[arg(long, value_enum, default_value_t, value_name = "TIME")]
    pub(super) time: TimeStyle,
}

/// What is read, and which of it is told; shared by all commands that read captures. The help is each option's own.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Reading {
    /// TLS secrets in the format of NSS, as browsers write them for SSLKEYLOGFILE; may be given several times
    #[arg(long = "keylog", value_name = "FILE")]
    pub(super) key_logs: Vec<PathBuf>,

    /// Inflate and check every compressed message, not only where the end of its session asks for it
    #[arg(long)]
    pub(super) decode: bool,

    /// Leave out connections that ended before: 2026-11-22T11:31:54Z, or +12.5 seconds after the first packet
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub(super) since: Option<Moment>,

    /// Leave out connections that began after
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub(super) until: Option<Moment>,

    /// Only connections with this host=, port=, path=/ws*, code=1010, status=502, rule=, stream= or
    /// side=client (who closed first); ! before it negates; repeatable, all must hold
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = Filter::parse)]
    pub(super) filters: Vec<Filter>,

    /// Print values of query parameters, and subprotocols that may be tokens
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// Threads that follow connections; otherwise the cores there are. The report is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

/// What is asked of the rules; shared by all commands that judge.
#[derive(clap::Args, Debug)]
pub(super) struct Judging {
    /// Only these rules: codes, names, or categories (WS-EX, extension)
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(super) select: Vec<String>,

    /// All rules but these
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,

    /// How grave a rule's findings are: RULE=error, warning, info or off; the last word on a rule counts
    #[arg(long, value_name = "RULE=SEVERITY", value_delimiter = ',')]
    pub(super) severity: Vec<String>,

    /// An extension that sessions must have, everywhere or at NAME@HOST/PATH, in which * stands for any text
    #[arg(long, value_name = "NAME")]
    pub(super) require_extension: Vec<String>,
}

/// What does not count.
#[derive(clap::Args, Debug)]
pub(super) struct Known {
    /// A report of an earlier run (--format json): what it tells is known, and only what is new counts
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,

    /// Show findings that do not count as well: known from the baseline, or ignored by the configuration file
    #[arg(long)]
    pub(super) show_suppressed: bool,
}

/// What the exit status depends on; shared by all commands that pass or fail.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// From which severity on findings make the exit status 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub(super) fail_on: FailOn,

    /// Succeed where the input holds no WebSocket
    #[arg(long)]
    pub(super) allow_empty: bool,
}

/// Where options are set that were not typed; the same for every command.
#[derive(clap::Args, Debug)]
pub(super) struct Settings {
    /// The configuration file, instead of the first wsanalyze.toml from this folder upward, or below XDG_CONFIG_HOME
    #[arg(long, value_name = "FILE", global = true, visible_alias = "policy")]
    pub(super) config: Option<PathBuf>,

    /// Read no configuration file
    #[arg(long, global = true, conflicts_with = "config")]
    pub(super) isolated: bool,
}

/// What is written on; the same for every command.
#[derive(clap::Args, Debug)]
pub(super) struct Paper {
    /// When to colour; auto heeds the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(super) color: ColorWhen,

    /// Columns of the page; otherwise those of the terminal, or 80
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000), global = true)]
    pub(super) width: Option<u16>,
}

/// Two runs to be compared.
#[derive(clap::Args, Debug)]
pub(super) struct Diff {
    /// The capture before the change, or a folder of them
    #[arg(value_name = "BEFORE")]
    pub(super) before: PathBuf,

    /// The capture after it, or a folder of them
    #[arg(value_name = "AFTER")]
    pub(super) after: PathBuf,

    #[command(flatten)]
    pub(super) reading: Reading,

    #[command(flatten)]
    pub(super) judging: Judging,

    /// How to print what changed
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) format: ListFormat,

    #[command(flatten)]
    pub(super) verdict: Verdict,
}

/// A look at captures: which, what of them, and how times are told.
#[derive(clap::Args, Debug)]
pub(super) struct View {
    /// Captures, as for the report
    #[arg(value_name = "CAPTURE", required = true)]
    pub(super) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) reading: Reading,

    #[command(flatten)]
    pub(super) judging: Judging,

    #[command(flatten)]
    pub(super) telling: Telling,
}

/// What else the program does.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Explain codes, rules and messages from logs; two or more codes are compared
    Explain {
        /// Close codes (1010), HTTP statuses (502), rules (WS-EX-012) or messages ("RSV1 must be clear")
        #[arg(value_name = "TOPIC", required = true)]
        topics: Vec<String>,

        /// The language of codes and comparisons
        #[arg(long, value_enum, default_value_t, value_name = "LANGUAGE", ignore_case = true)]
        lang: Lang,
    },
    /// List every connection, one a line: outcome, codes, who closed, how long, how many frames, what was found
    Connections {
        #[command(flatten)]
        view: Box<View>,
        /// More columns: role, carrier, stream, packets, host, extensions
        #[arg(long)]
        wide: bool,
        /// Cut nothing to the width of the page
        #[arg(long)]
        no_trunc: bool,
        /// Put together connections with the same gravest finding, server and path, or client
        #[arg(long, value_enum, value_name = "WHAT")]
        group_by: Option<GroupBy>,
        /// Show at most so many, of each group where there are groups
        #[arg(long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Draw all connections over time: when they open, how long they live, how they end
    Timeline {
        #[command(flatten)]
        view: Box<View>,
    },
    /// Draw one session: who sent what, when, on all its legs
    Ladder {
        /// Id of one of its connections, as in the JSON report and the list of connections
        #[arg(value_name = "ID", value_parser = id)]
        id: usize,
        #[command(flatten)]
        view: Box<View>,
        /// As a Mermaid sequence diagram, which GitHub, GitLab and many wikis draw where it stands in a fence of "mermaid"
        #[arg(long)]
        mermaid: bool,
    },
    /// Write the packets of one connection into a new pcapng file
    Extract {
        /// Its id in the JSON report without --filter, --since and --until
        #[arg(value_name = "ID", value_parser = id)]
        id: usize,
        /// The file to write, which must not exist
        #[arg(value_name = "OUTPUT")]
        output: PathBuf,
        /// The captures of that report; not standard input, for they are read twice
        #[arg(value_name = "CAPTURE", required = true)]
        captures: Vec<PathBuf>,
    },
    /// Print the JSON Schema of a report
    Schema {
        /// Of which format
        #[arg(value_enum, default_value_t, value_name = "FORMAT")]
        format: SchemaFormat,
    },
    /// Hold captures to the policy in a configuration file: its [[expect]] entries are met, or the exit status is 1
    Check {
        #[command(flatten)]
        analysis: Box<Analysis>,
    },
    /// Compare captures before a change with those after it, endpoint by endpoint and cause by cause: the exit status
    /// is 1 where a cause is new
    Diff(Diff),
    /// List the rules
    Rules {
        /// How to print them
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        format: ListFormat,
    },
    /// Print the script that completes commands and options in a shell
    Completions {
        /// Which shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, for man -l -
    Man,
}

/// What follows the options in the help.
const EXAMPLES: &str = "\
Examples:
  wsanalyze edge.pcapng                       who closed the WebSocket, why, and what to change
  wsanalyze client.pcap.gz server.pcap.gz     several captures, each plain or compressed
  tcpdump -s 0 -w - 'port 80' | wsanalyze -   from standard input, until tcpdump is stopped
  tcpdump -U -w - | wsanalyze --follow -      each finding as soon as it is certain
  wsanalyze --keylog keys.log edge.pcapng     wss too: SSLKEYLOGFILE is read as well
  wsanalyze --format json edge.pcapng         everything, for a program
  wsanalyze -o json=out.json edge.pcapng      the page, and everything in a file
  wsanalyze check --policy policy.toml *.pcap  traffic recorded in a test, held to expectations
  wsanalyze diff before.pcap after.pcap       what a change made better or worse
  wsanalyze explain 1010 1014                 two close codes, and how they differ
  wsanalyze explain WS-EX-012                 the manual of a rule
  wsanalyze explain 'RSV1 must be clear'      what a message in a log means

Exit status:
  0  nothing at or above --fail-on
  1  findings at or above it
  2  wrong usage
  3  an input could not be read as a capture, or a report not be written
  4  no WebSocket handshake or frame in the input (0 with --allow-empty)

Every option can also be set in the environment (WSANALYZE_FAIL_ON=warning) and in wsanalyze.toml (fail-on = \"warning\").
What was typed counts first, then the environment, then the file.

A capture with the name of a command is given as ./explain.";

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
        assert_eq!(args.analysis.captures, [PathBuf::from("a.pcap"), PathBuf::from("-")]);
        assert_eq!((args.analysis.format, args.analysis.verdict.fail_on), (Format::Json, FailOn::Warning));
        assert!(args.command.is_none());
        let Some(Command::Explain { topics, .. }) = parse("wsanalyze explain 1010 1014").unwrap().command
        else {
            panic!("not a command")
        };
        assert_eq!(topics, ["1010", "1014"]);
        assert!(matches!(
            parse("wsanalyze rules --color never").unwrap().command,
            Some(Command::Rules { .. })
        ));
    }

    #[test]
    fn a_report_for_a_file_is_a_format_and_a_name() {
        let args = parse("wsanalyze a -o json=out=1.json --output table=page.txt").unwrap();
        let outputs: Vec<_> =
            args.analysis.outputs.iter().map(|o| (o.format, o.path.to_str().unwrap())).collect();
        assert_eq!(outputs, [(Format::Json, "out=1.json"), (Format::Table, "page.txt")]);
        for (line, says) in [
            ("wsanalyze a -o out.json", "FORMAT=FILE"),
            ("wsanalyze a -o poem=out.txt", "expected one of table, json, jsonl"),
            ("wsanalyze a -o json=", "expected a file"),
            ("wsanalyze a -o json=-", "standard output"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn rules_come_in_lists_and_options_are_repeated() {
        let args =
            parse("wsanalyze a.pcap --select WS-EX,close --ignore WS-EX-001 --ignore gateway").unwrap();
        assert_eq!((args.analysis.judging.select.len(), args.analysis.judging.ignore.len()), (2, 2));
        let args = parse("wsanalyze --severity a=info,b=off --require-extension x@h/p* a.pcap").unwrap();
        assert_eq!(
            (args.analysis.judging.severity.len(), args.analysis.judging.require_extension[0].as_str()),
            (2, "x@h/p*")
        );
    }

    #[test]
    fn a_capture_named_like_a_command_is_given_with_its_folder() {
        assert_eq!(parse("wsanalyze ./explain").unwrap().analysis.captures, [PathBuf::from("./explain")]);
        assert_eq!(parse("wsanalyze a.pcap explain").unwrap().analysis.captures.len(), 2);
    }

    #[test]
    fn an_explanation_has_a_language() {
        let lang = |line: &str| match parse(line).map(|args| args.command) {
            Ok(Some(Command::Explain { lang, .. })) => Ok(lang),
            Ok(_) => panic!("not a command"),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(lang("wsanalyze explain 1010"), Ok(Lang::En));
        assert_eq!(lang("wsanalyze explain --lang pt-br 1010"), Ok(Lang::PtBr));
        assert!(lang("wsanalyze explain 1010 --lang fr").unwrap_err().contains("en, pt-BR"));
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
