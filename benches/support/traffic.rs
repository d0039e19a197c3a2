//! Made traffic in classic pcap, the same in every run: real captures in which something happens at length are too large
//! to keep. Every scene is a step that appends a few packets; [`Endless`] repeats it as a stream, [`capture`] in memory.

#![allow(dead_code, reason = "each bench takes the scenes it needs")]

use std::io::Read;

/// A few packets of a scene, appended at each call.
pub type Step = Box<dyn FnMut(&mut Wire) + Send>;

/// A capture of at least `bytes` bytes of a scene.
pub fn capture(bytes: usize, mut step: Step) -> Vec<u8> {
    let mut wire = Wire::new();
    while wire.bytes.len() < bytes {
        step(&mut wire);
    }
    wire.bytes
}

/// A capture of at least `bytes` bytes of a scene, made while it is read.
pub struct Endless {
    wire: Wire,
    step: Step,
    read: usize,
    left: u64,
}

impl Endless {
    pub fn new(bytes: u64, step: Step) -> Endless {
        Endless { wire: Wire::new(), step, read: 0, left: bytes }
    }
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.wire.bytes.len() {
            self.wire.bytes.clear();
            self.read = 0;
            while self.left > 0 && self.wire.bytes.len() < 64 << 10 {
                let before = self.wire.bytes.len();
                (self.step)(&mut self.wire);
                self.left = self.left.saturating_sub((self.wire.bytes.len() - before) as u64);
            }
        }
        let ready = &self.wire.bytes[self.read..];
        let len = ready.len().min(buf.len());
        buf[..len].copy_from_slice(&ready[..len]);
        self.read += len;
        Ok(len)
    }
}

/// `sessions` connections, numbered from `first` on, that take turns: what each does is told the number of the turn, and
/// whether it is its first one.
pub fn in_turns(
    first: u32,
    sessions: u32,
    mut act: impl FnMut(&mut Flow, &mut Wire, usize, bool) + Send + 'static,
) -> Step {
    let mut flows: Vec<Flow> = (first..first + sessions).map(Flow::new).collect();
    let mut turn = 0;
    Box::new(move |wire| {
        let index = turn % flows.len();
        act(&mut flows[index], wire, turn, turn < sessions as usize);
        turn += 1;
    })
}

/// Connection after connection, numbered from `first` on: each does all that it does in one step.
pub fn one_by_one(first: u32, mut act: impl FnMut(&mut Flow, &mut Wire) + Send + 'static) -> Step {
    let mut number = first;
    Box::new(move |wire| {
        act(&mut Flow::new(number), wire);
        number += 1;
    })
}

/// Many people talk at once: small text frames both ways on `sessions` connections that never end.
pub fn chat(sessions: u32) -> Step {
    in_turns(0, sessions, |flow, wire, turn, is_first| {
        if is_first {
            flow.open(wire);
        }
        flow.send(wire, CLIENT, &frame(0x81, Some(MASK), &TEXT[..20 + turn % 80]));
        flow.send(wire, SERVER, &frame(0x81, None, &TEXT[..40 + turn % 150]));
    })
}

/// One server sends binary frames of 64 KiB in full segments.
pub fn bulk() -> Step {
    let mut flow = Flow::new(0);
    let mut opened = false;
    let message = frame(0x82, None, &vec![0x5a; 64 << 10]);
    Box::new(move |wire| {
        if !opened {
            flow.open(wire);
            opened = true;
        }
        for segment in message.chunks(1448) {
            flow.send(wire, SERVER, segment);
        }
        flow.acknowledge(wire, CLIENT);
    })
}

/// Connection after connection: the upgrade, a Close with this code and its answer, the end of TCP.
pub fn storm(code: u16) -> Step {
    one_by_one(0, move |flow, wire| {
        flow.open(wire);
        flow.send(wire, CLIENT, &frame(0x88, Some(MASK), &code.to_be_bytes()));
        flow.send(wire, SERVER, &frame(0x88, None, &code.to_be_bytes()));
        flow.finish(wire);
    })
}

