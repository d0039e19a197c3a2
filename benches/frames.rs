//! From a stream to WebSocket frames. Bytes of the stream a second. `cargo bench --bench frames`

#[path = "support/traffic.rs"]
mod traffic;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::time::Timestamp;
use wsanalyze::websocket::{Decoder, FrameEvent, FrameSink, Masking};

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZE: usize = 32 << 20;

#[divan::bench(args = [20, 200, 2000, 65536])]
fn text_of_the_server(bencher: Bencher, payload: usize) {
    decode(bencher, Masking::Unmasked, &traffic::frame(0x81, None, &vec![b'x'; payload]));
}

#[divan::bench(args = [20, 200, 2000])]
fn text_of_the_client(bencher: Bencher, payload: usize) {
    decode(bencher, Masking::Masked, &traffic::frame(0x81, Some([1, 2, 3, 4]), &vec![b'x'; payload]));
}

#[divan::bench]
fn pings(bencher: Bencher) {
    decode(bencher, Masking::Masked, &traffic::frame(0x89, Some([1, 2, 3, 4]), b"keepalive"));
}

struct Count(u64);

impl FrameSink for Count {
    fn frame(&mut self, event: FrameEvent<'_>) {
        black_box(&event);
        self.0 += 1;
    }
}

fn decode(bencher: Bencher, masking: Masking, frame: &[u8]) {
    let stream = frame.repeat(SIZE / frame.len());
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
    bencher.counter(BytesCount::of_slice(&stream)).bench_local(|| {
        let (mut decoder, mut count, mut offset) = (Decoder::new(masking), Count(0), 0);
        for segment in stream.chunks(1448) {
            decoder.push(offset, segment, seen, &mut count);
            offset += segment.len() as u64;
        }
        black_box(count.0)
    });
}
