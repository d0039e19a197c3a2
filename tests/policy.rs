//! `wsanalyze check`, what is ignored, and what a baseline knows.

use crate::support::{Ran, program, run, scratch};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";
const CLEAN: &str = "fixtures/captures/fr_pmd_takeover.pcapng";
const NO_WEBSOCKET: &str = "fixtures/broken/no_packets.pcap";

fn written(test: &str, text: &str) -> PathBuf {
    let file = scratch(test).join("wsanalyze.toml");
    fs::write(&file, text).unwrap();
    file
}

fn check(policy: &Path, args: &[&str]) -> Ran {
    program().arg("check").arg("--policy").arg(policy).args(args).output().unwrap().into()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

const CHAT: &str = "[[expect]]\nname = \"chat\"\npath = \"/chat*\"\nrequire-extensions = [\"permessage-deflate\"]\n\
    client-close-codes = [1000, 1001]\nmax-handshake = \"500ms\"\nno-reserved-codes = true\n";

#[test]
fn what_is_met_passes_and_is_told_with_the_packet_that_shows_it() {
    let policy = written("policy_met", CHAT);
    let ran = check(&policy, &[CLEAN]);
    assert_eq!(ran.status, 0, "{}", ran.out);
    assert!(ran.out.contains("5 of 5 demands met") && ran.out.contains("nothing found"), "{}", ran.out);
    let demands = json(&check(&policy, &["-f", "json", CLEAN]))["policy"].clone();
    let extension = &demands.as_array().unwrap().iter().find(|demand| demand["code"] == "WS-PO-001").unwrap();
    assert_eq!(extension["met"], true);
    assert_eq!(extension["actual"], "permessage-deflate agreed");
    assert_eq!((&extension["connection"], &extension["packet"]), (&Value::from(0), &Value::from(6)));
}

#[test]
fn what_is_not_met_is_a_finding_with_expected_and_actual() {
    let policy = written("policy_unmet", CHAT);
    let ran = check(&policy, &[FAULT]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("3 of 5 demands met, 2 not met"), "{}", ran.out);
    let report = json(&check(&policy, &["-f", "json", FAULT]));
    let codes: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
    assert_eq!(codes, ["WS-PO-001", "WS-EX-012", "WS-PO-005"]);
    let message = report["findings"][0]["message"].as_str().unwrap();
    assert!(
        message.contains(
            "expects the extension permessage-deflate, but it was offered, and the 101 is without it"
        ),
        "{message}"
    );
    assert_eq!(check(&policy, &["--fail-on", "never", FAULT]).status, 0);
    assert_eq!(check(&policy, &["--select", "close", FAULT]).status, 0, "no rule of the policy speaks");
}

#[test]
fn findings_fail_a_check_although_its_policy_is_met() {
    let policy = written("policy_findings", "[[expect]]\npath = \"/chat\"\n");
    let ran = check(&policy, &[FAULT]);
    assert!(ran.status == 1 && ran.out.contains("1 of 1 demand met"), "{}", ran.out);
}

#[test]
fn an_empty_capture_never_looks_well() {
    let policy = written("policy_empty", CHAT);
    assert_eq!(check(&policy, &[NO_WEBSOCKET]).status, 4);
    assert_eq!(check(&policy, &["--allow-empty", NO_WEBSOCKET]).status, 1, "one connection is expected");
    let quiet = written("policy_quiet", &format!("{CHAT}min-connections = 0\n"));
    assert_eq!(check(&quiet, &[NO_WEBSOCKET]).status, 4);
    let ran = check(&quiet, &["--allow-empty", NO_WEBSOCKET]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.contains("4 not judged"), "{}", ran.out);
}

#[test]
fn a_place_that_no_connection_goes_to_is_not_met() {
    let policy = written("policy_place", "[[expect]]\nhost = \"nowhere.example\"\n");
    let ran = check(&policy, &[CLEAN]);
    assert!(ran.status == 1 && ran.out.contains("1 error in 1 WebSocket connection"), "{}", ran.out);
    let report = json(&check(&policy, &["-f", "json", CLEAN]));
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["connection"]), (&Value::from("WS-PO-010"), &Value::Null));
    assert_eq!(report["totals"]["findings"]["error"], 1);
}

#[test]
fn a_check_without_expectations_is_wrong_usage() {
    let ran = run(&["check", CLEAN]);
    assert!(ran.status == 2 && ran.err.contains("check needs a policy"), "{}", ran.err);
    let ran = check(&written("policy_none", "fail-on = \"info\"\n"), &[CLEAN]);
    assert!(ran.status == 2 && ran.err.contains("no [[expect]] in it"), "{}", ran.err);
    assert_eq!(check(Path::new("nowhere.toml"), &[CLEAN]).status, 2);
}

#[test]
fn what_is_ignored_for_a_reason_does_not_count_until_it_expires() {
    let entry =
        "[[suppress]]\nrule = \"WS-EX-012\"\npath = \"/chat\"\nreason = \"client 1.2, gone in May\"\n";
    let with = |expires: &str| {
        let file = written("policy_suppress", &format!("{entry}{expires}"));
        move |args: &[&str]| -> Ran {
            program().arg("--config").arg(&file).args(args).output().unwrap().into()
        }
    };
    let ignored = with("expires = 9999-12-31\n");
    let ran = ignored(&[FAULT]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.ends_with("not counted: 1 ignored (--show-suppressed shows them)\n"), "{}", ran.out);
    let shown = ignored(&["--show-suppressed", FAULT]);
    assert_eq!(shown.status, 0);
    assert!(shown.out.contains("ignored: client 1.2, gone in May"), "{}", shown.out);
    let report = json(&ignored(&["-f", "json", FAULT]));
    let suppressed = &report["findings"][0]["suppressed"];
    assert_eq!(suppressed["kind"], "ignored");
    assert_eq!(suppressed["justification"], "client 1.2, gone in May");
    assert_eq!(report["totals"]["findings"]["error"], 0);
    let ran = with("expires = 2026-11-01\n")(&[FAULT]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("WS-EX-012 is no longer ignored: that expired on 2026-11-01"), "{}", ran.err);
}

#[test]
fn only_what_the_baseline_does_not_know_counts() {
    let folder = scratch("policy_baseline");
    let baseline = folder.join("report.json");
    fs::write(&baseline, run(&["-f", "json", FAULT]).out).unwrap();
    let baseline = baseline.to_str().unwrap();
    let known = run(&["--baseline", baseline, FAULT]);
    assert_eq!(known.status, 0);
    assert!(known.out.contains("not counted: 1 known from the baseline"), "{}", known.out);
    let other = run(&["--baseline", baseline, "fixtures/captures/gw_nginx_down.pcapng"]);
    assert_eq!(other.status, 1);
    let wrong = run(&["--baseline", FAULT, FAULT]);
    assert!(wrong.status == 2 && wrong.err.contains("expected a report"), "{}", wrong.err);
    let replaced = run(&["--baseline", baseline, "-o", &format!("json={baseline}"), FAULT]);
    assert_eq!(replaced.status, 2, "a baseline is not replaced by what it is compared with");
}
