//! What passes through a gateway and makes two connections known as one session.

use super::Means;
use crate::connection::{Connection, OpeningFrame};
use crate::http::FieldName;
use crate::limits;
use crate::net::Endpoint;
use crate::websocket::Opcode;
use std::net::IpAddr;

/// The means that work by equal marks, the strongest first.
pub(super) const BY_MARK: [Means; 6] =
    [Means::ProxyProtocol, Means::Key, Means::Accept, Means::MaskingKeys, Means::TraceHeader, Means::Content];

/// Tells the marks of one kind that a connection bears. Two legs of one session share at least one.
pub(super) fn each(connection: &Connection, means: Means, tell: &mut impl FnMut(&[u8])) {
    match means {
        Means::ProxyProtocol => proxied(connection, tell),
        Means::Key => {
            let key = connection.request.as_ref().and_then(|request| request.key.as_ref());
            key.filter(|key| !key.is_empty()).into_iter().for_each(|key| tell(key.as_bytes()));
        }
        Means::Accept => {
            let head = connection.response.as_ref().map(|response| &response.head.head);
            let accept = head.and_then(|head| head.field("sec-websocket-accept"));
            accept.filter(|accept| !accept.is_empty()).into_iter().for_each(tell);
        }
        Means::MaskingKeys => masks(connection, tell),
        Means::TraceHeader => traces(connection, tell),
        Means::Content => content(connection, tell),
        Means::Forwarded | Means::Timing => {}
    }
}

/// The endpoint that a client leg has as its client, and an upstream leg in its PROXY protocol header.
fn proxied(connection: &Connection, tell: &mut impl FnMut(&[u8])) {
    let Endpoint { ip, port } =
        connection.proxied.as_ref().map_or(connection.tcp.client, |addresses| addresses.0);
    let [high, low] = port.to_be_bytes();
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            tell(&[a, b, c, d, high, low]);
        }
        IpAddr::V6(ip) => {
            let mut mark = [high; 18];
            mark[1] = low;
            mark[2..].copy_from_slice(&ip.octets());
            tell(&mark);
        }
    }
}

/// Every two masking keys in a row: 64 random bits, wherever the capture begins. A lone frame gives its key with its
/// length. Keys that are zero or repeat are no proof of anything.
fn masks(connection: &Connection, tell: &mut impl FnMut(&[u8])) {
    let Some(frames) = &connection.frames else { return };
    let opening = &frames.client.opening;
    let random = |frame: &OpeningFrame| frame.mask.filter(|mask| *mask != [0; 4]);
    if let [only] = opening.as_slice() {
        if let Some([a, b, c, d]) = random(only) {
            let [e, f, g, h, i, j, k, l] = only.len.to_be_bytes();
            tell(&[a, b, c, d, e, f, g, h, i, j, k, l]);
        }
        return;
    }
    for (one, other) in opening.iter().zip(opening.iter().skip(1)) {
        if let (Some(one), Some(other)) = (random(one), random(other))
            && one != other
        {
            let ([a, b, c, d], [e, f, g, h]) = (one, other);
            tell(&[a, b, c, d, e, f, g, h]);
        }
    }
}

/// Identifiers that gateways make and pass on. CF-RAY stands in the answer of the client leg and in the request of the
/// upstream leg, so both heads are read.
fn traces(connection: &Connection, tell: &mut impl FnMut(&[u8])) {
    let request = connection.request.iter().map(|request| &request.head.head);
    let heads = request.chain(connection.response.iter().map(|response| &response.head.head));
    for head in heads {
        for name in TRACE_FIELDS {
            let Some(value) = head.text(name) else { continue };
            // traceparent: version-traceid-parentid-flags; every hop has its own parent id. X-Amzn-Trace-Id: Root=…
            let id = match name.text() {
                "traceparent" => value.split('-').nth(1).unwrap_or_default(),
                "X-Amzn-Trace-Id" => {
                    let root = value.split(';').find_map(|part| part.trim().strip_prefix("Root="));
                    root.unwrap_or_default()
                }
                _ => &value,
            };
            if (SHORTEST_ID..=limits::BODY_QUOTE).contains(&id.len()) {
                tell(id.to_ascii_lowercase().as_bytes());
            }
        }
    }
}

const TRACE_FIELDS: [FieldName<'_>; 10] = [
    FieldName::new("X-Request-ID"),
    FieldName::new("X-Correlation-ID"),
    FieldName::new("traceparent"),
    FieldName::new("X-B3-TraceId"),
    FieldName::new("X-Amzn-Trace-Id"),
    FieldName::new("X-Amz-Cf-Id"),
    FieldName::new("CF-RAY"),
    FieldName::new("X-Cloud-Trace-Context"),
    FieldName::new("X-Azure-Ref"),
    FieldName::new("Fly-Request-Id"),
];

/// Characters of an identifier that is not there twice by chance.
const SHORTEST_ID: usize = 8;

/// Opcode, length and first bytes of the first three data frames each way, where neither way is compressed. Re-masking
/// changes none of it.
fn content(connection: &Connection, tell: &mut impl FnMut(&[u8])) {
    let Some(frames) = &connection.frames else { return };
    if connection.quality.late_start {
        return;
    }
    let mut mark = [0; 2 * (MESSAGES * GLIMPSE + WORDS)];
    let (glimpses, words) = mark.split_at_mut(2 * MESSAGES * GLIMPSE);
    let mut rest = glimpses.chunks_exact_mut(GLIMPSE);
    for side in [&frames.client, &frames.server] {
        let is_data = |frame: &&OpeningFrame| {
            matches!(frame.opcode(), Opcode::Text | Opcode::Binary | Opcode::Continuation)
        };
        let mut data = side.opening.iter().filter(is_data);
        for _ in 0..MESSAGES {
            let (Some(frame), Some(place)) =
                (data.next().filter(|frame| !frame.is_compressed()), rest.next())
            else {
                return;
            };
            place[0] = u8::from(frame.opcode() == Opcode::Text);
            place[1] = u8::from(frame.opcode() == Opcode::Binary);
            place[2] = u8::from(frame.fin());
            place[3..].copy_from_slice(&frame.len.to_be_bytes());
        }
    }
    for (place, side) in words.chunks_exact_mut(WORDS).zip([&frames.client, &frames.server]) {
        place.copy_from_slice(&side.words.to_be_bytes());
    }
    tell(&mark);
}

/// Data frames each way that must agree.
const MESSAGES: usize = limits::WORDS as usize;

/// Bytes of a mark for what they begin with.
const WORDS: usize = size_of::<u64>();

/// Bytes of a mark for each of them.
const GLIMPSE: usize = 3 + size_of::<u64>();
