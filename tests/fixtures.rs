//! `UPDATE_EXPECTED=1 cargo test fixtures` writes the reports anew; read the difference before you commit it.

use crate::support::{captures, files, read, report, root, rules_of, run};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// `fixtures/captures/NAME.leg.pcap.gz` is about `NAME`.
fn name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap();
    file.split('.').next().unwrap()
}

/// What `NAME.md` promises in its last line: names of rules, or none for `no fault`.
fn promised(capture: &str) -> Vec<String> {
    let notes = String::from_utf8(read(&format!("fixtures/captures/{}.md", name(capture)))).unwrap();
    let last = notes.lines().last().unwrap();
    let finds = last.strip_prefix("Finds: ").unwrap_or_else(|| panic!("{capture}: {last:?} says no Finds"));
    finds.split(", ").filter(|found| *found != "no fault").map(str::to_owned).collect()
}

/// Compares `found` with a file of `fixtures/expected/`, or writes it there.
fn compare(file: &str, found: &str, stale: &mut Vec<String>) {
    let path = root().join("fixtures/expected").join(file);
    // Another version of the program says the same.
    let found =
        found.replace(concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\""), "\"version\": \"…\"");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    if expected != found {
        let at = expected.lines().zip(found.lines()).take_while(|(e, f)| e == f).count();
        let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
        stale.push(format!(
            "{file}, line {}:\n  expected {}\n  found    {}",
            at + 1,
            line(&expected),
            line(&found)
        ));
    }
}

#[test]
fn every_capture_gives_the_report_that_is_written_down() {
    let mut stale = Vec::new();
    for path in captures() {
        let file = path.rsplit('/').next().unwrap();
        compare(&format!("{file}.json"), &run(&["--format", "json", &path]).out, &mut stale);
        compare(&format!("{file}.txt"), &run(&[&path]).out, &mut stale);
    }
    assert!(
        stale.is_empty(),
        "{}\n\n{} reports differ; if that is meant, run UPDATE_EXPECTED=1 cargo test fixtures",
        stale.join("\n"),
        stale.len()
    );
}

#[test]
fn every_written_report_has_its_capture() {
    let captures: Vec<String> = captures();
    for expected in files("fixtures/expected") {
        let file = Path::new(&expected).file_stem().unwrap().to_str().unwrap();
        assert!(captures.contains(&format!("fixtures/captures/{file}")), "{expected} is of no capture");
    }
}

#[test]
fn every_capture_has_notes_and_all_notes_have_a_capture() {
    let captures = captures();
    assert!(captures.len() >= 25);
    for path in &captures {
        assert!(root().join(format!("fixtures/captures/{}.md", name(path))).is_file(), "{path} has no notes");
    }
    for notes in files("fixtures/captures").iter().filter(|path| path.ends_with(".md")) {
        assert!(captures.iter().any(|path| name(path) == name(notes)), "{notes} are of no capture");
    }
}

#[test]
fn the_rules_that_the_notes_name_find_something() {
    for path in captures() {
        // One leg alone shows its own part of the fault.
        if path.contains("-leg.") {
            continue;
        }
        let report = report(&path);
        let found = rules_of(&report);
        for rule in promised(&path) {
            assert!(found.contains(&rule.as_str()), "{path}: {rule} is not among {found:?}");
        }
    }
}

