//! `wsanalyze man` and `wsanalyze completions`: what a package installs beside the program, made of the definition of
//! the command line, so that it never tells of options that are not there.

use super::defaults::{definition, variable};
use super::exit::Status;
use super::printed;
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

/// Prints the script that completes commands and options in a shell.
pub(super) fn completions(shell: Shell) -> Status {
    printed(false, Status::Clean, |out| {
        // The generator panics where it cannot write: so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut definition(), "wsanalyze", &mut script);
        out.write_all(&script)
    })
}

/// Prints the manual page, with the options of every command.
pub(super) fn man() -> Status {
    printed(false, Status::Clean, |out| out.write_all(&page()?))
}

fn page() -> io::Result<Vec<u8>> {
    let command = definition();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).section("1");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for sub in command.get_subcommands() {
        section(&command, sub, &mut page)?;
    }
    writeln!(page, ".SH SETTINGS\n{}", settings(&command))?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A command, with the options that only it has.
fn section(command: &Command, sub: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let shared = |arg: &Arg| {
        let same = |other: &Arg| other.get_long().is_some() && other.get_long() == arg.get_long();
        command.get_arguments().any(same)
    };
    let own = sub.clone().mut_args(|arg| if shared(&arg) { arg.hide(true) } else { arg });
    let mut options = Vec::new();
    Man::new(own).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options);
    let (_, options) = options.split_once(".SH OPTIONS\n").unwrap_or(("", ""));
    let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
    let more = if sub.get_arguments().any(shared) {
        "\n.br\nIt takes the options of the same names, too."
    } else {
        ""
    };
    write!(page, ".SH WSANALYZE {}\n{}{more}\n{options}", sub.get_name().to_uppercase(), plain(&about))
}

fn settings(command: &Command) -> String {
    let names = super::defaults::options(command);
    let variables: Vec<String> = names.iter().map(|name| plain(&variable(name))).collect();
    format!(
        "Every option can also be set in the environment, and in the file wsanalyze.toml under its long name. What was \
         typed counts first, then the environment, then the file. The file is the first that is found in the working \
         directory, in the folders above it, or as wsanalyze/wsanalyze.toml below XDG_CONFIG_HOME.\n.PP\nThe \
         variables: {}.",
        variables.join(", ")
    )
}

/// Text that begins no request and keeps its hyphens.
fn plain(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_the_manual_page() {
        let page = String::from_utf8(page().unwrap()).unwrap().replace("\\-", "-");
        let command = definition();
        for sub in std::iter::once(&command).chain(command.get_subcommands()) {
            assert!(page.to_lowercase().contains(sub.get_name()), "{}", sub.get_name());
            for option in sub.get_arguments().filter_map(Arg::get_long) {
                assert!(page.contains(&format!("--{option}")), "--{option}");
            }
        }
        assert!(page.contains("WSANALYZE_FAIL_ON") && page.contains("Exit status:"));
    }

    #[test]
    fn a_line_of_text_is_no_request() {
        assert_eq!(plain(".SH --x\\"), "\\&.SH \\-\\-x\\\\");
    }
}
