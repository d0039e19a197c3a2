//! `wsanalyze --follow -`.

use crate::support::program;
use crate::traffic::{CLIENT, Flow, SERVER, Wire, frame};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";

#[test]
fn an_input_that_ends_is_told_line_by_line_with_a_summary() {
    let output = program().args(["--follow", FAULT]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((output.status.code(), lines.len()), (Some(1), 2), "{text}");
    assert!(lines[0].contains("error WS-EX-012") && lines[0].contains("packet 8"), "{text}");
    assert_eq!(lines[1], "1 error in 1 WebSocket connection");
}

#[test]
fn a_finding_is_printed_while_the_pipe_is_still_open() {
    let mut child =
        program().args(["--follow", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A session that ends badly, and packets of another, seconds later.
    let mut wire = Wire::new();
    let mut faulty = Flow::new(1);
    faulty.open(&mut wire);
    faulty.send(&mut wire, SERVER, &frame(0x88, None, &1006_u16.to_be_bytes()));
    faulty.finish(&mut wire);
    pipe.write_all(&wire.bytes).unwrap();
    let told = wire.bytes.len();
    let mut other = Flow::new(2);
    other.open(&mut wire);
    for _ in 0..4 {
        wire.wait(2);
        other.send(&mut wire, SERVER, &frame(0x81, None, b"on"));
        other.acknowledge(&mut wire, CLIENT);
    }
    pipe.write_all(&wire.bytes[told..]).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Comes, or this waits for ever: the pipe is open.
    out.read_line(&mut line).unwrap();
    assert!(line.contains(" WS-CL-002 "), "{line}");
    drop(pipe);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().last().unwrap().contains("in 2 WebSocket connections"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
