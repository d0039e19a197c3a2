//! A cache of heads. Where many connections come at once, nearly all clients of a kind send the same request but for its
//! `Sec-WebSocket-Key`, and a server sends the same answer but for its `Sec-WebSocket-Accept`. Of a head that differs from a
//! cached one in that value alone, only the value is read anew.

use super::facts::{Request, Response};
use crate::capture::Seen;
use crate::http::{Head, RequestHead, ResponseHead};
use crate::limits;
use compact_str::CompactString;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The cached heads, shared by the flows of one thread. It saves time only: what is read never depends on it.
#[derive(Default)]
pub struct HeadCache(Mutex<Models>);

#[derive(Default)]
struct Models {
    requests: Rows<Request>,
    responses: Rows<Response>,
}

impl HeadCache {
    /// The facts of this request head, where only the key tells it from one that was kept.
    pub(super) fn request(&self, head: &[u8], seen: Seen) -> Option<Request> {
        self.with(|models| {
            let (Model { facts, nonce }, head) = models.requests.find(head, |request| &request.head.head)?;
            let of = &facts.head;
            Some(Request {
                seen,
                key: Some(CompactString::from_utf8_lossy(&head.raw()[nonce.clone()])),
                version: facts.version.clone(),
                subprotocols: Arc::clone(&facts.subprotocols),
                extensions: Arc::clone(&facts.extensions),
                early_data: None,
                head: RequestHead {
                    head,
                    method: of.method.clone(),
                    target: of.target.clone(),
                    version: of.version,
                },
            })
        })
    }

    /// Keeps a request that asks for nothing but an upgrade to WebSocket.
    pub(super) fn keep_request(&self, request: &Request) {
        self.with(|models| models.requests.keep(request, &request.head.head));
    }

    /// The facts of this head of a 101, by itself, where only the accept tells it from one that was kept.
    pub(super) fn response(&self, head: &[u8], seen: Seen) -> Option<Response> {
        self.with(|models| {
            let (Model { facts, .. }, head) = models.responses.find(head, |response| &response.head.head)?;
            let of = &facts.head;
            Some(Response {
                seen,
                accept_valid: None,
                subprotocol: facts.subprotocol.clone(),
                extensions: Arc::clone(&facts.extensions),
                body: Box::default(),
                head: ResponseHead {
                    head,
                    version: of.version,
                    status: of.status,
                    reason: of.reason.clone(),
                },
            })
        })
    }

    /// Keeps a 101.
    pub(super) fn keep_response(&self, response: &Response) {
        self.with(|models| models.responses.keep(response, &response.head.head));
    }

    fn with<R>(&self, task: impl FnOnce(&mut Models) -> R) -> R {
        task(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Cached heads of one kind, in rows by their length.
struct Rows<T> {
    rows: [Vec<Model<T>>; ROWS],
    /// Heads that were not found.
    missed: usize,
}

struct Model<T> {
    facts: T,
    /// Where the value lies that is another one in each head.
    nonce: Range<usize>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows { rows: std::array::from_fn(|_| Vec::new()), missed: 0 }
    }
}

impl<T: Clone> Rows<T> {
    /// A model of these bytes, and the head that they are.
    fn find(&self, bytes: &[u8], head: impl Fn(&T) -> &Head) -> Option<(&Model<T>, Head)> {
        let row = self.rows.get(bytes.len() % ROWS)?;
        row.iter().find_map(|model| Some((model, head(&model.facts).again(&model.nonce, bytes)?)))
    }

    fn keep(&mut self, facts: &T, head: &Head) {
        let len = head.raw().len();
        let Some(nonce) = head.nonce().filter(|_| len <= limits::CACHED_HEAD) else { return };
        self.missed = self.missed.wrapping_add(1);
        let missed = self.missed;
        let row = &mut self.rows[len % ROWS];
        let model = || Model { facts: facts.clone(), nonce };
        if row.len() < WAYS {
            limits::grow(row, 1);
            row.push(model());
        } else if missed.is_multiple_of(PAUSE) {
            row[missed / PAUSE % WAYS] = model();
        }
    }
}

/// Models that are looked at for one head.
const WAYS: usize = 4;

const ROWS: usize = limits::CACHED_HEADS / WAYS;

/// Heads to pass before one takes the place of another: where each is of its own kind, keeping them is in vain.
const PAUSE: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::handshake;
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    const SEEN: Seen = Seen { packet: PacketId::new(0, 7), at: Timestamp::from_nanos(5) };

    fn request(lines: &str, key: &str) -> Vec<u8> {
        format!("GET /chat HTTP/1.1\r\n{lines}Sec-WebSocket-Key: {key}\r\nX: y\r\n\r\n").into_bytes()
    }

    fn read(head: &[u8]) -> Request {
        handshake::request(RequestHead::parse(head).unwrap(), SEEN)
    }

    fn all(r: &Request) -> impl PartialEq + std::fmt::Debug + use<> {
        let Request { seen, head, key, version, subprotocols, extensions, early_data } = r.clone();
        (seen, head, key, version, subprotocols, extensions, early_data)
    }

    /// What is found of a head after another one was kept.
    fn after(kept: &[u8], head: &[u8]) -> Option<Request> {
        let cache = HeadCache::default();
        cache.keep_request(&read(kept));
        cache.request(head, SEEN)
    }

    const KEYS: [&str; 2] = ["dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAA/+=="];

    #[test]
    fn a_head_that_differs_in_its_key_alone_is_known() {
        let [one, two] = KEYS.map(|key| request("Sec-WebSocket-Protocol: a, b\r\n", key));
        let cache = after(&one, &two).unwrap();
        assert_eq!(all(&cache), all(&read(&two)));
        assert_eq!(cache.key.as_deref(), Some(KEYS[1]));
    }

    #[test]
    fn a_head_that_differs_elsewhere_is_not() {
        let one = request("A: 1\r\n", KEYS[0]);
        for (lines, key) in [
            ("A: 2\r\n", KEYS[1]),
            ("A: 1\r\n", "short"),
            ("A: 1\r\n", "dGhlIHNhbXBs\r\nZ: jZQ==:"),
            ("A: 1\r\n", " GhlIHNhbXBsZSBub25jZQ=="),
            ("A: 1\r\n", "dGhlIHNhbXBs,SBub25jZQ=="),
            ("B: 1\r\n", KEYS[0]),
        ] {
            assert!(after(&one, &request(lines, key)).is_none(), "{lines:?} {key:?}");
        }
        let mut cut = request("A: 1\r\n", KEYS[1]);
        cut.pop();
        assert!(after(&one, &cut).is_none());
    }

    #[test]
    fn a_head_is_no_model_where_its_key_is_there_twice_or_never() {
        for lines in ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "sec-websocket-key: x\r\n"] {
            let head = request(lines, KEYS[0]);
            assert!(after(&head, &head).is_none());
        }
        let none = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        assert!(after(none, none).is_none());
    }

