//! What was not typed: options from the environment, then from the configuration file, as defaults of the definition.
//! So a value obeys the same rules wherever it comes from, and every option can be set in all three places.

use super::args::Args;
use super::complain;
use super::exit::Status;
use super::file::{File, Places, Setting, Standing};
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What an option is set to, where nothing was typed for it.
pub(super) struct Outside {
    /// Where a file may lie.
    pub(super) places: Places,
    /// The environment.
    pub(super) variable: fn(&str) -> Option<String>,
}

impl Outside {
    /// Looks at the environment.
    pub(super) fn look() -> Outside {
        let folder = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let home = folder("XDG_CONFIG_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".config")))
            .or_else(|| folder("APPDATA"));
        Outside {
            places: Places { working: std::env::current_dir().ok(), home },
            variable: |name| std::env::var(name).ok(),
        }
    }
}

/// What was typed, with what the surroundings say of the rest.
///
/// # Errors
/// The status with which to end; what is to be said has been said.
pub(super) fn parse(arguments: Vec<OsString>, outside: &Outside) -> Result<(Args, File), Status> {
    let refuse = |reason: String| {
        complain(&reason);
        Status::Usage
    };
    let (mut command, set) = environment(definition(), outside).map_err(refuse)?;
    // Once to learn which file counts, and once with what it says.
    let typed = matches(&command, &arguments)?;
    let mut file = File::default();
    if let Some((path, standing)) = path(&typed, outside) {
        let names = options(&command);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        file = File::read(&path, &names).map_err(refuse)?;
        for mut setting in std::mem::take(&mut file.settings) {
            if standing == Standing::CameAcross && CHOSEN_ONLY.contains(&&*setting.option) {
                return Err(refuse(format!(
                    "{}: {}: only a file that you name with --config may set this, and this one was found in the folder",
                    setting.place, setting.option
                )));
            }
            if !set.contains(&setting.option) {
                from_folder(&command, &mut setting, path.parent().unwrap_or(Path::new("")));
                command = with_default(command, &setting).map_err(refuse)?;
            }
        }
    }
    match Args::from_arg_matches(&matches(&command, &arguments)?) {
        Ok(args) => Ok((args, file)),
        Err(error) => {
            let _ = error.print();
            Err(Status::Usage)
        }
    }
}

/// The definition of the command line; what can be switched on can be switched off again (`--allow-empty=false`), because
/// a file may have switched it on.
pub(super) fn definition() -> Command {
    fn switchable(arg: Arg) -> Arg {
        if !matches!(arg.get_action(), ArgAction::SetTrue) || TYPED_ONLY.contains(&arg.get_id().as_str()) {
            return arg;
        }
        arg.action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_parser(BoolishValueParser::new())
            .value_name("BOOL")
            .hide_default_value(true)
            .hide_possible_values(true)
    }
    Args::command().mut_args(switchable).mut_subcommands(|command| command.mut_args(switchable))
}

/// The name of the environment variable for an option.
pub(super) fn variable(option: &str) -> String {
    format!("WSANALYZE_{}", option.to_ascii_uppercase().replace('-', "_"))
}

/// Long names of all options that can be set outside of the command line, in order.
pub(super) fn options(command: &Command) -> Vec<String> {
    let mut names: Vec<String> = std::iter::once(command)
        .chain(command.get_subcommands())
        .flat_map(Command::get_arguments)
        .filter_map(Arg::get_long)
        .filter(|name| !TYPED_ONLY.contains(name))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Parses, or says what is wrong. Help and version are answers, too.
fn matches(command: &Command, arguments: &[OsString]) -> Result<ArgMatches, Status> {
    command.clone().try_get_matches_from(arguments).map_err(|error| {
        // Nothing is left to do where even the terminal is gone.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Status::Clean,
            _ => Status::Usage,
        }
    })
}

/// `command` with what the environment sets, and the names of what that is.
fn environment(mut command: Command, outside: &Outside) -> Result<(Command, Vec<String>), String> {
    let mut set = Vec::new();
    for option in options(&command) {
        let place = variable(&option);
        if let Some(value) = (outside.variable)(&place).filter(|value| !value.is_empty()) {
            command = with_default(command, &Setting { option: option.clone(), values: vec![value], place })?;
            set.push(option);
        }
    }
    Ok((command, set))
}

/// The file that counts: the one that was named, or else the first that is found.
fn path(typed: &ArgMatches, outside: &Outside) -> Option<(PathBuf, Standing)> {
    let named = typed.get_one::<PathBuf>("config").cloned();
    let named = named.or_else(|| {
        (outside.variable)(&variable("config")).filter(|name| !name.is_empty()).map(PathBuf::from)
    });
    if typed.get_flag("isolated") || typed.subcommand_name().is_some_and(|name| WITHOUT_FILE.contains(&name))
    {
        return None;
    }
    named.map(|path| (path, Standing::Chosen)).or_else(|| outside.places.find())
}

/// Files that a configuration file names are looked for beside it.
fn from_folder(command: &Command, setting: &mut Setting, folder: &Path) {
    let mut all = std::iter::once(command).chain(command.get_subcommands()).flat_map(Command::get_arguments);
    let path = std::any::TypeId::of::<PathBuf>();
    if all.any(|arg| arg.get_long() == Some(&setting.option) && arg.get_value_parser().type_id() == path) {
        for value in &mut setting.values {
            *value = folder.join(&*value).to_string_lossy().into_owned();
        }
    }
}

/// `command`, wherever it has the option, with this default. A command that knows fewer values keeps its own.
///
/// # Errors
/// What is wrong with the values, where no command takes them.
fn with_default(command: Command, setting: &Setting) -> Result<Command, String> {
    let named = |arg: &&Arg| arg.get_long() == Some(&setting.option);
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let refusals: Vec<Option<String>> =
        all.flat_map(Command::get_arguments).filter(named).map(|arg| refusal(arg, &setting.values)).collect();
    if refusals.iter().all(Option::is_some) {
        let reason = refusals.into_iter().flatten().next().unwrap_or_default();
        return Err(format!("{}: {reason}", setting.place));
    }
    let set = |arg: Arg| {
        let takes = named(&&arg) && refusal(&arg, &setting.values).is_none() && !setting.values.is_empty();
        if takes { arg.default_values(setting.values.clone()) } else { arg }
    };
    Ok(command.mut_args(set).mut_subcommands(|command| command.mut_args(set)))
}

/// Why an option does not take these values.
fn refusal(arg: &Arg, values: &[String]) -> Option<String> {
    let option = arg.get_long().unwrap_or_default();
    let words = values.iter().map(|value| format!("--{option}={value}"));
    let alone = Command::new("wsanalyze").arg(arg.clone().required(false).global(false));
    let error = alone.try_get_matches_from(std::iter::once(String::from("wsanalyze")).chain(words)).err()?;
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> =
        lines.take_while(|line| !line.starts_with("For more") && !line.starts_with("Usage")).collect();
    Some(lines.join("; ").trim_start_matches("error: ").to_owned())
}

/// Options that say where others are written, and so are not written there.
const TYPED_ONLY: [&str; 4] = ["config", "isolated", "help", "version"];

/// Options that write files or show what is hidden: only a file that the user chose may set them.
const CHOSEN_ONLY: [&str; 3] = ["messages", "output", "show-secrets"];

/// Commands that a shell runs at its start, in whatever folder: no file is read for them.
const WITHOUT_FILE: [&str; 2] = ["completions", "man"];