#[test]
fn every_rule_finds_something_in_some_capture() {
    let found: HashSet<String> = captures()
        .iter()
        .flat_map(|path| rules_of(&report(path)).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let rules: serde_json::Value = serde_json::from_str(&run(&["rules", "--format", "json"]).out).unwrap();
    // What a check file asks for is broken only where there is one.
    let names = rules.as_array().unwrap().iter().filter(|rule| rule["category"] != "policy");
    let names = names.map(|rule| rule["name"].as_str().unwrap());
    assert_eq!(names.filter(|name| !found.contains(*name)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_capture_without_fault_gives_no_finding_above_information() {
    let clean: Vec<String> = captures().into_iter().filter(|path| promised(path).is_empty()).collect();
    assert!(clean.len() >= 5, "{clean:?}");
    for path in clean {
        for finding in report(&path)["findings"].as_array().unwrap() {
            assert_eq!(finding["severity"], "info", "{path}: {finding}");
        }
    }
}

/// Captures whose keys lie in `fixtures/keys/`, and the paths of these.
fn with_keys() -> Vec<(String, String)> {
    let all = captures();
    let of = |log: &String| {
        all.iter()
            .find(|capture| name(capture) == name(log))
            .unwrap_or_else(|| panic!("{log} opens nothing"))
            .clone()
    };
    files("fixtures/keys").into_iter().map(|log| (of(&log), log)).collect()
}

#[test]
fn what_cannot_be_decoded_is_listed_and_not_judged() {
    let encrypted = with_keys();
    assert!(encrypted.len() >= 5);
    for (path, _) in encrypted {
        let report = report(&path);
        let connections = report["connections"].as_array().unwrap();
        assert!(!connections.is_empty(), "{path}");
        for connection in connections {
            assert_eq!(connection["outcome"], "encrypted", "{path}");
            assert!(connection["tls"]["version"].is_string(), "{path}");
        }
        assert_eq!(rules_of(&report), ["capture-encrypted"], "{path}");
        let finding = &report["findings"][0];
        assert!(finding["connection"].is_null() && finding["message"].to_string().contains("no key log"));
        assert_eq!(report["totals"]["websocket_connections"], 0, "{path}");
        assert_eq!(run(&[&path]).status, 4, "{path}");
    }
}

#[test]
fn a_key_log_opens_what_is_encrypted_and_only_that() {
    for (path, log) in with_keys() {
        let run = run(&["--format", "json", "--keylog", &log, &path]);
        let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        if name(&path) == "tls13_wrong_keylog" {
            assert_eq!(rules_of(&report), ["capture-encrypted"]);
            let message = report["findings"][0]["message"].to_string();
            assert!(message.contains("no key of that is in the key log"), "{message}");
        } else {
            assert_eq!(report["connections"][0]["tls"]["opened"], "yes", "{path}");
            assert!(rules_of(&report).contains(&"close-1010-mandatory-extension"), "{path}");
        }
        // Nothing of a key is ever printed.
        for line in
            fs::read_to_string(root().join(&log)).unwrap().lines().filter(|line| !line.starts_with('#'))
        {
            let secret = line.rsplit(' ').next().unwrap();
            assert!(secret.is_empty() || !run.out.contains(secret) && !run.err.contains(secret));
        }
    }
}

#[test]
fn damage_is_told_and_what_is_whole_is_read() {
    let warnings = |file: &str| {
        let report = report(&format!("fixtures/broken/{file}"));
        let capture = report["captures"][0].clone();
        let told = capture["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned());
        (capture["complete"].as_bool().unwrap(), told.collect::<Vec<_>>().join("\n"), report)
    };
    for (file, told, finds) in [
        ("cut_in_record.pcap", "ends inside", true),
        ("cut_in_block.pcapng", "ends inside", true),
        ("damaged_middle.pcap", "damaged at offset", true),
        ("bad_crc.pcap.gz", "", true),
        ("cut.pcap.gz", "decompressed", false),
    ] {
        let (complete, said, report) = warnings(file);
        assert!(!complete && said.contains(told), "{file}: {said}");
        let found = rules_of(&report).contains(&"close-1010-mandatory-extension");
        assert_eq!(found, finds, "{file}: {said}");
    }
    let (complete, said, report) = warnings("snapped_96.pcap");
    assert!(complete && said.contains("2 packets were cut by a snap length of 96"), "{said}");
    assert_eq!(rules_of(&report), [""; 0]);
}
