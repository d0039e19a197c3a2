//! Options from the command line, the environment and the configuration file.

use crate::support::{Ran, program, read, root, scratch};
use std::fs;
use std::path::Path;

const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";

/// Runs the program in a folder, on a capture with one fault.
fn run_in(folder: &Path, args: &[&str], set: &[(&str, &str)]) -> Ran {
    let capture = root().join(FAULT);
    program().current_dir(folder).envs(set.iter().copied()).args(args).arg(capture).output().unwrap().into()
}

#[test]
fn what_was_typed_beats_the_environment_and_that_beats_the_file() {
    let folder = scratch("settings_precedence");
    let inner = folder.join("a/b");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(run_in(&inner, &[], &[]).status, 1);
    fs::write(folder.join("wsanalyze.toml"), "fail-on = \"never\"\n").unwrap();
    assert_eq!(run_in(&inner, &[], &[]).status, 0, "the file is found upward");
    assert_eq!(run_in(&inner, &[], &[("WSANALYZE_FAIL_ON", "info")]).status, 1);
    assert_eq!(run_in(&inner, &["--fail-on", "never"], &[("WSANALYZE_FAIL_ON", "info")]).status, 0);
    assert_eq!(run_in(&inner, &["--fail-on", "error"], &[]).status, 1);
    assert_eq!(run_in(&inner, &["--isolated"], &[]).status, 1);
    fs::write(inner.join("wsanalyze.toml"), "").unwrap();
    assert_eq!(run_in(&inner, &[], &[]).status, 1, "the nearest file is the only one");
}

#[test]
fn a_file_can_be_named_and_one_at_home_is_the_last() {
    let folder = scratch("settings_home");
    let home = folder.join("home");
    fs::create_dir_all(home.join("wsanalyze")).unwrap();
    fs::create_dir_all(folder.join("work")).unwrap();
    fs::write(home.join("wsanalyze/wsanalyze.toml"), "fail-on = \"never\"").unwrap();
    fs::write(folder.join("strict.toml"), "fail-on = \"info\"").unwrap();
    let home = [("XDG_CONFIG_HOME", home.to_str().unwrap())];
    let work = folder.join("work");
    assert_eq!(run_in(&work, &[], &home).status, 0);
    assert_eq!(run_in(&work, &["--config", "../strict.toml"], &home).status, 1);
    assert_eq!(run_in(&work, &[], &[home[0], ("WSANALYZE_CONFIG", "../strict.toml")]).status, 1);
    let missing = run_in(&work, &["--config", "nowhere.toml"], &home);
    assert_eq!(missing.status, 2);
    assert!(missing.err.starts_with("wsanalyze: nowhere.toml: "), "{}", missing.err);
    assert_eq!(run_in(&work, &["--isolated", "--config", "../strict.toml"], &home).status, 2);
}

#[test]
fn a_file_that_was_only_found_writes_nothing_and_reveals_nothing() {
    let folder = scratch("settings_found");
    let written = folder.join("stolen.json");
    for (option, text) in [
        ("output", "fail-on = \"never\"\noutput = [\"json=stolen.json\"]\n"),
        ("show-secrets", "fail-on = \"never\"\nshow-secrets = true\n"),
        ("messages", "fail-on = \"never\"\nmessages = \"payload\"\n"),
    ] {
        fs::write(folder.join("wsanalyze.toml"), text).unwrap();
        let found = run_in(&folder, &[], &[]);
        assert_eq!(found.status, 2, "{option}");
        assert!(
            found.err.contains(&format!("wsanalyze.toml:2: {option}: only a file that you name")),
            "{}",
            found.err
        );
        assert!(!written.exists());
        let named = run_in(&folder, &["--config", "wsanalyze.toml"], &[]);
        assert_eq!(named.status, 0, "{option}: {}", named.err);
        assert_eq!(written.exists(), option == "output", "a file that was named may write");
        let _ = fs::remove_file(&written);
    }
}

#[test]
fn switches_lists_and_tables_are_set_in_the_file_too() {
    let folder = scratch("settings_kinds");
    let set = |text: &str| fs::write(folder.join("wsanalyze.toml"), text).unwrap();
    set("format = \"json\"\nselect = [\"WS-GW\", \"close\"]\n");
    let ran = run_in(&folder, &[], &[]);
    assert!(ran.status == 0 && ran.out.starts_with('{'), "{}", ran.out);
    set("[severity]\nWS-EX-012 = \"info\"\n");
    assert_eq!(run_in(&folder, &[], &[]).status, 0);
    set("brief = true\n");
    let explains = |args: &[&str]| run_in(&folder, args, &[]).out.contains("What it means");
    assert_eq!((explains(&[]), explains(&["--brief=false"])), (false, true));
    set("allow-empty = true\n");
    let nothing = root().join("fixtures/captures/relay_garbage.pcapng");
    let empty = |args: &[&str]| {
        let ran =
            program().current_dir(&folder).args(args).args(["--filter", "port=1"]).arg(&nothing).output();
        Ran::from(ran.unwrap()).status
    };
    assert_eq!((empty(&[]), empty(&["--allow-empty=false"])), (0, 4));
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_may_have_been_meant() {
    let folder = scratch("settings_mistakes");
    for (text, says) in [
        ("\nfailon = \"info\"", "wsanalyze.toml:2: unknown key \"failon\": did you mean fail-on?"),
        ("format = \"jsn\"", "wsanalyze.toml:1: invalid value 'jsn' for '--format <FORMAT>'"),
        ("config = \"other.toml\"", "wsanalyze.toml:1: unknown key \"config\""),
        ("width", "wsanalyze.toml:1: "),
    ] {
        fs::write(folder.join("wsanalyze.toml"), text).unwrap();
        let ran = run_in(&folder, &[], &[]);
        assert_eq!(ran.status, 2, "{text}");
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let ran = run_in(&folder, &["--isolated"], &[("WSANALYZE_WIDTH", "7")]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.starts_with("wsanalyze: WSANALYZE_WIDTH: invalid value '7'"), "{}", ran.err);
}

#[test]
fn files_that_a_configuration_names_lie_beside_it() {
    let folder = scratch("settings_paths");
    fs::create_dir_all(folder.join("below")).unwrap();
    fs::write(folder.join("keys.log"), read("fixtures/keys/tls13_aes128gcm.keys.log")).unwrap();
    fs::write(folder.join("wsanalyze.toml"), "keylog = \"keys.log\"\n").unwrap();
    assert_eq!(run_in(&folder.join("below"), &[], &[]).status, 1);
    fs::remove_file(folder.join("keys.log")).unwrap();
    assert_eq!(run_in(&folder.join("below"), &[], &[]).status, 3);
}

#[test]
fn a_value_that_a_command_does_not_know_is_left_to_those_that_do() {
    let folder = scratch("settings_commands");
    fs::write(folder.join("wsanalyze.toml"), "fail-on = \"never\"\nformat = \"json\"\n").unwrap();
    let ran: Ran = program().current_dir(&folder).args(["explain", "1010"]).output().unwrap().into();
    assert_eq!(ran.status, 0, "{}", ran.err);
}
