//! All formats, by what `--format` accepts: a new one is held to these tests at once.

use crate::support::{captures, read, report, run, run_with_input};
use crate::traffic::{CLIENT, Flow, RESPONSE, SERVER, Wire, frame};
use serde_json::{Value, json};

const FAULT: &str = "fixtures/captures/gw_nginx_stripreq.pcapng";

/// The names of all formats, as the program itself lists them.
pub fn formats() -> Vec<String> {
    let said = run(&["--format", "poem", FAULT]).err;
    let (_, names) = said.split_once("possible values: ").unwrap_or_else(|| panic!("{said}"));
    let names: Vec<String> = names.split(']').next().unwrap().split(", ").map(str::to_owned).collect();
    assert!(names.len() >= 9, "{names:?}");
    names
}

#[test]
fn the_readme_tells_of_every_format() {
    let readme = String::from_utf8(read("README.md")).unwrap();
    for format in formats() {
        assert!(readme.contains(&format!("\n| `{format}` ")), "{format}");
    }
}

#[test]
fn every_format_names_the_rule_and_changes_nothing_of_the_status() {
    for format in formats() {
        let ran = run(&["--format", &format, FAULT]);
        assert_eq!((ran.status, ran.err.as_str()), (1, ""), "{format}");
        assert!(ran.out.contains("WS-EX-012") && ran.out.ends_with('\n'), "{format}: {}", ran.out);
        assert_eq!(ran.out, run(&["--format", &format, FAULT]).out, "{format}");
        let clean = run(&["--format", &format, "fixtures/captures/rec_nginx_chat.pcap"]);
        assert_eq!((clean.status, clean.err.as_str()), (0, ""), "{format}");
    }
}

