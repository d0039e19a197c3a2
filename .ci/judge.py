#!/usr/bin/env python3
"""Holds what is read of every fixture against tshark, which reads it by other code: .ci/judge.py PROGRAM

What tshark sees, the program must see: of each TCP stream and side the frames by opcode, the codes of Close frames, the
final status of the answer to an upgrade, and the ICMP errors about its packets. Where the program sees more, the fixture is listed below with the reason.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What tshark does not follow.
SEES_LESS = {
    "h2_tls_1010": "WebSocket over HTTP/2",
    "h2c_1010": "WebSocket over HTTP/2",
    "h2c_continuation": "WebSocket over HTTP/2",
    "h2c_hypercorn": "WebSocket over HTTP/2",
    "rec_chromium_h2": "WebSocket over HTTP/2",
    "rec_chromium_h2_stripped": "WebSocket over HTTP/2",
    "rec_haproxy_h2": "WebSocket over HTTP/2",
    "hs_connect_tunnel": "WebSocket in a CONNECT tunnel",
    "net_client_only": "frames without the answer to the upgrade",
    "net_server_only": "frames without the upgrade",
    "rec_late_start": "frames without a handshake",
    "rec_cut_message": "a frame that the connection's end cuts off",
    "rec_haproxy_reset": "a frame that the connection's end cuts off",
    "rec_early_frame": "a frame before the answer",
    "rec_ws_two_handlers": "frames behind bytes that are none",
}

# Captures of which tshark reads something as frames that is none.
SEES_TOO_MUCH = {
    "rec_flask_too_big": "an HTTP response in the stream",
    "rec_socket_io_old_client": "an HTTP response in the stream",
}

OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
FIELDS = [
    "tcp.stream",
    "tcp.srcport",
    "websocket.opcode",
    "websocket.payload.close.status_code",
    "http.response.code",
]
# Type, code and MTU, of the one that is there.
ERRORS = [["icmp.type", "icmpv6.type"], ["icmp.code", "icmpv6.code"], ["icmp.mtu", "icmpv6.mtu"]]
IS_ERROR = "(icmp.type in {3,11} or icmpv6.type in {1,2,3})"


def main():
    captures = [path for path in sorted((ROOT / "fixtures/captures").iterdir()) if path.suffix != ".md"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        compared = list(pool.map(lambda capture: compare(sys.argv[1], capture), captures))
    wrong = [line for lines, _ in compared for line in lines]
    equal = sum(is_equal for _, is_equal in compared)
    print(*wrong, f"{equal} of {len(captures)} fixtures are read alike", sep="\n")
    if wrong or equal < 100:
        sys.exit(1)


def compare(program, capture):
    """What is wrong with one capture, and whether both see the same."""
    name = capture.name.split(".")[0]
    keys = ROOT / f"fixtures/keys/{name}.keys.log"
    keys = [str(keys)] if keys.exists() else []
    ours, theirs = read(program, capture, keys), judge(capture, keys)
    missed, more = theirs - ours, ours - theirs
    # Which of several answers was one to an upgrade, tshark does not say, but for 101.
    missed = {seen: count for seen, count in missed.items() if seen[2] != "status" or seen[3] == 101}
    # Attempts at TCP that carried nothing are no connections of the report.
    listed = {stream for stream, *_ in ours}
    missed = {seen: count for seen, count in missed.items() if seen[2] != "icmp" or seen[0] in listed}
    lines = []
    if missed and name not in SEES_TOO_MUCH:
        lines.append(f"{capture.name}: tshark alone sees {told(missed)}")
    if more and name not in SEES_LESS:
        lines.append(f"{capture.name}: tshark does not see {told(more)}")
    return lines, not missed and not more


def told(seen):
    """In words."""
    lines = [f"{kind} {what} from port {port} of stream {stream} ({count})" for (stream, port, kind, what), count in seen.items()]
    return ", ".join(sorted(lines))


def read(program, capture, keys):
    """What the program sees, as a count of (stream, port of the sender, kind, what)."""
    command = [program, "--format", "json", "--fail-on", "never", str(capture)]
    report = subprocess.run(command + [arg for key in keys for arg in ("--keylog", key)], capture_output=True, check=False)
    seen = collections.Counter()
    if not report.stdout:
        return seen
    for connection in json.loads(report.stdout)["connections"]:
        stream = connection["tcp_stream"]
        ports = {side: int(connection[side].rsplit(":", 1)[1]) for side in ("client", "server")}
        for side, port in ports.items():
            for kind in [*OPCODES.values(), "reserved"]:
                count = (connection["frames"] or {}).get(side, {}).get(kind, 0)
                if count:
                    seen[stream, port, "frame", kind] += count
        for close in connection["closes"]:
            if close["code"] is not None:
                seen[stream, ports[close["from"]], "code", close["code"]] += 1
        for error in connection["tcp"].get("icmp", []):
            what = f"{error['type']}/{error['code']} {error['mtu'] or ''}"
            seen[stream, ports[error["about"]], "icmp", what] += error["count"]
        if connection["response"] and connection["carrier"] == "http/1.1":
            seen[stream, ports["server"], "status", connection["response"]["status"]] += 1
    return seen


def judge(capture, keys):
    """The same as tshark sees it."""
    seen = collections.Counter()
    for line in tshark(capture, keys, f"tcp and {IS_ERROR}", ["tcp.stream", "tcp.srcport", *sum(ERRORS, [])]):
        stream, port, *fields = line.split("|")
        kind, code, mtu = (four or six for four, six in zip(fields[::2], fields[1::2]))
        seen[int(stream), int(port), "icmp", f"{kind}/{code} {mtu}"] += 1
    # An error quotes a packet that is not sent with it.
    for line in tshark(capture, keys, f"(websocket or http.response) and not {IS_ERROR}", FIELDS):
        streams, ports, opcodes, codes, statuses = ([*filter(None, field.split(","))] for field in line.split("|"))
        if not streams:
            continue
        # Of packets in packets the innermost counts.
        stream, port = int(streams[0]), int(ports[-1])
        for opcode in opcodes:
            seen[stream, port, "frame", OPCODES.get(int(opcode, 0), "reserved")] += 1
        for code in codes:
            seen[stream, port, "code", int(code, 0)] += 1
        for status in statuses:
            if int(status) == 101 or int(status) >= 200:
                seen[stream, port, "status", int(status)] += 1
    return seen


def tshark(capture, keys, wanted, fields):
    """A line for each packet that is wanted, with these fields of it."""
    command = ["tshark", "-2", "-r", str(capture), "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", wanted]
    command += ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=|"]
    command += [arg for field in fields for arg in ("-e", field)]
    command += [arg for key in keys for arg in ("-o", f"tls.keylog_file:{key}")]
    # A capture that is cut gives a status of its own, and what could be read.
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


if __name__ == "__main__":
    main()