/// What a mirror port shows: 99 parts of something that is no WebSocket, one part that is.
pub fn haystack() -> Step {
    let mut chat = chat(4);
    let mut others: Vec<Flow> = (1000..1064).map(Flow::new).collect();
    let mut turn = 0;
    let records = [&[0x17, 3, 3, 5, 0x9b][..], &[0xc7; 1435]].concat();
    Box::new(move |wire| {
        let index = turn % others.len();
        let flow = &mut others[index];
        if turn < 64 {
            flow.greet(wire);
            flow.send(wire, CLIENT, &[&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 506]].concat());
        }
        for _ in 0..3 {
            flow.send(wire, SERVER, &records);
        }
        if turn % 16 == 15 {
            chat(wire);
        }
        turn += 1;
    })
}

/// Connections that are never answered, each from another port or host.
pub fn half_open() -> Step {
    one_by_one(0, |flow, wire| flow.call(wire))
}

/// `sessions` chats in which every eighth segment of the server is missing from the capture, and is never acknowledged.
pub fn holes(sessions: u32) -> Step {
    let message = frame(0x82, None, &vec![0x5a; 8 * 1400]);
    in_turns(0, sessions, move |flow, wire, _, is_first| {
        if is_first {
            flow.open(wire);
        }
        for (n, segment) in message.chunks(1400).enumerate() {
            match n {
                3 => flow.skip(SERVER, segment.len()),
                _ => flow.send(wire, SERVER, segment),
            }
        }
    })
}

/// Requests on `sessions` connections whose heads go on for ever.
pub fn giant_heads(sessions: u32) -> Step {
    let field = format!("X-More: {}\r\n", "m".repeat(1390));
    in_turns(0, sessions, move |flow, wire, _, is_first| {
        if is_first {
            flow.greet(wire);
            flow.send(wire, CLIENT, &REQUEST.as_bytes()[..REQUEST.len() - 2]);
        }
        flow.send(wire, CLIENT, field.as_bytes());
    })
}

/// Sessions whose server sends compressed messages that inflate a thousandfold, and is then closed with 1009.
pub fn bombs(compressed: Vec<u8>) -> Step {
    let message = frame(0xc2, None, &compressed);
    one_by_one(0, move |flow, wire| {
        flow.greet(wire);
        flow.send(wire, CLIENT, REQUEST.as_bytes());
        let agreed = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        flow.send(wire, SERVER, [&RESPONSE[..RESPONSE.len() - 4], agreed].concat().as_bytes());
        message.chunks(1448).for_each(|segment| flow.send(wire, SERVER, segment));
        flow.send(wire, CLIENT, &frame(0x88, Some(MASK), &1009_u16.to_be_bytes()));
        flow.finish(wire);
    })
}

/// `sessions` connections whose servers announce frames of four gibibytes and more, and send on and on.
pub fn giant_frames(sessions: u32) -> Step {
    in_turns(0, sessions, |flow, wire, turn, is_first| {
        if is_first {
            flow.open(wire);
            let len: u64 = [1 << 32, (1 << 40) - 1, 1 << 62, u64::MAX][turn % 4];
            flow.send(wire, SERVER, &[&[0x01, 127][..], &len.to_be_bytes()].concat());
        }
        flow.send(wire, SERVER, &[b'x'; 1400]);
    })
}

/// A capture that is being written: Ethernet, microseconds.
pub struct Wire {
    pub bytes: Vec<u8>,
    micros: u64,
}

impl Wire {
    pub fn new() -> Wire {
        let mut bytes = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
        Wire { bytes, micros: 1_800_000_000_000_000 }
    }

    /// Nothing is sent for so many seconds.
    pub fn wait(&mut self, seconds: u64) {
        self.micros += seconds * 1_000_000;
    }

    fn packet(&mut self, headers: &[u8], payload: &[u8]) {
        self.micros += 20;
        let len = (headers.len() + payload.len()) as u32;
        let fields = [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, len, len];
        self.bytes.extend(fields.into_iter().flat_map(u32::to_le_bytes));
        self.bytes.extend_from_slice(headers);
        self.bytes.extend_from_slice(payload);
    }
}

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PSH_ACK: u8 = 0x18;
const FIN_ACK: u8 = 0x11;
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub const TEXT: &[u8] = &[b'x'; 256];

