//! The shape of the JSON report, written down once more: what is absent here or of another type breaks somebody's script.

use crate::support::{captures, report};
use serde_json::{Value, json};

/// What a place of the report may hold.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// RFC 3339 in UTC with nine digits of fraction.
    Time,
    /// `192.0.2.7:51234` or `[2001:db8::7]:51234`.
    Endpoint,
    Count,
    /// With a fraction; below zero where a clock is behind.
    Seconds,
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    OrNull(&'static Shape),
    /// Or its key is not there.
    OrAbsent(&'static Shape),
    List(&'static Shape),
    /// An address and a name, any number of them.
    Names,
    /// Exactly these keys.
    Object(&'static [(&'static str, Shape)]),
}
use Shape::{Bool, Count, Endpoint, List, Names, Object, OneOf, OrAbsent, OrNull, Seconds, Text, Time};

const REPORT: Shape = Object(&[
    ("schema", OneOf(&["wsanalyze.report/1"])),
    ("tool", Object(&[("name", OneOf(&["wsanalyze"])), ("version", Text)])),
    ("captures", List(&CAPTURE)),
    ("totals", TOTALS),
    ("quality", QUALITY),
    ("connections", List(&CONNECTION)),
    ("leg_pairs", List(&LEG_PAIR)),
    ("findings", List(&FINDING)),
]);

const CAPTURE: Shape = Object(&[
    ("path", Text),
    ("format", OneOf(&["pcap", "pcapng"])),
    ("compression", OrNull(&OneOf(&["gzip", "zstd", "lz4"]))),
    ("packets", Count),
    ("bytes", Count),
    ("first", OrNull(&Time)),
    ("last", OrNull(&Time)),
    ("packets_cut", Count),
    ("packets_lost", Count),
    ("complete", Bool),
    ("warnings", List(&Text)),
    ("notes", List(&Text)),
    ("host_names", Names),
]);

const QUALITY: Shape = Object(&[
    ("packets_cut", Count),
    ("packets_lost", Count),
    ("packets_duplicated", Count),
    ("captures_incomplete", Count),
    ("captures_unreadable", OrAbsent(&List(&Object(&[("path", Text), ("reason", Text)])))),
    ("late_start", Count),
    ("without_handshake", Count),
    ("one_direction", Count),
    ("with_gaps", Count),
    ("not_followed", Count),
    ("still_open", Count),
    ("encrypted", Count),
    ("cannot_conclude", List(&Text)),
]);

const TOTALS: Shape = Object(&[
    ("packets", Count),
    ("tcp_connections", Count),
    ("tls_connections", Count),
    ("tls_decrypted", Count),
    ("websocket_connections", Count),
    ("established", Count),
    ("rejected", Count),
    ("unanswered", Count),
    ("findings", Object(&[("error", Count), ("warning", Count), ("info", Count)])),
]);

const CONNECTION: Shape = Object(&[
    ("id", Count),
    ("capture", Count),
    ("tcp_stream", Count),
    ("client", Endpoint),
    ("server", Endpoint),
    ("carrier", OneOf(&["http/1.1", "http/2"])),
    ("stream_id", OrNull(&Count)),
    ("tunnel", OrAbsent(&Text)),
    ("tcp", TCP),
    ("tls", OrNull(&TLS)),
    ("first_packet", Count),
    ("last_packet", Count),
    ("started", Time),
    ("ended", Time),
    ("role", OneOf(&["direct", "client-leg", "upstream-leg"])),
    ("same_as", OrNull(&Count)),
    ("request", OrNull(&REQUEST)),
    ("interim", List(&Count)),
    ("response", OrNull(&RESPONSE)),
    ("missing_extensions", List(&Text)),
    (
        "outcome",
        OneOf(&["established", "invalid", "rejected", "garbled", "unanswered", "unseen", "encrypted"]),
    ),
    ("frames", OrNull(&Object(&[("client", FRAMES), ("server", FRAMES)]))),
    ("silence", OrNull(&Object(&[("seconds", Seconds), ("from", MARK), ("until", MARK)]))),
    ("closes", List(&CLOSE)),
    ("end", END),
    ("sees", OrNull(&Object(&[("client", OrNull(&SEES)), ("server", OrNull(&SEES))]))),
    ("shows", OrNull(&Object(&[("client", List(&WORDING)), ("server", List(&WORDING))]))),
    ("findings", List(&Count)),
]);

