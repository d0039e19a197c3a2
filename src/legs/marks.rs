//! What passes through a gateway and makes two connections known as one session.

use super::Means;
use crate::connection::{Connection, Glimpse};
use crate::limits;
use crate::net::Endpoint;
use crate::websocket::Opcode;

/// The means that work by equal marks, the strongest first.
pub(super) const BY_MARK: [Means; 6] =
    [Means::ProxyProtocol, Means::Key, Means::Accept, Means::MaskingKeys, Means::TraceHeader, Means::Content];

/// The marks of one kind that a connection bears. Two legs of one session share at least one.
pub(super) fn of(connection: &Connection, means: Means) -> Vec<Vec<u8>> {
    match means {
        Means::ProxyProtocol => proxied(connection),
        Means::Key => key(connection),
        Means::Accept => accept(connection),
        Means::MaskingKeys => masks(connection),
        Means::TraceHeader => traces(connection),
        Means::Content => content(connection),
        Means::Forwarded | Means::Timing => Vec::new(),
    }
}

/// The endpoint that a client leg has as its client, and an upstream leg in its PROXY protocol header.
fn proxied(connection: &Connection) -> Vec<Vec<u8>> {
    let source = connection.proxied.map_or(connection.tcp.client, |(source, _)| source);
    vec![endpoint(source)]
}

fn endpoint(endpoint: Endpoint) -> Vec<u8> {
    endpoint.to_string().into_bytes()
}

fn key(connection: &Connection) -> Vec<Vec<u8>> {
    let key = connection.request.as_ref().and_then(|request| request.key.as_ref());
    key.filter(|key| !key.is_empty()).map(|key| key.clone().into_bytes()).into_iter().collect()
}

fn accept(connection: &Connection) -> Vec<Vec<u8>> {
    let accept = connection.response.as_ref().and_then(|response| response.accept.as_ref());
    accept.filter(|accept| !accept.is_empty()).map(|a| a.clone().into_bytes()).into_iter().collect()
}

/// Every two masking keys in a row: 64 random bits, wherever the capture begins. A lone frame gives its key with its
/// length. Keys that are zero or repeat are no proof of anything.
fn masks(connection: &Connection) -> Vec<Vec<u8>> {
    let Some(frames) = &connection.frames else { return Vec::new() };
    let opening = &frames.client.opening;
    let random = |frame: &Glimpse| frame.mask.filter(|mask| *mask != [0; 4]);
    if let [only] = opening.as_slice() {
        return random(only).map(|mask| [&mask[..], &only.len.to_be_bytes()].concat()).into_iter().collect();
    }
    opening
        .windows(2)
        .filter_map(|pair| {
            let [one, other] = pair else { return None };
            let (one, other) = (random(one)?, random(other)?);
            (one != other).then(|| [one, other].concat())
        })
        .collect()
}

/// Identifiers that gateways make and pass on. CF-RAY stands in the answer of the client leg and in the request of the
/// upstream leg, so both heads are read.
fn traces(connection: &Connection) -> Vec<Vec<u8>> {
    let heads = connection
        .request
        .iter()
        .map(|request| &request.head.head)
        .chain(connection.response.iter().map(|response| &response.head.head));
    let mut marks: Vec<Vec<u8>> = Vec::new();
    for head in heads {
        for name in TRACE_FIELDS {
            let Some(value) = head.text(name) else { continue };
            // traceparent: version-traceid-parentid-flags; every hop has its own parent id. X-Amzn-Trace-Id: Root=…
            let id = match name {
                "traceparent" => value.split('-').nth(1).unwrap_or_default().to_owned(),
                "X-Amzn-Trace-Id" => value
                    .split(';')
                    .find_map(|part| part.trim().strip_prefix("Root="))
                    .unwrap_or_default()
                    .to_owned(),
                _ => value,
            };
            let mark = id.to_ascii_lowercase().into_bytes();
            if mark.len() >= SHORTEST_ID && mark.len() <= limits::BODY_QUOTE && !marks.contains(&mark) {
                marks.push(mark);
            }
        }
    }
    marks
}

const TRACE_FIELDS: [&str; 10] = [
    "X-Request-ID",
    "X-Correlation-ID",
    "traceparent",
    "X-B3-TraceId",
    "X-Amzn-Trace-Id",
    "X-Amz-Cf-Id",
    "CF-RAY",
    "X-Cloud-Trace-Context",
    "X-Azure-Ref",
    "Fly-Request-Id",
];

/// Characters of an identifier that is not there twice by chance.
const SHORTEST_ID: usize = 8;

/// Opcode and length of the first three data frames each way, where neither way is compressed. Re-masking changes none
/// of it.
fn content(connection: &Connection) -> Vec<Vec<u8>> {
    let Some(frames) = &connection.frames else { return Vec::new() };
    if connection.quality.late_start {
        return Vec::new();
    }
    let mut mark = Vec::new();
    for side in [&frames.client, &frames.server] {
        let is_data =
            |frame: &&Glimpse| matches!(frame.opcode, Opcode::Text | Opcode::Binary | Opcode::Continuation);
        let data: Vec<&Glimpse> = side.opening.iter().filter(is_data).take(MESSAGES).collect();
        if data.len() < MESSAGES || data.iter().any(|frame| frame.compressed) {
            return Vec::new();
        }
        for frame in data {
            mark.extend([u8::from(frame.opcode == Opcode::Text), u8::from(frame.opcode == Opcode::Binary)]);
            mark.push(u8::from(frame.fin));
            mark.extend(frame.len.to_be_bytes());
        }
    }
    vec![mark]
}

/// Data frames each way that must agree.
const MESSAGES: usize = 3;
