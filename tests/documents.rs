//! Commands in the documents: each is run where files of the names that it uses lie.

use crate::support::{Ran, files, program, read, root, scratch};
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// What lies in the folder in which the commands are run, by the names that the documents use.
const FILES: &[(&str, &str)] = &[
    ("edge.pcapng", "fixtures/captures/ext_1010_reason_list.pcapng"),
    ("client.pcap.gz", "fixtures/captures/net_gz.pcap.gz"),
    ("server.pcap.gz", "fixtures/captures/net_gz.pcap.gz"),
    ("client-side.pcap", "fixtures/captures/gw_nginx_stripreq.client-leg.pcap"),
    ("upstream-side.pcap", "fixtures/captures/gw_nginx_stripreq.upstream-leg.pcap"),
    ("before.pcap", "fixtures/captures/rec_nginx_chat.pcap"),
    ("after.pcap", "fixtures/captures/rec_nginx_502.pcap"),
    ("captures/chat.pcap", "fixtures/captures/rec_nginx_chat.pcap"),
    ("tls.pcapng", "fixtures/captures/tls13_aes128gcm.pcapng"),
    ("keys.log", "fixtures/keys/tls13_aes128gcm.keys.log"),
];

/// A policy that the recorded chat meets.
const POLICY: &str = "[[expect]]\nno-reserved-codes = true\n";

#[test]
fn every_command_in_the_documents_runs() {
    let folder = scratch("documents");
    fs::create_dir_all(folder.join("captures")).unwrap();
    for (name, fixture) in FILES {
        fs::write(folder.join(name), read(fixture)).unwrap();
    }
    // Some commands speak of the fixtures themselves.
    fs::create_dir_all(folder.join("fixtures/captures")).unwrap();
    for path in files("fixtures/captures") {
        fs::copy(root().join(&path), folder.join(&path)).unwrap();
    }
    fs::write(folder.join("policy.toml"), POLICY).unwrap();
    let baseline = run_in(&folder, "wsanalyze --format json edge.pcapng");
    fs::write(folder.join("report.json"), baseline.out).unwrap();

    let mut count = 0;
    for document in documents() {
        for command in commands(&String::from_utf8(read(&document)).unwrap()) {
            let ran = run_in(&folder, &command);
            assert!(
                [0, 1].contains(&ran.status),
                "{document}: {command}\nends with {}: {}{}",
                ran.status,
                ran.err,
                ran.out
            );
            count += 1;
        }
    }
    assert!(count >= 10, "{count} commands were found");
    let help = run_in(&folder, "wsanalyze --help").out;
    let (_, examples) = help.split_once("Examples:").unwrap();
    for line in examples.lines().filter(|line| line.contains("wsanalyze ") && line.starts_with("  ")) {
        let command = line.trim().split("  ").next().unwrap();
        let ran = run_in(&folder, command);
        assert!([0, 1].contains(&ran.status), "--help: {command}: {}", ran.err);
    }
}

/// The README and the documents below `docs/`, but for the pages of rules.
fn documents() -> Vec<String> {
    let docs = files("docs").into_iter().filter(|path| path.ends_with(".md"));
    docs.chain([String::from("README.md")]).collect()
}

/// What blocks of shell and of CI configuration run of this program.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    let mut unfinished = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside && ["sh", "yaml"].contains(&language);
            continue;
        }
        if !inside {
            continue;
        }
        let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(begun) = line.strip_suffix('\\') {
            unfinished.push_str(begun);
            continue;
        }
        let whole = std::mem::take(&mut unfinished) + line;
        let last = whole.rsplit("| ").next().unwrap_or_default().trim();
        // What writes to a file that the shell opens is run all the same; `||` and `&&` are the shell's own.
        if last.starts_with("wsanalyze ") || (whole.starts_with("wsanalyze ") && !whole.contains("| ")) {
            commands.push(last.split(['>', '|', '&', ';']).next().unwrap_or_default().trim().to_owned());
        }
    }
    commands
}

/// Runs a command as a shell would: words, quotes, and `*.pcap` for the files of that name.
fn run_in(folder: &Path, command: &str) -> Ran {
    let mut words: Vec<String> = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    let words = words.into_iter().skip_while(|word| word != "wsanalyze").skip(1);
    let words =
        words.flat_map(|word| if word.starts_with('-') { vec![word] } else { expanded(folder, word) });
    let input = fs::File::open(root().join(FILES[0].1)).unwrap();
    let output = program().current_dir(folder).args(words).stdin(Stdio::from(input)).output().unwrap();
    output.into()
}

fn expanded(folder: &Path, word: String) -> Vec<String> {
    let Some((before, after)) = word.split_once('*') else { return vec![word] };
    let (parent, start) = before.rsplit_once('/').unwrap_or(("", before));
    let mut names: Vec<String> = fs::read_dir(folder.join(parent))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(start) && name.ends_with(after))
        .map(|name| if parent.is_empty() { name } else { format!("{parent}/{name}") })
        .collect();
    names.sort();
    if names.is_empty() { vec![word] } else { names }
}

#[test]
fn every_screen_in_the_documents_is_the_programs_own() {
    let mut screens = 0;
    for document in documents() {
        let text = String::from_utf8(read(&document)).unwrap();
        for block in text.split("```text\n$ ").skip(1) {
            let (command, screen) = block.split_once("```").unwrap().0.split_once('\n').unwrap();
            let page = run_in(root(), command).out;
            let mut lines = page.lines();
            // An ellipsis stands for lines left out.
            for shown in screen.lines().filter(|line| *line != "…" && !line.is_empty()) {
                assert!(
                    lines.any(|line| line == shown),
                    "{document}: {command} has no {shown:?} there:\n{page}"
                );
            }
            screens += 1;
        }
    }
    assert!(screens >= 5, "{screens}");
}

#[test]
fn every_configuration_in_the_documents_is_accepted() {
    let file = scratch("documents_toml").join("wsanalyze.toml");
    let mut count = 0;
    for document in documents() {
        let text = String::from_utf8(read(&document)).unwrap();
        for block in text.split("```toml\n").skip(1) {
            fs::write(&file, block.split_once("```").unwrap().0).unwrap();
            let ran: Ran = program().arg("rules").arg("--config").arg(&file).output().unwrap().into();
            assert_eq!(ran.status, 0, "{document}: {}", ran.err);
            count += 1;
        }
    }
    assert!(count >= 2, "{count}");
    let policy = String::from_utf8(read("docs/postmortem.toml")).unwrap();
    let postmortem = String::from_utf8(read("docs/postmortem.md")).unwrap();
    assert!(postmortem.contains(&policy), "docs/postmortem.md shows docs/postmortem.toml");
}

#[test]
fn every_option_and_key_is_in_the_reference_of_the_configuration() {
    let reference = String::from_utf8(read("docs/configuration.md")).unwrap();
    let man = String::from_utf8(program().arg("man").output().unwrap().stdout).unwrap().replace("\\-", "-");
    let (_, variables) = man.split_once("The variables: ").unwrap();
    let (variables, _) = variables.split_once('.').unwrap();
    assert!(variables.split(", ").count() > 10);
    for variable in variables.split(", ") {
        let key = variable.trim_start_matches("WSANALYZE_").to_lowercase().replace('_', "-");
        assert!(reference.contains(&format!("| `{key}` ")), "{key} is not in docs/configuration.md");
    }
}
