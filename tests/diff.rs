//! `wsanalyze diff`.

use crate::support::{run, scratch};
use serde_json::Value;
use std::fs;

const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";
const CLEAN: &str = "fixtures/captures/fr_pmd_takeover.pcapng";

#[test]
fn what_is_new_fails_and_what_is_gone_does_not() {
    let worse = run(&["diff", CLEAN, FAULT]);
    assert_eq!(worse.status, 1, "{}", worse.out);
    assert!(worse.out.contains("new   error WS-EX-012: client closed with 1010"), "{}", worse.out);
    assert!(worse.out.contains(&format!("packet 8 of {FAULT}")), "{}", worse.out);
    let better = run(&["diff", FAULT, CLEAN]);
    assert_eq!(better.status, 0);
    assert!(better.out.contains("gone  error WS-EX-012"), "{}", better.out);
    let same = run(&["diff", FAULT, FAULT]);
    assert_eq!(same.status, 0);
    assert!(same.out.ends_with("1 same\n"), "{}", same.out);
    assert_eq!(run(&["diff", "--fail-on", "never", CLEAN, FAULT]).status, 0);
}

#[test]
fn the_comparison_is_data_too() {
    let ran = run(&["diff", "-f", "json", CLEAN, FAULT]);
    let comparison: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(comparison["schema"], "wsanalyze.diff/1");
    let causes: Vec<&Value> = comparison["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|endpoint| endpoint["causes"].as_array().unwrap())
        .collect();
    let cause = causes.iter().find(|cause| cause["code"] == "WS-EX-012").unwrap();
    assert_eq!((&cause["change"], &cause["findings"]["after"]), (&Value::from("new"), &Value::from(1)));
    assert_eq!(cause["example"]["packet"], 8);
}

#[test]
fn nothing_on_one_side_is_nothing_to_compare() {
    const EMPTY: &str = "fixtures/broken/no_packets.pcap";
    assert_eq!(run(&["diff", EMPTY, CLEAN]).status, 4);
    assert_eq!(run(&["diff", CLEAN, EMPTY]).status, 4);
    assert_eq!(run(&["diff", "--allow-empty", CLEAN, EMPTY]).status, 0);
    assert_eq!(run(&["diff", "-", "-"]).status, 2);
    assert_eq!(run(&["diff", CLEAN, "nowhere.pcap"]).status, 3);
}

#[test]
fn a_folder_stands_for_the_captures_in_it() {
    let folder = scratch("diff_folder");
    fs::write(folder.join("one.pcapng"), crate::support::read(FAULT)).unwrap();
    let ran = run(&["diff", CLEAN, folder.to_str().unwrap()]);
    assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
}
