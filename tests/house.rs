//! The code is read as text: what stands in `src/` must agree with the design, and with nothing else.

use crate::support::root;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use wsanalyze::rules::RULES;

/// Each module and those it may use. A module stands below all that it uses, so there can be no circle.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("time", &[]),
    ("role", &[]),
    ("confidence", &[]),
    ("error", &[]),
    ("capture", &["error", "limits", "time"]),
    ("net", &["capture", "limits", "time"]),
    ("tcp", &["net", "capture", "limits", "time"]),
    // The endpoints in a PROXY protocol header are those of net.
    ("http", &["net", "capture", "limits", "time"]),
    ("websocket", &["capture", "limits", "time"]),
    ("tls", &["net", "capture", "role", "limits", "time"]),
    ("connection", &["tls", "websocket", "http", "tcp", "net", "capture", "role", "limits", "time"]),
    ("legs", &["connection", "websocket", "http", "net", "capture", "role", "confidence", "limits", "time"]),
    (
        "gateway",
        &[
            "legs",
            "connection",
            "tls",
            "websocket",
            "http",
            "net",
            "capture",
            "role",
            "confidence",
            "limits",
            "time",
        ],
    ),
    (
        "rules",
        &[
            "gateway",
            "legs",
            "connection",
            "tls",
            "websocket",
            "http",
            "net",
            "capture",
            "role",
            "confidence",
            "limits",
            "time",
        ],
    ),
    // Wires the stages up to the findings, and hands these to whatever observes it; it knows no report.
    (
        "pipeline",
        &[
            "rules",
            "gateway",
            "legs",
            "connection",
            "tls",
            "websocket",
            "tcp",
            "net",
            "capture",
            "role",
            "error",
            "limits",
            "time",
        ],
    ),
    // Arranges what the pipeline hands out: connections, findings, the summary.
    (
        "report",
        &[
            "pipeline",
            "rules",
            "legs",
            "connection",
            "tls",
            "websocket",
            "http",
            "net",
            "capture",
            "role",
            "limits",
            "time",
        ],
    ),
    // Copies packets; knows a connection by its endpoints only.
    ("extract", &["connection", "net", "capture"]),
    (
        "cli",
        &[
            "extract",
            "report",
            "pipeline",
            "rules",
            "legs",
            "connection",
            "tls",
            "websocket",
            "capture",
            "role",
            "error",
            "limits",
            "time",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// Crates that one folder, or one file, keeps to itself, so that they can be replaced in an afternoon.
const FENCES: &[(&str, &[&str])] = &[
    ("pcap_parser", &["capture/"]),
    ("aes", &["tls/"]),
    ("aes_gcm", &["tls/"]),
    ("cbc", &["tls/"]),
    ("ccm", &["tls/"]),
    ("chacha20poly1305", &["tls/"]),
    ("hkdf", &["tls/"]),
    ("hmac", &["tls/"]),
    // The hashes of the HTML report's own style and script are those of SHA-256 (CSP 3 §2.3.1).
    ("sha2", &["tls/", "report/html/"]),
    ("flate2", &["capture/", "websocket/deflate.rs"]),
    ("ruzstd", &["capture/"]),
    ("lz4_flex", &["capture/"]),
    ("etherparse", &["net/"]),
    ("foldhash", &["gateway/", "legs/", "pipeline/", "report/table/"]),
    ("hashbrown", &["tcp/"]),
    ("httparse", &["http/"]),
    ("mimalloc", &["main.rs"]),
    ("nom", &["websocket/"]),
    ("comfy_table", &["report/"]),
    ("csv", &["report/"]),
    ("quick_xml", &["report/junit.rs"]),
    ("schemars", &["report/"]),
    ("askama", &["report/"]),
    ("serde", &["report/", "cli/"]),
    ("serde_json", &["report/", "cli/"]),
    ("clap", &["cli/"]),
    ("ctrlc", &["cli/interrupt.rs"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("toml", &["cli/file.rs", "cli/suppress.rs"]),
    ("indicatif", &["cli/"]),
    ("tempfile", &["cli/"]),
    ("terminal_size", &["cli/"]),
    ("jiff", &["time.rs"]),
    ("thiserror", &["error.rs"]),
];

/// Nothing below these reads a file, a clock or the environment.
const IMPURE: &[(&str, &[&str])] = &[
    ("std::fs", &["capture/open.rs", "cli/baseline.rs", "cli/destination.rs", "cli/file.rs", "cli/keys.rs"]),
    ("std::env", &["cli/", "main.rs"]),
    ("std::process", &["cli/", "main.rs"]),
    ("Instant", &["cli/"]),
    ("SystemTime", &["cli/"]),
    ("println!", &[]),
    ("eprintln!", &[]),
];

/// Hashers that strangers can foretell. A table that has one can be filled with keys of one place, each of which then costs
/// as much as all before it; where digests are sorted instead, nothing comes of it.
const FORESEEABLE: &[(&str, &[&str])] = &[
    ("FixedState", &["legs/candidates.rs"]),
    ("DefaultHasher", &[]),
    ("SipHasher", &[]),
    ("BuildHasherDefault", &[]),
    ("with_seed", &[]),
];

const LONGEST_FILE: usize = 700;

#[test]
fn dependencies_point_down() {
    let mut allowed: HashMap<&str, &[&str]> = HashMap::new();
    for (module, below) in LAYERS {
        for used in *below {
            assert!(allowed.contains_key(used), "{module} may use {used}, which stands above it");
        }
        allowed.insert(module, below);
    }
    for (file, text) in sources() {
        let module = file.split('/').next().unwrap().trim_end_matches(".rs");
        let below = allowed.get(module).unwrap_or_else(|| panic!("{file}: {module} has no layer"));
        for used in used_modules(&text) {
            assert!(
                used == module || below.contains(&used.as_str()),
                "{file} uses crate::{used}, which the layer of {module} may not"
            );
        }
    }
}

#[test]
fn every_layer_is_a_module() {
    let modules: BTreeSet<String> = sources()
        .map(|(file, _)| file.split('/').next().unwrap().trim_end_matches(".rs").to_owned())
        .collect();
    for (module, _) in LAYERS {
        assert!(modules.contains(*module), "{module} is a layer and no module");
    }
}

#[test]
fn crates_stay_behind_their_fences() {
    fenced(FENCES, |name| [format!("{name}::"), format!("use {name};")]);
}

#[test]
fn only_the_edges_touch_the_world() {
    fenced(IMPURE, |name| [name.to_owned(), name.to_owned()]);
}

#[test]
fn no_table_has_a_hasher_that_strangers_can_foretell() {
    fenced(FORESEEABLE, |name| [name.to_owned(), name.to_owned()]);
}

/// Holds every word of `fences` to its places; `shapes` are what gives it away in a line of code.
fn fenced(fences: &[(&str, &[&str])], shapes: impl Fn(&str) -> [String; 2]) {
    for (file, text) in sources() {
        for (name, places) in fences {
            if places.iter().any(|place| file.starts_with(place)) {
                continue;
            }
            let found = text.lines().find(|line| shapes(name).iter().any(|shape| has_word(line, shape)));
            assert!(found.is_none(), "{file} has {name}, which belongs to {places:?}: {}", found.unwrap());
        }
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    for folder in ["src", "tests", "benches"] {
        for (file, text) in files(&root().join(folder)) {
            let lines = text.lines().count();
            assert!(lines <= LONGEST_FILE, "{folder}/{file} has {lines} lines: split it by idea");
        }
    }
}

#[test]
fn no_module_is_a_drawer_for_everything() {
    for (file, _) in files(&root().join("src")) {
        for drawer in ["utils", "util", "helpers", "common", "misc", "types"] {
            assert!(!file.split(['/', '.']).any(|part| part == drawer), "{file}: name it for its idea");
        }
    }
}

#[test]
fn every_file_of_a_rule_is_in_the_list_and_there_is_no_other() {
    let named: BTreeSet<String> = RULES
        .iter()
        .map(|rule| format!("rules/{}/{}.rs", rule.category.name(), rule.name.replace('-', "_")))
        .collect();
    let there: BTreeSet<String> = files(&root().join("src"))
        .into_keys()
        .filter(|file| file.starts_with("rules/") && file.matches('/').count() == 2)
        .filter(|file| !file.ends_with("/mod.rs") && !file.starts_with("rules/codes/"))
        .collect();
    assert_eq!(there, named);
    assert!(named.len() >= 50);
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"));
    for (file, text) in files(&root().join("src")) {
        assert!(!text.contains("allow(unsafe_code"), "{file}");
    }
}

#[test]
fn parsers_deny_what_may_panic() {
    for folder in ["capture", "net", "tcp", "tls", "http", "websocket"] {
        let text = fs::read_to_string(root().join("src").join(folder).join("mod.rs")).unwrap();
        for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing", "arithmetic_side_effects"] {
            assert!(text.contains(&format!("clippy::{lint},")), "{folder} does not deny clippy::{lint}");
        }
    }
}

#[test]
fn every_bound_is_named_in_a_test() {
    let limits = fs::read_to_string(root().join("src/limits.rs")).unwrap();
    let bounds: Vec<&str> = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':').map(|(name, _)| name))
        .collect();
    assert!(bounds.len() > 100, "{}", bounds.len());
    let tests: Vec<String> = tests().map(|text| without_comments(&text)).collect();
    let untested: Vec<&&str> = bounds
        .iter()
        .filter(|bound| {
            let named = format!("limits::{bound}");
            !tests.iter().any(|text| has_whole_word(text, &named))
        })
        .collect();
    assert!(untested.is_empty(), "named in no test as limits::NAME: {untested:?}");
}

/// The texts of all tests: those of `tests/`, and what is compiled for tests only of `src/`.
fn tests() -> impl Iterator<Item = String> {
    let all = files(&root().join("src"));
    let modules: BTreeSet<String> = all.iter().flat_map(|(file, text)| test_modules(file, text)).collect();
    let inside = all.into_iter().map(move |(file, text)| match modules.contains(&file) {
        true => text,
        false => text.lines().skip(tests_begin(&text)).map(|line| format!("{line}\n")).collect(),
    });
    inside.chain(files(&root().join("tests")).into_values())
}

/// The files of `src/` without tests and comments, by their path there.
fn sources() -> impl Iterator<Item = (String, String)> {
    let all = files(&root().join("src"));
    let tests: BTreeSet<String> = all.iter().flat_map(|(file, text)| test_modules(file, text)).collect();
    all.into_iter().filter(move |(file, _)| !tests.contains(file)).map(|(file, text)| (file, code(&text)))
}

/// The files of modules that are declared for tests only.
fn test_modules(file: &str, text: &str) -> Vec<String> {
    let (folder, name) = file.rsplit_once('/').map_or(("", file), |(folder, name)| (folder, name));
    let folder = match name {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/"),
        _ => format!("{}/", file.trim_end_matches(".rs")),
    };
    let folder = folder.trim_start_matches('/');
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].strip_suffix(';')?.rsplit_once("mod "));
    names.map(|(_, name)| format!("{folder}{name}.rs")).collect()
}

/// `text` up to the tests at its end, without lines of comment.
fn code(text: &str) -> String {
    let code: String = text.lines().take(tests_begin(text)).map(|line| format!("{line}\n")).collect();
    without_comments(&code)
}

/// Lines before the tests at the end of `text`.
fn tests_begin(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let inline =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{');
    lines.windows(2).position(inline).unwrap_or(lines.len())
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The first word of every path that begins with `crate::`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        assert!(!rest.starts_with('{'), "a use of several modules at once hides them from this test");
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        used.insert(name);
    }
    used
}

/// Whether `word` stands in `line` by itself, not as the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') && !line[..at].ends_with("crate::")
    })
}

/// Whether `word` stands in `text` and does not go on as a longer name.
fn has_whole_word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The Rust files of a folder and those below it, by their path there.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(file, text)| (format!("{name}/{file}"), text)),
            );
        } else if name.ends_with(".rs") {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}
