#!/usr/bin/env python3
"""Fills fuzz/corpus with seeds: the captures of fixtures/ and of the folders that are named, and what they hold.

usage: fuzz/seed.py [FOLDER...]      then: cargo +nightly fuzz run pipeline
"""
import hashlib
import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent
LONGEST = 48 << 10
LINKS = [1, 0, 9, 12, 101, 105, 108, 109, 113, 127, 192, 228, 229, 239, 276, 50]  # as in fuzz_targets/net.rs


def seed(target, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def records(capture):
    """Link type and packets of a classic little-endian capture; nothing of others."""
    if len(capture) < 24 or capture[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return
    link, at = struct.unpack_from("<I", capture, 20)[0] & 0xFFFF, 24
    while at + 16 <= len(capture):
        length = struct.unpack_from("<I", capture, at + 8)[0]
        yield link, capture[at + 16 : at + 16 + length]
        at += 16 + length


for folder in [HERE.parent / "fixtures", *map(Path, sys.argv[1:])]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "pcap" in p.name):
        capture = path.read_bytes()
        if len(capture) > LONGEST:
            continue
        seed("capture", capture)
        seed("pipeline", capture)
        packets = [(LINKS.index(l), p) for l, p in records(capture) if l in LINKS and len(p) < 4096]
        if packets:
            seed("net", b"".join(bytes([l]) + struct.pack(">H", len(p)) + p for l, p in packets))
        for _, packet in packets:
            for start in (b"GET ", b"HTTP/1."):
                at = packet.find(start)
                if at >= 0:
                    seed("http_head", b"\x05" + packet[at:])
            for name in (b"Sec-WebSocket-Extensions: ", b"Sec-WebSocket-Protocol: "):
                at = packet.find(name)
                if at >= 0:
                    seed("extensions", packet[at + len(name) :].split(b"\r\n")[0])



def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


settings, connect = struct.pack(">HI", 8, 1), bytes.fromhex("8286418cf1e3c2e5f23a6ba0ab90f4ff")
client = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, settings)
client += frame(1, 0, 1, connect[:5]) + frame(9, 4, 1, connect[5:]) + frame(0, 8, 1, b"\x02ab\0\0")
seed("h2", b"\x00\x09" + client + frame(3, 0, 1, struct.pack(">I", 8)))
seed("h2", b"\x01\x04" + frame(4, 0, 0, settings) + frame(1, 4, 1, b"\x88") + frame(7, 0, 0, bytes(8)))
seed("h2", b"\x02\x04" + frame(1, 4, 1, b"\x88") + frame(0, 1, 1, b"\x81\x01x"))


def spoken(side, data):
    return bytes([side]) + struct.pack(">H", len(data)) + data


random = bytes(range(32))
hello = b"\x03\x03" + random + b"\0\0\x02\x13\x01\x01\0" + struct.pack(">H", 7) + bytes.fromhex("002b0003020304")
hello = b"\x01" + struct.pack(">I", len(hello))[1:] + hello
answer = b"\x03\x03" + random[::-1] + b"\0\x13\x01\0" + struct.pack(">H", 6) + bytes.fromhex("002b00020304")
answer = b"\x02" + struct.pack(">I", len(answer))[1:] + answer
lines = f"CLIENT_TRAFFIC_SECRET_0 {random.hex()} {'11' * 32}\n".encode().ljust(160)
record = lambda kind, body: bytes([kind, 3, 3]) + struct.pack(">H", len(body)) + body
seed("tls", bytes([10, 0]) + lines + spoken(0, record(22, hello)) + spoken(1, record(22, answer))
     + spoken(0, record(23, bytes(40))) + spoken(1, record(21, b"\x02\x30")))
seed("http_head", b"\x09HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n")
seed("http_head", b"\x01PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n")
seed("extensions", b'permessage-deflate; client_max_window_bits="15", x; y="a\\"b"\nfoo,,bar')
masked, plain = bytes.fromhex("818537fa213d7f9f4d5158"), bytes.fromhex("810548656c6c6f")
close = bytes.fromhex("880403f06279")
for mode, frames in ((0, [masked, masked]), (1, [plain, close]), (6, [plain, plain, close]), (13, [plain, close])):
    seed("websocket", bytes([mode]) + b"".join(bytes([len(f) << 1]) + f for f in frames))


hello = bytes.fromhex("c107f248cdc9c90700")  # RFC 7692 section 7.2.3.1
again = bytes.fromhex("c105f200110000")
for mode in (33, 49, 97):
    seed("websocket", bytes([mode]) + b"".join(bytes([len(f) << 1]) + f for f in (hello, again, close)))


def op(who, flags, seq, ack, length, more):
    return bytes([who, flags]) + struct.pack(">HH", seq, ack) + bytes([length, more])


seed("tcp", op(0, 2, 0, 0, 0, 0) + op(1, 18, 0, 1, 0, 0) + op(0, 24, 1, 1, 90, 0) + op(1, 24, 1, 91, 40, 2)
     + op(0, 24, 191, 41, 100, 16) + op(0, 24, 91, 41, 100, 0) + op(0, 17, 291, 41, 0, 0) + op(1, 17, 41, 292, 0, 0))
