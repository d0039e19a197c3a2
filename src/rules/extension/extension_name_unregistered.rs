use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Finding, quote, trust};
use crate::websocket::Extensions;

rule! {
    /// # What it finds
    /// An extension name that is not in the IANA registry.
    ///
    /// # Why it matters
    /// Modern servers decline what they do not know, so the offer has no effect. A name of a draft also dates the
    /// client.
    ///
    /// # What causes it
    /// Old browsers (`x-webkit-deflate-frame` came from early Safari), drafts that became permessage-deflate
    /// (`deflate-frame`, `permessage-compress`), or a private experiment between two ends that know each other.
    ///
    /// # How to fix
    /// Update the client, or leave it if both ends are yours.
    ///
    /// # What it does not report
    /// `permessage-deflate` and `bbf-usp-protocol`, the registered ones. A name that was registered since is told all the
    /// same, which is why this is no more than information.
    pub static RULE = "WS-EX-014" "extension-name-unregistered" {
        severity: Info, category: Extension, reference: "RFC 6455 §9.1, §11.4",
        explains: [], asked_on: [Extension], check: Check::Connection(check),
    }
}

const REGISTERED: [&str; 2] = ["permessage-deflate", "bbf-usp-protocol"];

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let offer = connection.request.as_ref().and_then(|request| {
        let names = unregistered(&request.extensions)?;
        Some((Role::Client, request.seen, names, super::offer(request)))
    });
    let answer = || {
        let response = connection.response.as_ref().filter(|_| trust::switched(connection))?;
        let names = unregistered(&response.extensions)?;
        Some((Role::Server, response.seen, names, super::answer(response)))
    };
    // Once is enough: what was offered is often accepted, too.
    let Some((from, seen, names, line)) = offer.or_else(answer) else { return };
    found.push(
        Finding::new(&RULE, seen, "extension name that is not registered")
            .origin(from)
            .blame(Blame::Nobody)
            .message(format!(
                "the {} names {}, which IANA does not list",
                from.name(),
                quote::short(&quote::list(&names))
            ))
            .shows(seen, line)
            .help("expect such an extension to work only between ends that were made for it"),
    );
}

fn unregistered(extensions: &Extensions) -> Option<Vec<&str>> {
    let is_unknown = |name: &&str| !REGISTERED.iter().any(|known| known.eq_ignore_ascii_case(name));
    let names = extensions.list.iter().map(|extension| extension.name.as_str());
    let mut names: Vec<&str> = names.filter(is_unknown).collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::Scene;

    #[test]
    fn a_private_name_is_told_once() {
        let finding = Scene::session("x-mux; max=4, permessage-deflate", "x-mux").finds(RULE.name);
        assert!(finding.message.contains("x-mux") && !finding.message.contains("permessage"));
        assert_eq!(finding.evidence.len(), 1);
    }

    #[test]
    fn registered_names_are_silent() {
        Scene::session("permessage-deflate, bbf-usp-protocol", "").silent(RULE.name);
    }
}
