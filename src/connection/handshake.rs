//! The WebSocket fields of a request and its answer, and whether a client may accept the answer (RFC 6455 §4.1).

use super::facts::{Outcome, Request, Response};
use crate::capture::Seen;
use crate::http::{RequestHead, ResponseHead};
use crate::websocket::{Extensions, Subprotocols, accept_for};
use std::sync::Arc;

/// The facts of a request with WebSocket intent.
pub(super) fn request(head: RequestHead, seen: Seen) -> Request {
    let fields = &head.head;
    Request {
        seen,
        key: fields.text("sec-websocket-key"),
        version: fields.text("sec-websocket-version"),
        subprotocols: Arc::new(Subprotocols::parse(fields.values("sec-websocket-protocol"))),
        extensions: Arc::new(Extensions::parse(fields.values("sec-websocket-extensions"))),
        early_data: None,
        head,
    }
}

/// The facts of a final answer, by itself.
pub(super) fn response(head: ResponseHead, seen: Seen) -> Response {
    let fields = &head.head;
    Response {
        seen,
        accept_valid: None,
        subprotocol: fields.text("sec-websocket-protocol"),
        extensions: Arc::new(Extensions::parse(fields.values("sec-websocket-extensions"))),
        body: Box::default(),
        head,
    }
}

/// The same of the answer to this request.
pub(super) fn answer(response: Response, request: Option<&Request>) -> Response {
    let key = request.and_then(|request| request.head.head.field("sec-websocket-key"));
    let fields = &response.head.head;
    // A repeated field (§11.3.3 forbids it) is valid only where each of its values is. Key and answer may be as long as
    // heads: what answers the key is made once.
    let accepts = |key| {
        let expected = accept_for(key);
        fields.values("sec-websocket-accept").all(|accept| accept.trim_ascii() == expected.as_bytes())
    };
    let accept_valid = fields.field("sec-websocket-accept").and(key).map(accepts);
    Response { accept_valid, ..response }
}

/// Whether a conforming client goes on after this 101, as far as the capture shows both messages.
pub(super) fn judge(request: Option<&Request>, response: &Response) -> Outcome {
    let fields = &response.head.head;
    let switches = fields.names_websocket() && fields.names_upgrade();
    let accepts = fields.count("sec-websocket-accept");
    let offered = request.is_none_or(|request| fits_offer(request, response));
    let valid = switches && accepts == 1 && response.accept_valid != Some(false) && offered;
    if valid { Outcome::Established } else { Outcome::Invalid }
}

/// The same of a 2xx on HTTP/2, where nothing but extensions and subprotocol is negotiated (RFC 8441 §5).
pub(super) fn judge_offer(request: &Request, response: &Response) -> Outcome {
    if fits_offer(request, response) { Outcome::Established } else { Outcome::Invalid }
}

/// Whether extensions and subprotocol of an answer are among those that were offered.
fn fits_offer(request: &Request, response: &Response) -> bool {
    let extensions = response.extensions.list.iter().all(|accepted| request.offers_extension(&accepted.name));
    // An empty value selects nothing (§4.2.2 calls it illegal, clients take it as absent).
    let subprotocol = response.subprotocol.as_ref().filter(|chosen| !chosen.is_empty());
    extensions && subprotocol.is_none_or(|chosen| request.offers_subprotocol(chosen))
}

/// Whether a second copy of stream bytes differs from `kept`, which begins at `start` of the stream.
pub(super) fn differs(start: u64, kept: &[u8], offset: u64, copy: &[u8]) -> bool {
    let (kept, copy) = if offset >= start {
        let skip = usize::try_from(offset - start).unwrap_or(usize::MAX);
        (kept.get(skip..).unwrap_or_default(), copy)
    } else {
        let skip = usize::try_from(start - offset).unwrap_or(usize::MAX);
        (kept, copy.get(skip..).unwrap_or_default())
    };
    kept.iter().zip(copy).any(|(a, b)| a != b)
}
