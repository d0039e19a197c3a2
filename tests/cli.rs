//! The program as it is run: exit statuses, standard input and output, the page.

use crate::support::{captures, program, read, report, root, run, run_with_input, scratch};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use unicode_width::UnicodeWidthStr as _;

const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";
const WARNING: &str = "fixtures/captures/net_lost_close.pcap";
const INFO: &str = "fixtures/captures/fr_close_4000.pcapng";
const CLEAN: &str = "fixtures/captures/rec_nginx_chat.pcap";
const NO_WEBSOCKET: &str = "fixtures/captures/tls13_aes128gcm.pcapng";
const NO_CAPTURE: &str = "fixtures/broken/text.pcap";

#[test]
fn the_status_tells_what_was_found() {
    for (args, status) in [
        (&[CLEAN][..], 0),
        (&[FAULT], 1),
        (&[WARNING], 0),
        (&[INFO], 0),
        (&[CLEAN, FAULT], 1),
        (&["--fail-on", "warning", WARNING], 1),
        (&["--fail-on", "warning", INFO], 0),
        (&["--fail-on", "info", INFO], 1),
        (&["--fail-on", "info", CLEAN], 0),
        (&["--fail-on", "never", FAULT], 0),
        (&["--format", "json", FAULT], 1),
        (&["--ignore", "WS-EX-012", FAULT], 0),
        (&["--select", "close", FAULT], 0),
        (&["--severity", "WS-EX-012=warning", FAULT], 0),
        (&["--severity", "close=error", INFO], 1),
        (&["--ignore", "WS-EX-012", "--require-extension", "permessage-deflate", FAULT], 1),
        (&["--ignore", "WS-EX-012", "--require-extension", "permessage-deflate@elsewhere", FAULT], 0),
        (&["--select", "no-such-rule", FAULT], 2),
        (&[], 2),
        (&["--no-such-option", FAULT], 2),
        (&["--format", "poem", FAULT], 2),
        (&["-", "-"], 2),
        (&[NO_CAPTURE], 3),
        (&["fixtures/captures/there_is_none.pcap"], 3),
        (&["fixtures"], 3),
        (&[FAULT, NO_CAPTURE], 3),
        (&["fixtures/broken/unsupported_link.pcap"], 3),
        (&[NO_WEBSOCKET], 4),
        (&["fixtures/broken/no_packets.pcap"], 4),
        (&["--allow-empty", NO_WEBSOCKET], 0),
        (&["--allow-empty", NO_CAPTURE], 3),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["explain", "1010"], 0),
        (&["explain", "no-such-thing"], 2),
        (&["explain", "--lang", "pt-BR", "1010", "1014"], 0),
        (&["explain", "--lang", "fr", "1010"], 2),
        (&["rules"], 0),
        (&["schema"], 0),
        (&["schema", "jsonl"], 0),
        (&["schema", "csv"], 2),
    ] {
        let ran = run(args);
        assert_eq!(ran.status, status, "{args:?}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn the_totals_follow_the_selection() {
    let totals = |args: &[&str]| -> serde_json::Value {
        let args = [&["--format", "json", FAULT], args].concat();
        serde_json::from_str::<serde_json::Value>(&run(&args).out).unwrap()["totals"]["findings"].clone()
    };
    assert_eq!(totals(&[]), serde_json::json!({"error": 1, "warning": 0, "info": 0}));
    assert_eq!(totals(&["--ignore", "WS-EX-012"]), serde_json::json!({"error": 0, "warning": 0, "info": 1}));
    assert_eq!(totals(&["--ignore", "extension"]), serde_json::json!({"error": 0, "warning": 0, "info": 0}));
}

#[test]
fn complaints_name_the_file_and_go_to_standard_error() {
    for (file, reason) in [
        (NO_CAPTURE, "not a packet capture: a text that begins"),
        ("fixtures/broken/empty.pcap", "an empty file"),
        ("fixtures/broken/header_cut.pcap", "cut inside its header"),
        ("fixtures/broken/unsupported_link.pcap", "USB_LINUX (189)"),
        ("fixtures/captures/there_is_none.pcap", "there_is_none.pcap: "),
    ] {
        let ran = run(&["--format", "json", file]);
        assert!(
            ran.err.starts_with(&format!("wsanalyze: {file}: ")) && ran.err.contains(reason),
            "{}",
            ran.err
        );
        assert!(ran.err.lines().all(|line| !line.ends_with('.')));
    }
}

#[test]
fn the_inputs_that_can_be_read_are_reported_beside_one_that_cannot() {
    let ran = run(&[NO_CAPTURE, FAULT]);
    assert!(ran.out.contains("1010 Mandatory Extension") && ran.err.contains("not a packet capture"));
}

#[test]
#[cfg(target_os = "linux")]
fn one_file_of_a_folder_that_cannot_be_read_takes_nothing_from_the_others() {
    let folder = scratch("one_unreadable");
    fs::write(folder.join("1.pcapng"), read(CLEAN)).unwrap();
    // A file at the beginning of which there is nothing to be read, for anybody.
    std::os::unix::fs::symlink("/proc/self/mem", folder.join("2.pcapng")).unwrap();
    fs::write(folder.join("3.pcapng"), read(FAULT)).unwrap();
    let ran = run(&["--format", "json", folder.to_str().unwrap()]);
    assert_eq!(ran.status, 3);
    assert!(ran.err.contains("2.pcapng") && ran.err.lines().count() == 1, "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["captures"].as_array().unwrap().len(), 2);
    assert_eq!(report["totals"]["findings"]["error"], 1);
}

#[test]
fn a_slip_in_a_command_or_an_id_is_understood() {
    let ran = run(&["connectons", FAULT]);
    assert!(ran.err.ends_with("; did you mean the command connections?\n"), "{}", ran.err);
    assert!(!run(&["there_is_none.pcap"]).err.contains("did you mean"));
    let ran = run(&["ladder", FAULT]);
    assert!(ran.status == 2 && ran.err.contains("expected the id of a connection"), "{}", ran.err);
}

#[test]
fn several_captures_are_one_report() {
    let legs =
        ["client", "upstream"].map(|leg| format!("fixtures/captures/gw_nginx_stripreq.{leg}-leg.pcap"));
    let ran = run(&["--format", "json", &legs[0], &legs[1]]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["captures"].as_array().unwrap().len(), 2);
    let of: Vec<_> = report["connections"].as_array().unwrap().iter().map(|c| c["capture"].clone()).collect();
    assert_eq!(of, [0, 1]);
}

#[test]
fn standard_input_is_a_capture() {
    let ran = run_with_input(&["-"], read(FAULT));
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("client closed with 1010"), "{}", ran.out);
    let ran = run_with_input(&["-"], b"nothing of the kind".to_vec());
    assert_eq!(ran.status, 3);
    assert!(ran.err.starts_with("wsanalyze: -: not a packet capture"), "{}", ran.err);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for args in [&["--format", "json", FAULT][..], &[FAULT], &["explain", "1010"], &["rules"]] {
        let mut child = program().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Closed before anything is read.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{args:?}");
        let expected = if args.contains(&FAULT) { 1 } else { 0 };
        assert_eq!(child.wait().unwrap().code(), Some(expected), "{args:?}");
    }
}

#[test]
fn every_line_of_every_page_fits_eighty_columns() {
    for path in captures() {
        for line in run(&[&path]).out.lines() {
            assert!(line.width() <= 80, "{path}: {} columns: {line}", line.width());
        }
    }
}

#[test]
fn several_reports_of_one_run_go_to_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (json, page) = (format!("json={}", file("r.json")), format!("table={}", file("r.txt")));
    let ran = run(&["--width", "80", "-o", &json, "-o", &page, "--color", "never", FAULT]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert_eq!(ran.out, run(&[FAULT]).out);
    assert_eq!(std::fs::read_to_string(file("r.txt")).unwrap(), ran.out);
    let text = std::fs::read_to_string(file("r.json")).unwrap();
    assert_eq!(text, run(&["--format", "json", FAULT]).out);
    let output = program().args(["-o", &page, FAULT]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(output.stdout.contains(&0x1b) && !std::fs::read(file("r.txt")).unwrap().contains(&0x1b));
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::copy(root().join(FAULT), folder.path().join("in.pcapng")).unwrap();
    let (input, twice) = (file("in.pcapng"), format!("json={}", file("r.json")));
    let (nowhere, onto) = (format!("json={}", file("none/r.json")), format!("json={input}"));
    for (outputs, status, says) in [
        (&[nowhere.as_str()][..], 3, "none/r.json: No such file"),
        (&[&twice, &twice], 2, "two reports"),
        (&[&onto], 2, "would replace it"),
        (&["json"], 2, "FORMAT=FILE"),
    ] {
        let args: Vec<&str> =
            outputs.iter().flat_map(|output| ["-o", output]).chain([input.as_str()]).collect();
        let ran = run(&args);
        assert_eq!((ran.status, ran.out.as_str()), (status, ""), "{outputs:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{outputs:?}: {}", ran.err);
    }
    assert_eq!(std::fs::read(&input).unwrap(), read(FAULT));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_was_not_written_whole_makes_the_status_3() {
    let ran = run(&["-o", "json=/dev/full", FAULT]);
    assert_eq!((ran.status, ran.out), (3, run(&[FAULT]).out), "the others are written all the same");
    assert!(ran.err.starts_with("wsanalyze: /dev/full: "), "{}", ran.err);
}

#[test]
fn the_width_is_heeded() {
    for width in ["60", "100", "132"] {
        let columns = width.parse::<usize>().unwrap();
        for out in [run(&["--width", width, FAULT]).out, columns_from_environment(width)] {
            assert!(out.lines().all(|line| line.width() <= columns), "{width}:\n{out}");
        }
    }
}

fn columns_from_environment(width: &str) -> String {
    let output = program().env("COLUMNS", width).arg(FAULT).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn colour_comes_only_where_it_is_wanted() {
    let colored = |args: &[&str], set: &[(&str, &str)]| {
        let output = program().args(args).envs(set.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!colored(&[FAULT], &[]), "a pipe takes no colour");
    assert!(colored(&["--color", "always", FAULT], &[]));
    assert!(colored(&[FAULT], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[FAULT], &[("NO_COLOR", "1")]));
    assert!(!colored(&["--color", "never", FAULT], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&["--format", "json", FAULT], &[("CLICOLOR_FORCE", "1")]), "JSON is for programs");
}

#[test]
fn a_locale_without_utf8_gets_ascii() {
    let output = program().env("LC_ALL", "C").arg(FAULT).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("10.10.0.10:41511 ->") && !page.contains('─'), "{page}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for path in ["fixtures/captures/gw_nginx_stripreq.pcapng", "fixtures/captures/net_overlap.pcap"] {
        for format in ["table", "json"] {
            assert_eq!(run(&["--format", format, path]).out, run(&["--format", format, path]).out);
        }
    }
}

#[test]
fn help_shows_examples_statuses_and_every_option() {
    let help = run(&["--help"]).out;
    for part in [
        "Examples:",
        "wsanalyze --format json",
        "wsanalyze explain 1010 1014",
        "Exit status:",
        "--fail-on",
        "--allow-empty",
        "--show-secrets",
        "--color",
        "--width",
    ] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert_eq!(run(&[]).status, 2);
}

#[test]
fn the_usage_puts_commands_before_captures_and_a_late_close_ends_nothing() {
    let help = run(&["--help"]).out;
    assert!(help.contains("wsanalyze <COMMAND> [OPTIONS] [CAPTURE]..."), "{help}");
    let list = run(&["connections", "fixtures/captures/rec_tomcat_late_close.pcap", "--width", "140"]).out;
    assert!(list.contains("no Close  client") && !list.contains("1002"), "{list}");
}

#[test]
fn close_codes_and_rules_are_explained() {
    let two = run(&["explain", "1010", "1014"]).out;
    assert!(
        two.contains("1010") && two.contains("Mandatory Extension") && two.contains("Bad Gateway"),
        "{two}"
    );
    let by_code = run(&["explain", "WS-EX-012"]).out;
    assert!(by_code.contains("close-1010-mandatory-extension"), "{by_code}");
    assert_eq!(run(&["explain", "close-1010-mandatory-extension"]).out, by_code);
}

#[test]
fn every_rule_is_listed_and_explained() {
    let list = run(&["rules"]).out;
    let json: serde_json::Value = serde_json::from_str(&run(&["rules", "--format", "json"]).out).unwrap();
    let json = json.as_array().or_else(|| json["rules"].as_array()).unwrap();
    assert_eq!(json.len(), wsanalyze::rules::RULES.len());
    for rule in wsanalyze::rules::RULES {
        assert!(list.contains(rule.code) && list.contains(rule.name), "{}", rule.name);
        assert!(json.iter().any(|listed| listed["code"] == rule.code && listed["name"] == rule.name));
    }
}

#[test]
fn the_readme_lists_the_statuses_and_runs_the_fixture_that_is_there() {
    let readme = String::from_utf8(read("README.md")).unwrap();
    for status in 0..=4 {
        assert!(readme.contains(&format!("\n| {status} ")), "{status}");
    }
    assert!(readme.contains(&format!("cargo run --release -- {FAULT}\n")));
}

#[test]
fn an_extract_holds_the_icmp_errors_about_its_connection() {
    let extracted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("icmp.pcapng");
    let _ = fs::remove_file(&extracted);
    let (whole, extracted) = ("fixtures/captures/rec_path_mtu.pcap", extracted.to_str().unwrap());
    assert_eq!(run(&["extract", "0", extracted, whole]).status, 0);
    let errors = |path| report(path)["connections"][0]["tcp"]["icmp"].clone();
    assert_eq!(errors(extracted)[0]["count"], 5);
    assert_eq!(errors(extracted), errors(whole));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_read_and_told_as_far_as_it_is() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = scratch("no-text");
    let name = std::ffi::OsStr::from_bytes(b"caf\xE9.pcapng");
    fs::write(folder.join(name), read(FAULT)).unwrap();
    // Beside another one its file is closed and opened again.
    for arguments in
        [vec![folder.join(name)], vec![folder.clone()], vec![root().join(CLEAN), folder.join(name)]]
    {
        let ran: crate::support::Ran = program().args(&arguments).output().unwrap().into();
        assert_eq!((ran.status, ran.err.as_str()), (1, ""), "{arguments:?}");
        assert!(ran.out.contains("caf\u{FFFD}.pcapng"), "{}", ran.out);
    }
}
