//! Running the program, and finding the fixtures.

pub mod copies;

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The whole captures, as paths from [`root`], in order of name.
pub fn captures() -> Vec<String> {
    files("fixtures/captures").into_iter().filter(|path| !path.ends_with(".md")).collect()
}

/// The files of a folder, as paths from [`root`], in order of name.
pub fn files(folder: &str) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    files.sort();
    files
}

/// The bytes of a file of the project.
pub fn read(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The program, to be run in the folder of the project, in surroundings that are the same everywhere.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsanalyze"));
    command.current_dir(root()).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LC_ALL", "LC_CTYPE", "LANG"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WSANALYZE_") {
            command.env_remove(name);
        }
    }
    // Whoever runs the tests may have a configuration file of their own.
    command.env("XDG_CONFIG_HOME", root().join("target/no-configuration"));
    command
}

/// What a run said.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            status: output.status.code().expect("a signal ended the program"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program.
pub fn run(args: &[&str]) -> Ran {
    program().args(args).output().unwrap().into()
}

/// Runs the program with this standard input.
pub fn run_with_input(args: &[&str], input: Vec<u8>) -> Ran {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || {
        // A program that has seen enough closes its end.
        let _ = pipe.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output.into()
}

/// The JSON report of a capture.
pub fn report(path: &str) -> Value {
    let ran = run(&["--format", "json", path]);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{path}: {error}: {}", ran.err))
}

/// The names of the rules that found something, consequences among them, in order and once each.
pub fn rules_of(report: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|finding| {
            let consequences = finding["consequences"].as_array().unwrap();
            std::iter::once(finding).chain(consequences).map(|finding| finding["rule"].as_str().unwrap())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A folder for the files of one test, emptied first.
pub fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    // There is none at first.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