    #[test]
    fn an_answer_that_differs_in_its_accept_alone_is_known_but_not_whether_it_is_valid() {
        let head = |accept| {
            let lines =
                "Upgrade: websocket\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Extensions: x;y\r\n";
            format!("HTTP/1.1 101 Switching Protocols\r\n{lines}Sec-WebSocket-Accept: {accept}\r\n\r\n")
        };
        let read = |head: &str| handshake::response(ResponseHead::parse(head.as_bytes()).unwrap(), SEEN);
        let cache = HeadCache::default();
        cache.keep_response(&read(&head("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
        let two = head("AAAALMBiTxaQ9kYGzzhZRbK+xOo=");
        let (one, other) = (cache.response(two.as_bytes(), SEEN).unwrap(), read(&two));
        assert_eq!(
            (&one.head, &one.accept(), &one.subprotocol),
            (&other.head, &other.accept(), &other.subprotocol)
        );
        assert_eq!((&one.extensions, one.accept_valid, &one.body), (&other.extensions, None, &other.body));
    }

    #[test]
    fn so_many_heads_are_kept_and_none_longer_than_that() {
        let cache = HeadCache::default();
        let most = 100 * limits::CACHED_HEADS;
        let head = |n: usize, key| request(&format!("A: {}\r\nB: {n}\r\n", "x".repeat(n % 200)), key);
        (0..most).for_each(|n| cache.keep_request(&read(&head(n, KEYS[0]))));
        let kept = (0..most).filter(|&n| cache.request(&head(n, KEYS[1]), SEEN).is_some()).count();
        assert_eq!(kept, limits::CACHED_HEADS);
        let [long, too_long] = [0, 1].map(|more| {
            let rest = request("A: \r\n", KEYS[0]).len();
            request(&format!("A: {}\r\n", "x".repeat(limits::CACHED_HEAD + more - rest)), KEYS[0])
        });
        assert_eq!(long.len(), limits::CACHED_HEAD);
        assert!(after(&long, &long).is_some() && after(&too_long, &too_long).is_none());
    }

    proptest! {
        #[test]
        fn what_is_known_is_what_would_be_read(
            lines in proptest::collection::vec("[A-Za-z-]{0,12} ?:?[ -~\t]{0,20}\r?\n?", 0..6),
            keys in ("[A-Za-z0-9+/=]{1,30}", "[A-Za-z0-9+/=:, \r\n]{1,30}"),
        ) {
            let [one, two] = [&keys.0, &keys.1].map(|key| request(&lines.concat(), key));
            let parse = |head: &[u8]| RequestHead::parse(head).map(|head| handshake::request(head, SEEN));
            if let Some(kept) = parse(&one) {
                let cache = HeadCache::default();
                cache.keep_request(&kept);
                if let Some(cache) = cache.request(&two, SEEN) {
                    prop_assert_eq!(Some(all(&cache)), parse(&two).as_ref().map(all));
                }
            }
        }
    }
}
