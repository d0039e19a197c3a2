//! Heads of HTTP/1.1 requests and answers. Bytes of the heads a second. `cargo bench --bench heads`

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use wsanalyze::http::{HeadProgress, HeadReader, RequestHead, ResponseHead};

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// As a browser asks.
const REQUEST: &[u8] = b"GET /chat?room=7 HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/130.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://example.org\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nServer: nginx\r\nConnection: upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[divan::bench]
fn request(bencher: Bencher) {
    read(bencher, REQUEST, REQUEST.len(), |head| RequestHead::parse(head).is_some());
}

#[divan::bench]
fn request_in_small_pieces(bencher: Bencher) {
    read(bencher, REQUEST, 16, |head| RequestHead::parse(head).is_some());
}

#[divan::bench]
fn response(bencher: Bencher) {
    read(bencher, RESPONSE, RESPONSE.len(), |head| ResponseHead::parse(head).is_some());
}

fn read(bencher: Bencher, head: &[u8], piece: usize, parse: impl Fn(&[u8]) -> bool + Sync) {
    bencher.counter(BytesCount::of_slice(head)).bench(|| {
        let mut reader = HeadReader::default();
        for bytes in black_box(head).chunks(piece) {
            if let HeadProgress::Complete { head, .. } = reader.push(bytes) {
                assert!(parse(head));
            }
        }
    });
}
