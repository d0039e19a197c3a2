//! Extensions: offers, answers, and what became of them.

pub(super) mod close_1010_from_server;
pub(super) mod close_1010_mandatory_extension;
pub(super) mod compressed_message_undecodable;
pub(super) mod extension_accepted_not_offered;
pub(super) mod extension_header_malformed;
pub(super) mod extension_name_unregistered;
pub(super) mod extension_negotiated_unused;
pub(super) mod extension_offer_illegal;
pub(super) mod extension_offered_not_accepted;
pub(super) mod extension_renegotiated_by_gateway;
pub(super) mod extension_response_params_illegal;
pub(super) mod extension_stripped_by_gateway;
pub(super) mod rsv1_without_extension;
pub(super) mod rsv_bits_misused;

pub(super) use extension_stripped_by_gateway::{stripped_acceptance, stripped_offers};

use super::negotiation::DEFLATE;
use super::{Blame, Confidence, Context, quote};
use crate::connection::{Connection, Request, Response};
use crate::gateway;

const FIELD: &str = "Sec-WebSocket-Extensions";

/// The offer as written.
fn offer(request: &Request) -> String {
    format!("offered {}", quote::field_or_none(&request.head.head, FIELD))
}

/// The answer as written.
fn answer(response: &Response) -> String {
    format!("{} with {}", response.head.status, quote::field_or_none(&response.head.head, FIELD))
}

/// What became of the same offer in other sessions of the server, where some of them got what this one did not.
fn elsewhere(connection: &Connection, context: &Context<'_>, missing: &[&str]) -> String {
    if !missing.contains(&DEFLATE) {
        return String::new();
    }
    match context.census.deflate(connection.tcp.server) {
        (0, _) => String::new(),
        (got, all) => format!(
            "; {got} of {all} sessions of this server that offered {DEFLATE} got it, so it depends on the path, the client, or the way to the server"
        ),
    }
}

/// By which setting the server compresses, in brackets, where it names itself in its answer and does not.
fn setting(connection: &Connection, missing: &[&str]) -> String {
    let server = connection.response.as_ref().and_then(|response| response.head.head.text("Server"));
    let server = server.filter(|_| missing.contains(&DEFLATE)).unwrap_or_default();
    let known = SETTINGS.iter().find(|(name, _)| server.contains(name));
    known.map_or(String::new(), |(_, setting)| format!(" ({setting})"))
}

/// Of Cowboy 2.8 seen, of the others read in the source of uvicorn 0.54, Daphne 4.2, Tornado 6.6, aiohttp 3.14 and websockets 17.
const SETTINGS: [(&str, &str); 6] = [
    ("Cowboy", "compress => true of Cowboy"),
    ("uvicorn", "--ws-per-message-deflate of uvicorn"),
    ("daphne", "which Daphne cannot"),
    ("TornadoServer", "get_compression_options of Tornado's WebSocketHandler"),
    ("aiohttp", "compress of aiohttp's WebSocketResponse"),
    ("websockets/", "compression of Python's websockets"),
];

/// What stands on the server's side, as far as the answer shows.
struct Side {
    blame: Blame,
    name: &'static str,
    /// Its answer, before the status: whose it is does not show where it came through a gateway.
    answered: &'static str,
    advice: &'static str,
    confidence: Confidence,
}

impl Side {
    fn of(connection: &Connection) -> Side {
        let response = connection.response.as_ref();
        match response.and_then(|response| gateway::relay(&response.head, &response.body)) {
            Some(_) => Side {
                blame: Blame::Upstream,
                name: "server behind the gateway",
                answered: "through the gateway came",
                advice: "; check, too, that the gateway forwards Sec-WebSocket-Extensions in both directions",
                // The gateway itself may have removed the field; only its other side can show.
                confidence: Confidence::Likely,
            },
            None => Side {
                blame: Blame::Server,
                name: "server",
                answered: "the server answered",
                advice: "; if a gateway stands before the server, check that it forwards Sec-WebSocket-Extensions",
                confidence: Confidence::Certain,
            },
        }
    }
}
