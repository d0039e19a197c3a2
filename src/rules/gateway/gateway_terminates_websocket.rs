use crate::connection::Connection;
use crate::legs::Passage;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, pair};

rule! {
    /// # What it finds
    /// A gateway that is a WebSocket endpoint on both of its legs: other masking keys, or a handshake key of its own.
    ///
    /// # Why it matters
    /// It tells who can have made a Close. Behind a gateway that copies bytes every Close came from an endpoint; this one
    /// can make and rewrite them, and compress, fragment or answer pings by itself.
    ///
    /// # What causes it
    /// Its kind: API gateways, relays, bridges and inspecting proxies work so.
    ///
    /// # How to fix
    /// Nothing. Read its log together with those of the programs.
    ///
    /// # What it does not report
    /// Gateways that copy bytes, and pairs that show too little to tell.
    pub static RULE = "WS-GW-012" "gateway-terminates-websocket" {
        severity: Info, category: Gateway, reference: "RFC 6455 §5.3",
        explains: [], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs.filter(|legs| legs.pair.passage == Passage::Terminating) else { return };
    let mask = |connection: &Connection| {
        let frames = connection.frames.as_ref()?;
        let mask = frames.client.opening.first()?.mask?;
        Some((frames.client.first?, format!("first masking key {:08x}", u32::from_be_bytes(mask))))
    };
    let key = |connection: &Connection| {
        let request = connection.request.as_ref()?;
        Some((request.seen, format!("Sec-WebSocket-Key: {}", request.key.as_ref()?)))
    };
    let samples =
        mask(legs.client).zip(mask(legs.upstream)).or_else(|| key(legs.client).zip(key(legs.upstream)));
    let Some(((one, first), (other, second))) = samples else { return };
    found.push(
        pair::about(&RULE, &legs, one, "gateway speaks WebSocket itself")
            .origin(Origin::Gateway)
            .blame(Blame::Nobody)
            .message("the gateway opens a WebSocket of its own to the upstream, so it can make and rewrite Close frames")
            .shows(one, format!("client leg: {first}"))
            .shows(other, format!("upstream leg: {second}"))
            .help("nothing to mend; read the gateway's log together with those of the two programs"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::OpeningFrame;
    use crate::role::Role::Client;
    use crate::rules::testing::{ANSWER, KEY, REQUEST, Scene, both};

    #[test]
    fn a_key_of_its_own_shows_an_endpoint() {
        let other = REQUEST.replace(KEY, "AQIDBAUGBwgJCgsMDQ4PEA==");
        both(Scene::tcp().request(REQUEST), Scene::tcp().request(&other)).finds(RULE.name);
    }

    #[test]
    fn the_same_key_is_silent_and_so_are_the_same_masks_under_another() {
        let masked = |scene: Scene| {
            scene.messages(Client, 1).with(|connection| {
                let frame = OpeningFrame { head: 0x81, len: 5, mask: Some([0x9d, 0x2c, 0x11, 0xfa]) };
                connection.frames.get_or_insert_default().client.opening = vec![frame];
            })
        };
        let other = REQUEST.replace(KEY, "AQIDBAUGBwgJCgsMDQ4PEA==");
        let upstream = Scene::tcp().request(&other).answer(ANSWER, "");
        both(masked(Scene::session("", "")), masked(upstream)).silent(RULE.name);
        both(Scene::tcp().request(REQUEST), Scene::tcp().request(REQUEST)).silent(RULE.name);
    }
}