const MARK: Shape = Object(&[("capture", Count), ("packet", Count), ("time", Time)]);

const TCP: Shape = Object(&[
    ("opened", OrNull(&MARK)),
    ("accepted", OrNull(&MARK)),
    ("fins", Object(&[("client", OrNull(&MARK)), ("server", OrNull(&MARK))])),
    ("reset", OrNull(&Object(&[("from", SIDE), ("packet", Count), ("time", Time)]))),
    ("icmp", OrAbsent(&List(&ICMP))),
]);

const ICMP: Shape = Object(&[
    ("about", SIDE),
    ("by", Text),
    ("type", Count),
    ("code", Count),
    ("name", Text),
    ("mtu", OrNull(&Count)),
    ("count", Count),
    ("first", MARK),
    ("last", MARK),
]);

const TLS: Shape = Object(&[
    ("version", OrNull(&Text)),
    ("cipher_suite", OrNull(&Text)),
    ("server_name", OrNull(&Text)),
    ("alpn", OrNull(&Text)),
    ("alpn_offered", List(&Text)),
    (
        "opened",
        OneOf(&[
            "yes",
            "one-direction",
            "nothing-to-open",
            "no-keys",
            "keys-of-others",
            "wrong-keys",
            "unsupported",
            "capture-incomplete",
        ]),
    ),
    ("alerts", List(&ALERT)),
    ("sent", Object(&[("client", TLS_SENT), ("server", TLS_SENT)])),
]);

const ALERT: Shape = Object(&[
    ("from", OneOf(&["client", "server"])),
    ("packet", Count),
    ("time", Time),
    ("level", OrNull(&OneOf(&["warning", "fatal"]))),
    ("description", Text),
]);

const TLS_SENT: Shape =
    Object(&[("records", Count), ("bytes", Count), ("first", OrNull(&Time)), ("last", OrNull(&Time))]);

const LEG_PAIR: Shape = Object(&[
    ("client_leg", Count),
    ("upstream_leg", Count),
    ("attempts", List(&Count)),
    ("gateway", Text),
    (
        "matched_by",
        OneOf(&[
            "sec-websocket-key",
            "masking-keys",
            "trace-header",
            "timing",
            "proxy-protocol",
            "sec-websocket-accept",
            "forwarded-for",
            "content",
        ]),
    ),
    ("confidence", CONFIDENCE),
    ("passage", OrNull(&OneOf(&["tunnel", "terminating"]))),
    ("clock_offset", Seconds),
    ("clock_uncertainty", Seconds),
    (
        "changes",
        List(&Object(&[
            ("field", Text),
            ("where", Text),
            ("client_leg", OrNull(&Text)),
            ("upstream_leg", OrNull(&Text)),
        ])),
    ),
]);

const CONFIDENCE: Shape = OneOf(&["certain", "likely", "possible"]);

const REQUEST: Shape = Object(&[
    ("packet", Count),
    ("time", Time),
    ("method", Text),
    ("target", Text),
    ("http_version", OrNull(&Text)),
    ("host", OrNull(&Text)),
    ("origin", OrNull(&Text)),
    ("user_agent", OrNull(&Text)),
    ("key", OrNull(&Text)),
    ("version", OrNull(&Text)),
    ("subprotocols", List(&Text)),
    ("extensions", List(&EXTENSION)),
]);

const RESPONSE: Shape = Object(&[
    ("packet", Count),
    ("time", Time),
    ("status", Count),
    ("reason", Text),
    ("accept", OrNull(&Text)),
    ("accept_valid", OrNull(&Bool)),
    ("subprotocol", OrNull(&Text)),
    ("extensions", List(&EXTENSION)),
    ("server", OrNull(&Text)),
    ("via", OrNull(&Text)),
]);

