//! Any bytes as heads and bodies of HTTP: no panic, and the same whether they come at once or in two pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::http::{BodyReader, HeadProgress, HeadReader, RequestHead, ResponseHead};
use wsanalyze::http::{looks_like, proxy_header, redacted_target, socks};

/// The first head, and how many bytes were used for it; nothing where it does not end.
fn head(pieces: &[&[u8]]) -> Option<(Vec<u8>, usize)> {
    let (mut reader, mut before) = (HeadReader::default(), 0);
    for piece in pieces {
        match reader.push(piece) {
            HeadProgress::More => before += piece.len(),
            HeadProgress::TooLong => return None,
            HeadProgress::Complete { head, consumed } => return Some((head.to_vec(), before + consumed)),
        }
    }
    None
}

fn body(mut reader: BodyReader, pieces: &[&[u8]]) -> (Vec<u8>, bool, bool) {
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece, &mut |part| all.extend_from_slice(part));
    }
    (all, reader.is_done(), reader.is_lost())
}

fuzz_target!(|data: &[u8]| {
    let [cut, data @ ..] = data else { return };
    let _ = (looks_like(data), proxy_header(data));
    let at = (usize::from(*cut) * 7).min(data.len());
    let (first, second) = data.split_at(at);
    let _ = socks(first, second);
    let whole = head(&[data]);
    assert_eq!(whole, head(&[first, second]));
    let Some((raw, used)) = whole else { return };
    let rest = &data[used..];
    let (first, second) = rest.split_at(at.min(rest.len()));
    if let Some(request) = RequestHead::parse(&raw) {
        let _ = (request.shows_websocket_intent(), request.is_upgrade(), request.head.verdict());
        let _ = (redacted_target(&request.target), request.head.oddities().len());
        let reader = || BodyReader::new(request.body());
        assert_eq!(body(reader(), &[rest]), body(reader(), &[first, second]));
    }
    if let Some(response) = ResponseHead::parse(&raw) {
        let _ = response.head.verdict();
        let reader = || BodyReader::new(response.body("GET"));
        assert_eq!(body(reader(), &[rest]), body(reader(), &[first, second]));
    }
});
