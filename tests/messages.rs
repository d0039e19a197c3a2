//! `--decode` and `--messages`: what is read of messages, and what is told of them.

use crate::support::{captures, run};
use serde_json::{Value, json};

/// The server compresses with a context that it agreed to forget; the client never looks, and all ends well.
const UNNOTICED: &str = "fixtures/captures/rec_takeover_unnoticed.pcap";
/// The same, and the client looks: it closes with 1002.
const NOTICED: &str = "fixtures/captures/rec_takeover_kept.pcap";
const COMPRESSED: &str = "fixtures/captures/fr_pmd_takeover.pcapng";
const CUT: &str = "fixtures/captures/rec_cut_message.pcap";

fn report(args: &[&str]) -> Value {
    serde_json::from_str(&run(&[&["--format", "json"], args].concat()).out).unwrap()
}

fn rules(args: &[&str]) -> Vec<String> {
    let report = report(args);
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn decode_reads_what_the_end_of_a_session_does_not_ask_for() {
    let undecodable = "compressed-message-undecodable";
    assert_eq!(rules(&[UNNOTICED]), [""; 0]);
    assert_eq!(rules(&["--decode", UNNOTICED]), [undecodable]);
    assert_eq!([run(&[UNNOTICED]).status, run(&["--decode", UNNOTICED]).status], [0, 1]);
    // Where the end asks for it, it is read anyway.
    assert_eq!(rules(&[NOTICED]), [undecodable]);
    assert_eq!(report(&[NOTICED]), report(&["--decode", NOTICED]));
    // All else stays as it is.
    let without_findings = |mut report: Value| {
        report["findings"] = Value::Null;
        report["totals"]["findings"] = Value::Null;
        report["connections"][0]["findings"] = Value::Null;
        report
    };
    assert_eq!(without_findings(report(&[UNNOTICED])), without_findings(report(&["--decode", UNNOTICED])));
}

#[test]
fn a_list_of_messages_tells_their_sizes_and_not_what_they_say() {
    let listed = report(&["--messages", COMPRESSED]);
    let messages = listed["connections"][0]["messages"].as_array().unwrap();
    assert_eq!(
        messages[0],
        json!({
            "from": "client", "packet": 8, "time": "2026-11-22T10:50:25.592946000Z", "after": 0.004235,
            "opcode": "text", "frames": 1, "payload_bytes": 11, "compressed": true, "inflated_bytes": 17,
            "unread": null
        })
    );
    let sizes = |field: &str| messages.iter().map(|message| message[field].clone()).collect::<Vec<_>>();
    assert_eq!(sizes("payload_bytes"), [11, 11, 5, 5, 25, 25, 14]);
    assert_eq!(sizes("inflated_bytes").last(), Some(&Value::Null));
    assert_eq!(listed["connections"][0]["messages_left_out"], 0);
    for format in ["json", "jsonl", "table"] {
        let hidden = run(&["--format", format, "--messages", COMPRESSED]).out;
        let shown = run(&["--format", format, "--messages=payload", COMPRESSED]).out;
        assert!(!hidden.contains("hello hello") && shown.contains("hello hello"), "{format}: {hidden}");
    }
}

#[test]
fn why_a_message_cannot_be_read_is_told_in_every_list() {
    for (capture, name, words) in [(NOTICED, "corrupt", "corrupt"), (CUT, "incomplete", "incomplete")] {
        let listed = report(&["--messages", capture]);
        let unread = &listed["connections"][0]["messages"].as_array().unwrap().last().unwrap()["unread"];
        assert_eq!(unread, name);
        let page = run(&["--messages", capture]).out;
        assert!(page.lines().any(|line| line.trim_end().ends_with(words)), "{page}");
    }
}

#[test]
fn a_list_adds_to_a_report_and_changes_nothing_else() {
    for capture in captures() {
        let plain = report(&["--decode", &capture]);
        let mut listed = report(&["--messages=payload", &capture]);
        for connection in listed["connections"].as_array_mut().unwrap() {
            let connection = connection.as_object_mut().unwrap();
            let count = |side: &str| connection["frames"][side]["messages"].as_u64().unwrap_or(0);
            let finished = count("client") + count("server");
            let messages = connection.remove("messages").map_or(0, |list| list.as_array().unwrap().len());
            assert!(messages as u64 >= finished, "{capture}: {messages} of {finished}");
            connection.remove("messages_left_out");
        }
        assert_eq!(plain, listed, "{capture}");
    }
}

#[test]
fn formats_without_a_list_do_not_pay_for_one() {
    // What was read of messages is told by what is found.
    let sarif = |args: &[&str]| run(&[&["--format", "sarif", UNNOTICED], args].concat()).out;
    assert_eq!(sarif(&[]), sarif(&["--messages"]));
    assert!(sarif(&["--decode"]).contains("compressed-message-undecodable"));
    let follow = run(&["--follow", "--messages", UNNOTICED]);
    assert_eq!((follow.status, follow.out.contains("messages of")), (0, false));
    assert_eq!(run(&["--messages=everything", UNNOTICED]).status, 2);
}