const EXTENSION: Shape =
    Object(&[("name", Text), ("params", List(&Object(&[("name", Text), ("value", OrNull(&Text))])))]);

const FRAMES: Shape = Object(&[
    ("text", Count),
    ("binary", Count),
    ("continuation", Count),
    ("ping", Count),
    ("pong", Count),
    ("close", Count),
    ("reserved", Count),
    ("payload_bytes", Count),
    ("messages", Count),
    ("compressed", Count),
    ("pings_answered", Count),
    ("first", OrNull(&MARK)),
    ("last", OrNull(&MARK)),
]);

const SIDE: Shape = OneOf(&["client", "server"]);

const CLOSE: Shape = Object(&[
    ("from", SIDE),
    ("packet", Count),
    ("time", Time),
    ("code", OrNull(&Count)),
    ("name", OrNull(&Text)),
    ("reason", Text),
]);

const END: Shape = Object(&[
    ("close", OrNull(&OneOf(&["clean", "unechoed", "none"]))),
    ("transport", OneOf(&["fin", "reset", "stream-reset", "open"])),
    ("error", OrNull(&Text)),
    ("by", OrNull(&SIDE)),
    ("packet", OrNull(&Count)),
    ("time", OrNull(&Time)),
]);

const SEES: Shape = Object(&[("code", Count), ("clean", Bool)]);

const WORDING: Shape = Object(&[("library", Text), ("text", Text)]);

const FINDING: Shape = Object(&[
    ("id", Count),
    ("rule", Text),
    ("code", Text),
    ("severity", OneOf(&["error", "warning", "info"])),
    ("confidence", CONFIDENCE),
    ("origin", OrNull(&OneOf(&["client", "server", "gateway", "network", "capture"]))),
    ("blame", OneOf(&["client", "server", "gateway", "upstream", "network", "capture", "none", "unknown"])),
    ("connection", OrNull(&Count)),
    ("related", List(&Count)),
    ("capture", Count),
    ("packet", Count),
    ("time", Time),
    ("title", Text),
    ("message", Text),
    ("evidence", List(&Object(&[("capture", Count), ("packet", Count), ("text", Text)]))),
    ("help", Text),
    ("fingerprint", Text),
    ("display_filter", Text),
    ("consequences", List(&Object(&[("rule", Text), ("code", Text), ("title", Text), ("packet", Count)]))),
]);

impl Shape {
    /// Says at which place `value` is something else.
    fn check(self, value: &Value, place: &str, wrong: &mut Vec<String>) {
        let fits = match self {
            Text => value.is_string(),
            Time => value.as_str().is_some_and(is_time),
            Endpoint => value.as_str().is_some_and(|text| text.parse::<std::net::SocketAddr>().is_ok()),
            Count => value.is_u64(),
            Seconds => value.is_f64(),
            Bool => value.is_boolean(),
            OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            OrNull(shape) => {
                if !value.is_null() {
                    shape.check(value, place, wrong);
                }
                true
            }
            OrAbsent(shape) => {
                shape.check(value, place, wrong);
                true
            }
            List(shape) => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    shape.check(item, &format!("{place}[{index}]"), wrong);
                }
                value.is_array()
            }
            Names => value.as_object().is_some_and(|names| {
                names.iter().all(|(ip, name)| ip.parse::<std::net::IpAddr>().is_ok() && name.is_string())
            }),
            Object(fields) => {
                for (name, shape) in fields {
                    match value.get(name) {
                        Some(value) => shape.check(value, &format!("{place}.{name}"), wrong),
                        None if matches!(shape, OrAbsent(_)) => {}
                        None => wrong.push(format!("{place}.{name} is absent")),
                    }
                }
                for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    if !fields.iter().any(|(known, _)| known == name) {
                        wrong.push(format!("{place}.{name} is not in the promised shape"));
                    }
                }
                value.is_object()
            }
        };
        if !fits {
            wrong.push(format!("{place} is {value}"));
        }
    }
}

fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000000Z"
}

/// Every report that there is: captures, whole and broken, that can be read at all.
fn reports() -> impl Iterator<Item = (String, Value)> {
    let broken =
        ["cut_in_record.pcap", "damaged_middle.pcap", "snapped_96.pcap", "no_packets.pcap", "cut.pcap.gz"];
    let broken = broken.into_iter().map(|file| format!("fixtures/broken/{file}"));
    captures().into_iter().chain(broken).map(|path| (path.clone(), report(&path)))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

#[test]
fn every_report_has_the_promised_shape() {
    let mut wrong = Vec::new();
    for (path, report) in reports() {
        REPORT.check(&report, &path, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ids_lead_where_they_say() {
    for (path, report) in reports() {
        let (connections, findings) = (list(&report, "connections"), list(&report, "findings"));
        for (index, connection) in connections.iter().enumerate() {
            assert_eq!(connection["id"], index, "{path}");
            for id in list(connection, "findings") {
                let finding = &findings[id.as_u64().unwrap() as usize];
                let concerns = list(finding, "related").contains(&json!(index));
                assert!(finding["connection"] == index || concerns, "{path}: {finding}");
            }
        }
        for (index, finding) in findings.iter().enumerate() {
            assert_eq!(finding["id"], index, "{path}");
            if let Some(connection) = finding["connection"].as_u64() {
                let ids = list(&connections[connection as usize], "findings");
                assert!(ids.contains(&json!(index)), "{path}: connection {connection} lacks finding {index}");
            }
        }
    }
}

#[test]
fn totals_are_the_sums_of_what_is_listed() {
    for (path, report) in reports() {
        let count = |outcome: &str| {
            list(&report, "connections").iter().filter(|connection| connection["outcome"] == outcome).count()
        };
        let totals = &report["totals"];
        let listed = list(&report, "connections").len();
        assert_eq!(totals["websocket_connections"], listed - count("encrypted"), "{path}");
        for outcome in ["established", "rejected", "unanswered"] {
            assert_eq!(totals[outcome], count(outcome), "{path}");
        }
        for severity in ["error", "warning", "info"] {
            let found = list(&report, "findings").iter().filter(|finding| finding["severity"] == severity);
            assert_eq!(totals["findings"][severity], found.count(), "{path}");
        }
        let packets: u64 = list(&report, "captures").iter().map(|c| c["packets"].as_u64().unwrap()).sum();
        assert_eq!(totals["packets"], packets, "{path}");
    }
}

#[test]
fn evidence_points_at_packets_of_the_capture() {
    for (path, report) in reports() {
        for finding in list(&report, "findings") {
            let evidence = list(finding, "evidence");
            assert!(!evidence.is_empty(), "{path}: {finding}");
            for place in evidence.iter().chain([finding]) {
                let capture = &report["captures"][place["capture"].as_u64().unwrap() as usize];
                let packet = place["packet"].as_u64().unwrap();
                assert!(packet >= 1 && packet <= capture["packets"].as_u64().unwrap(), "{path}: {finding}");
            }
        }
    }
}

#[test]
fn sentences_are_written_as_agreed() {
    for (path, report) in reports() {
        for finding in list(&report, "findings") {
            for name in ["title", "message", "help"] {
                let text = finding[name].as_str().unwrap();
                assert!(
                    !text.is_empty() && !text.ends_with('.') && !text.contains('\n'),
                    "{path}: {name}: {text}"
                );
            }
            let only = &report["connections"][0];
            let mut stream = format!("tcp.stream eq {}", only["tcp_stream"]);
            if let Some(number) = only["stream_id"].as_u64() {
                stream += &format!(" and http2.streamid eq {number}");
            }
            if list(&report, "connections").len() == 1 && !finding["connection"].is_null() {
                assert_eq!(finding["display_filter"], stream, "{path}");
            }
        }
    }
}
