//! `docs/rules/`: the manuals as files, kept equal to those in the code.
//!
//! `UPDATE_DOCS=1 cargo test rules::docs` writes them.

use super::{Category, RULES, Rule};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

const UPDATE: &str = "UPDATE_DOCS=1 cargo test rules::docs";

#[test]
fn the_folder_holds_the_manual_of_every_rule_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let wanted = pages();
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        write(&folder, &wanted);
    }
    let found = read(&folder);
    let names = |pages: &BTreeMap<PathBuf, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "{UPDATE}");
    for (name, text) in &wanted {
        assert!(found.get(name) == Some(text), "{} is not what the code says: {UPDATE}", name.display());
    }
}

#[test]
fn a_page_has_all_of_the_manual() {
    for rule in RULES {
        let page = page(rule);
        for line in rule.manual.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = line.strip_prefix("# ").unwrap_or(line);
            assert!(page.contains(line), "{}: {line}", rule.code);
        }
        let explained = rule.explains.iter().all(|name| page.contains(&format!("[{name}](")));
        assert!(page.contains(rule.reference) && explained, "{}", rule.code);
    }
}

/// Every page under its name.
fn pages() -> BTreeMap<PathBuf, String> {
    let rules = RULES.iter().map(|rule| (PathBuf::from(file(rule)), page(rule)));
    rules.chain([(PathBuf::from("README.md"), index())]).collect()
}

/// Named by the code, which is permanent.
fn file(rule: &Rule) -> String {
    format!("{}.md", rule.code)
}

fn page(rule: &Rule) -> String {
    let mut page = format!(
        "# {} {}\n\n**{}** · {} · {}\n",
        rule.code,
        rule.name,
        rule.severity.name(),
        rule.category.name(),
        rule.reference
    );
    for line in rule.manual.trim_end().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()) {
        match line.strip_prefix("# ") {
            Some(heading) => {
                page.truncate(page.trim_end().len());
                page.push_str(&format!("\n\n## {heading}\n\n"));
            }
            None => page.extend([line, "\n"]),
        }
    }
    let linked = |rule: &Rule| format!("[{}]({})", rule.name, file(rule));
    let followers: Vec<String> =
        rule.explains.iter().filter_map(|name| super::rule(name)).map(linked).collect();
    let causes = RULES.iter().filter(|other| other.explains.contains(&rule.name));
    let causes: Vec<String> = causes.map(|rule| linked(rule)).collect();
    if !followers.is_empty() {
        page.push_str(&format!("\nExplains findings of {}.\n", followers.join(", ")));
    }
    if !causes.is_empty() {
        page.push_str(&format!("\nMay be explained by {}.\n", causes.join(", ")));
    }
    page
}

fn index() -> String {
    let mut index = String::from(
        "# Rules\n\n\
         What `wsanalyze` finds. `wsanalyze explain WS-EX-012` prints the same pages. A severity is the highest that a\n\
         rule gives by itself; `--severity RULE=LEVEL` sets another, `--ignore RULE` silences it. Codes are permanent.\n",
    );
    let mut category: Option<Category> = None;
    for rule in RULES {
        if category != Some(rule.category) {
            category = Some(rule.category);
            let name = rule.category.name();
            index
                .push_str(&format!("\n## {name}\n\n| Code | Rule | Severity | Finds |\n|---|---|---|---|\n"));
        }
        index.push_str(&format!(
            "| [{}]({}) | {} | {} | {} |\n",
            rule.code,
            file(rule),
            rule.name,
            rule.severity.name(),
            rule.summary().replace('|', "\\|")
        ));
    }
    index
}

fn read(folder: &Path) -> BTreeMap<PathBuf, String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|_| panic!("{} is missing: {UPDATE}", folder.display()));
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| (PathBuf::from(entry.file_name()), fs::read_to_string(entry.path()).unwrap()))
        .map(|(name, text)| (name, text.replace("\r\n", "\n")))
        .collect()
}

/// Writes all pages and removes those of rules that are no more.
fn write(folder: &Path, pages: &BTreeMap<PathBuf, String>) {
    fs::create_dir_all(folder).unwrap();
    for name in read(folder).into_keys().filter(|name| !pages.contains_key(name)) {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, text) in pages {
        fs::write(folder.join(name), text).unwrap();
    }
}