/// With the key and the accept of RFC 6455 §1.3.
pub const REQUEST: &str = "GET /chat?room=7 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
pub const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// One TCP connection.
pub struct Flow {
    /// Address and port of both sides.
    ends: [([u8; 4], u16); 2],
    next: [u32; 2],
}

impl Flow {
    /// The connection with this number: its client has an address and a port of its own.
    pub fn new(number: u32) -> Flow {
        let port = 20_000 + (number % 40_000) as u16;
        let [_, a, b, c] = (number / 40_000).to_be_bytes();
        Flow {
            ends: [([10, a, b, c], port), ([192, 0, 2, 9], 80)],
            next: [number.wrapping_mul(7919), 1_000_000],
        }
    }

    /// The first packet of the three-way handshake.
    pub fn call(&mut self, wire: &mut Wire) {
        self.segment(wire, CLIENT, SYN, &[]);
    }

    /// The three-way handshake.
    pub fn greet(&mut self, wire: &mut Wire) {
        self.call(wire);
        self.segment(wire, SERVER, SYN | ACK, &[]);
        self.segment(wire, CLIENT, ACK, &[]);
    }

    /// TCP and the upgrade to WebSocket.
    pub fn open(&mut self, wire: &mut Wire) {
        self.greet(wire);
        self.send(wire, CLIENT, REQUEST.as_bytes());
        self.send(wire, SERVER, RESPONSE.as_bytes());
    }

    pub fn send(&mut self, wire: &mut Wire, from: usize, payload: &[u8]) {
        self.segment(wire, from, PSH_ACK, payload);
    }

    /// Two segments, of which the capture has the second one first.
    pub fn send_swapped(&mut self, wire: &mut Wire, from: usize, first: &[u8], second: &[u8]) {
        let start = self.next[from];
        self.skip(from, first.len());
        self.send(wire, from, second);
        let end = std::mem::replace(&mut self.next[from], start);
        self.send(wire, from, first);
        self.next[from] = end;
    }

    /// A segment that is sent again.
    pub fn send_twice(&mut self, wire: &mut Wire, from: usize, payload: &[u8]) {
        let start = self.next[from];
        self.send(wire, from, payload);
        self.next[from] = start;
        self.send(wire, from, payload);
    }

    pub fn acknowledge(&mut self, wire: &mut Wire, from: usize) {
        self.segment(wire, from, ACK, &[]);
    }

    /// Bytes that were sent and not captured.
    pub fn skip(&mut self, from: usize, len: usize) {
        self.next[from] = self.next[from].wrapping_add(len as u32);
    }

    pub fn finish(&mut self, wire: &mut Wire) {
        self.segment(wire, SERVER, FIN_ACK, &[]);
        self.segment(wire, CLIENT, FIN_ACK, &[]);
        self.segment(wire, SERVER, ACK, &[]);
    }

    /// Checksums are left out, as a network card that computes them lets a capture see them.
    fn segment(&mut self, wire: &mut Wire, from: usize, flags: u8, payload: &[u8]) {
        let ((source, source_port), (target, target_port)) = (self.ends[from], self.ends[1 - from]);
        let total = (40 + payload.len()) as u16;
        let ack = if flags & ACK == 0 { 0 } else { self.next[1 - from] };
        let mut headers = [0; 54];
        headers[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        headers[14] = 0x45;
        headers[16..18].copy_from_slice(&total.to_be_bytes());
        headers[20] = 0x40;
        headers[22..24].copy_from_slice(&[64, 6]);
        headers[26..30].copy_from_slice(&source);
        headers[30..34].copy_from_slice(&target);
        headers[34..36].copy_from_slice(&source_port.to_be_bytes());
        headers[36..38].copy_from_slice(&target_port.to_be_bytes());
        headers[38..42].copy_from_slice(&self.next[from].to_be_bytes());
        headers[42..46].copy_from_slice(&ack.to_be_bytes());
        headers[46..50].copy_from_slice(&[0x50, flags, 0xff, 0xff]);
        wire.packet(&headers, payload);
        let control = u32::from(flags & (SYN | 1) != 0);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32 + control);
    }
}

/// A frame: `first` is FIN and opcode.
pub fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        len @ ..126 => frame.push(masked | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    frame.extend(mask.into_iter().flatten());
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
