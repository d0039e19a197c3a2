use super::extension_stripped_by_gateway::stripped_acceptance;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, pair, trust};
use crate::websocket::Extension;
use compact_str::CompactString;

rule! {
    /// # What it finds
    /// Both legs opened a WebSocket, and what was agreed on the two is not the same: an extension that only the client's
    /// leg has, or other parameters.
    ///
    /// # Why it matters
    /// The gateway is a WebSocket endpoint of its own that compresses for one side. That is in order; it costs time
    /// there, and it explains why frames and close codes of the two legs differ.
    ///
    /// # What causes it
    /// A gateway that ends the WebSocket and opens another one, such as an API gateway or a relay.
    ///
    /// # How to fix
    /// Nothing. If a compressed frame appears on the leg without the extension, the gateway copies what it must
    /// translate.
    ///
    /// # What it does not report
    /// An acceptance that the gateway removed, which is a fault and a rule of its own.
    pub static RULE = "WS-EX-008" "extension-renegotiated-by-gateway" {
        severity: Info, category: Extension, reference: "RFC 6455 §4.2, §9.1",
        explains: [], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let (Some((_, one)), Some((_, other))) = (trust::handshake(legs.client), trust::handshake(legs.upstream))
    else {
        return;
    };
    if agreed(&one.extensions.list) == agreed(&other.extensions.list)
        || !stripped_acceptance(&legs).is_empty()
    {
        return;
    }
    let compressed = |connection: &Connection| {
        connection.frames.as_ref().map_or(0, |f| f[Role::Client].compressed + f[Role::Server].compressed)
    };
    found.push(
        pair::about(&RULE, &legs, one.seen, "gateway negotiated extensions of its own")
            .origin(Origin::Gateway)
            .blame(Blame::Nobody)
            .message(format!(
                "the two legs agreed on different extensions, so the gateway translates between them; compressed frames: {} on the client leg, {} on the upstream leg",
                compressed(legs.client),
                compressed(legs.upstream)
            ))
            .shows(one.seen, format!("client leg: {}", super::answer(one)))
            .shows(other.seen, format!("upstream leg: {}", super::answer(other)))
            .help("nothing to mend; compare the two legs before blaming either endpoint for a frame"),
    );
}

/// What an answer agrees to, whatever the order of parameters.
fn agreed(list: &[Extension]) -> Vec<(CompactString, Vec<Parameter>)> {
    let mut all: Vec<_> = list
        .iter()
        .map(|extension| {
            let mut params: Vec<_> = extension
                .params
                .iter()
                .map(|param| (param.name.to_ascii_lowercase(), param.value.clone()))
                .collect();
            params.sort();
            (extension.name.to_ascii_lowercase(), params)
        })
        .collect();
    all.sort();
    all
}

/// Name and value of a parameter, to be compared.
type Parameter = (CompactString, Option<CompactString>);

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Blame;
    use crate::rules::testing::{Scene, both};

    const PMD: &str = "permessage-deflate";

    #[test]
    fn a_gateway_that_compresses_alone_is_told() {
        let finding = both(Scene::session(PMD, PMD), Scene::session("", "")).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Nobody);
        let other = "permessage-deflate; server_max_window_bits=12";
        both(Scene::session(PMD, PMD), Scene::session(PMD, other)).finds(RULE.name);
    }

    #[test]
    fn equal_legs_and_a_removed_acceptance_are_silent() {
        both(Scene::session(PMD, PMD), Scene::session(PMD, PMD)).silent(RULE.name);
        both(Scene::session(PMD, ""), Scene::session(PMD, PMD)).silent(RULE.name);
    }
}
