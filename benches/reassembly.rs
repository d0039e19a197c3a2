//! From packets to segments, and from these to streams: link layer, IP, TCP. Bytes of the capture a second. `cargo bench --bench reassembly`

#[path = "support/traffic.rs"]
mod traffic;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use std::io::Cursor;
use wsanalyze::capture::{Item, LinkType, Packet, PacketId, Reader, Seen};
use wsanalyze::net::{Decoded, Decoder};
use wsanalyze::tcp::{Event, Interest, Sink, StreamEvent, Table};
use wsanalyze::time::Timestamp;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZE: usize = 32 << 20;

/// Headers alone, of packets that were read before.
#[divan::bench]
fn slicing(bencher: Bencher) {
    let bytes = traffic::capture(SIZE, traffic::chat(50));
    let packets: Vec<&[u8]> = records(&bytes).collect();
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let (mut net, mut sum) = (Decoder::new(), 0);
        for data in &packets {
            let (link, original_len) = (LinkType(1), data.len() as u32);
            let packet = Packet { seen, link, original_len, fcs_len: 0, data };
            if let Decoded::Tcp(segment) = net.decode(&packet) {
                sum += u64::from(segment.declared_len);
            }
        }
        black_box(sum)
    });
}

/// The packets of a made capture.
fn records(capture: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = &capture[24..];
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(16)?;
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let (packet, next) = behind.split_at(len);
        rest = next;
        Some(packet)
    })
}

#[divan::bench]
fn chat(bencher: Bencher) {
    reassemble(bencher, traffic::capture(SIZE, traffic::chat(50)));
}

#[divan::bench]
fn bulk(bencher: Bencher) {
    reassemble(bencher, traffic::capture(SIZE, traffic::bulk()));
}

#[divan::bench]
fn short_connections(bencher: Bencher) {
    reassemble(bencher, traffic::capture(SIZE, traffic::storm(1000)));
}

#[divan::bench]
fn holes(bencher: Bencher) {
    reassemble(bencher, traffic::capture(SIZE, traffic::holes(50)));
}

/// Wants every byte and does nothing with it.
struct Count(u64);

impl Sink for Count {
    fn event(&mut self, event: StreamEvent<'_>) -> Interest {
        if let Event::Data { bytes, .. } = event.event {
            self.0 += bytes.len() as u64;
        }
        Interest::Keep
    }
}

fn reassemble(bencher: Bencher, bytes: Vec<u8>) {
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .with_inputs(|| Box::new(Cursor::new(bytes.clone())))
        .bench_local_values(|source| {
            let mut reader = Reader::from_read("made", 0, source).unwrap();
            let (mut net, mut tcp, mut count) = (Decoder::new(), Table::default(), Count(0));
            while let Some(item) = reader.next() {
                if let Item::Packet(packet) = item
                    && let Decoded::Tcp(segment) = net.decode(&packet)
                {
                    tcp.push(&segment, packet.seen, &mut count);
                }
            }
            black_box(count.0)
        });
}