#[test]
fn a_report_says_itself_which_input_is_not_in_it() {
    let unread = "fixtures/broken/text.pcap";
    for format in formats() {
        let ran = run(&["--format", &format, FAULT, unread]);
        assert_eq!(ran.status, 3, "{format}");
        // Tables of findings have no place for it.
        let expected = !["csv", "gitlab"].contains(&&*format);
        assert_eq!(ran.out.contains("text.pcap"), expected, "{format}: {}", ran.out);
    }
    let json = |format: &str| -> Value {
        serde_json::from_str(run(&["--format", format, FAULT, unread]).out.lines().last().unwrap())
            .unwrap_or_else(|_| serde_json::from_str(&run(&["--format", format, FAULT, unread]).out).unwrap())
    };
    let told = &json("json")["quality"]["captures_unreadable"];
    assert_eq!(told, &json("jsonl")["quality"]["captures_unreadable"]);
    assert_eq!(told[0]["path"], unread);
    assert!(told[0]["reason"].as_str().unwrap().starts_with("not a packet capture: a text"), "{told}");
    assert_eq!(json("sarif")["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let junit = run(&["--format", "junit", FAULT, unread]).out;
    assert!(junit.contains("tests=\"3\" failures=\"1\" errors=\"1\""), "{junit}");
}

#[test]
fn secrets_and_payload_are_in_no_format() {
    let request = "GET /chat?token=s3cret-query HTTP/1.1\r\nHost: example.org\r\nCookie: sid=s3cret-cookie\r\n\
        Authorization: Bearer s3cret-bearer\r\nProxy-Authorization: Basic s3cret-basic\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let made = |answer: &str| {
        let (mut wire, mut flow) = (Wire::new(), Flow::new(0));
        flow.greet(&mut wire);
        flow.send(&mut wire, CLIENT, request.as_bytes());
        flow.send(&mut wire, SERVER, answer.as_bytes());
        flow.send(&mut wire, SERVER, &frame(0x81, None, b"s3cret-payload"));
        flow.finish(&mut wire);
        wire.bytes
    };
    for capture in [made(RESPONSE), made("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")] {
        for format in formats() {
            let ran = run_with_input(&["--format", &format, "-"], capture.clone());
            assert_eq!(ran.status, 1, "{}", ran.out);
            assert!(!ran.out.contains("s3cret"), "{format}: {}", ran.out);
            // Some formats have no place for the target.
            if !ran.out.contains("/chat?") {
                continue;
            }
            assert!(ran.out.contains("token=…"), "{format}: {}", ran.out);
            let ran = run_with_input(&["--show-secrets", "--format", &format, "-"], capture.clone());
            // Evidence hides values whatever was asked for, and SARIF shows the target nowhere else.
            assert_eq!(ran.out.contains("token=s3cret-query"), format != "sarif", "{format}: {}", ran.out);
            for other in ["cookie", "bearer", "basic", "payload"] {
                assert!(!ran.out.contains(&format!("s3cret-{other}")), "{format}: {}", ran.out);
            }
        }
    }
}

#[test]
fn the_stream_says_what_the_document_says() {
    for path in captures() {
        let document = report(&path);
        let mut stream = json!({ "connections": [], "leg_pairs": [], "findings": [], "captures": [] });
        for line in run(&["--format", "jsonl", &path]).out.lines() {
            let mut object: Value = serde_json::from_str(line).unwrap();
            let kind = object.as_object_mut().unwrap().remove("type").unwrap();
            let list = match kind.as_str().unwrap() {
                "totals" => {
                    let quality = object.as_object_mut().unwrap().remove("quality").unwrap();
                    assert_eq!((&object, &quality), (&document["totals"], &document["quality"]), "{path}");
                    continue;
                }
                "connection" => "connections",
                "leg_pair" => "leg_pairs",
                "finding" => "findings",
                "capture" => "captures",
                other => panic!("{path}: {other}"),
            };
            let list = stream[list].as_array_mut().unwrap();
            assert!(object.get("id").is_none_or(|id| *id == list.len()), "{path}: {object}");
            list.push(object);
        }
        assert_eq!(without_ids(&stream), without_ids(&document), "{path}");
    }
}

/// The objects of a report in an order of their own, each id replaced by what it leads to.
fn without_ids(report: &Value) -> Vec<String> {
    let list = |name: &str| report[name].as_array().unwrap().clone();
    let (connections, findings) = (list("connections"), list("findings"));
    let connection = |id: &Value| {
        let Some(id) = id.as_u64() else { return Value::Null };
        let c = &connections[id as usize];
        json!([c["capture"], c["tcp_stream"], c["stream_id"], c["first_packet"]])
    };
    let finding = |id: &Value| {
        let f = &findings[id.as_u64().unwrap() as usize];
        json!([f["code"], f["capture"], f["packet"], connection(&f["connection"])])
    };
    let each = |ids: &Value, name: &dyn Fn(&Value) -> Value| {
        let mut named: Vec<String> = ids.as_array().unwrap().iter().map(|id| name(id).to_string()).collect();
        named.sort();
        json!(named)
    };
    let mut all = Vec::new();
    for mut c in connections.clone() {
        c["id"] = Value::Null;
        c["findings"] = each(&c["findings"], &finding);
        all.push(c);
    }
    for mut f in findings.clone() {
        f["id"] = Value::Null;
        f["connection"] = connection(&f["connection"]);
        f["related"] = each(&f["related"], &connection);
        all.push(f);
    }
    for mut pair in list("leg_pairs") {
        for leg in ["client_leg", "upstream_leg"] {
            pair[leg] = connection(&pair[leg]);
        }
        pair["attempts"] = each(&pair["attempts"], &connection);
        all.push(pair);
    }
    all.extend(list("captures"));
    let mut all: Vec<String> = all.iter().map(Value::to_string).collect();
    all.sort();
    all
}

#[test]
fn the_schemas_describe_the_shape_that_is_promised() {
    for (format, defined) in [("json", "connections"), ("jsonl", "oneOf")] {
        let schema: Value = serde_json::from_str(&run(&["schema", format]).out).unwrap();
        let found = schema.get(defined).is_some() || schema["properties"].get(defined).is_some();
        assert!(found, "{format}: {schema}");
        let finding = &schema["$defs"]["Finding"];
        // What is always there is required, and what may be null says so.
        let required = finding.get("required").and_then(Value::as_array);
        if format == "json" {
            assert!(
                required.unwrap().contains(&json!("origin"))
                    && !required.unwrap().contains(&json!("suppressed"))
            );
            assert_eq!(finding["properties"]["origin"]["type"], json!(["string", "null"]));
        }
    }
}
