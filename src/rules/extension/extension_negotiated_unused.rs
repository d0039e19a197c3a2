use crate::connection::{Connection, LARGE};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote, trust};

rule! {
    /// # What it finds
    /// permessage-deflate was agreed, and one side sent at least 20 messages of 1 KiB or more, none of them compressed.
    ///
    /// # Why it matters
    /// The negotiation succeeded and nobody gains by it: both sides may hold memory for compression that is not used.
    ///
    /// # What causes it
    /// A size threshold, a mode that saves processor time, a program that sends compressed data anyway, or a framework
    /// that only echoes the field.
    ///
    /// # How to fix
    /// Look at the sender's options: `threshold` of ws, which counts only where that side keeps no context
    /// (`serverNoContextTakeover`, in a client `clientNoContextTakeover`), `EnableWriteCompression` of gorilla, and whether
    /// the library implements the extension at all. Or do not offer
    /// it.
    ///
    /// # What it does not report
    /// Sides of which bytes are missing, and those that sent few or only small messages. Compression is chosen message by
    /// message, so nothing here is wrong.
    pub static RULE = "WS-EX-006" "extension-negotiated-unused" {
        severity: Info, category: Extension, reference: "RFC 7692 §6",
        explains: [], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((_, response)) = trust::handshake(connection) else { return };
    let Some(frames) = &connection.frames else { return };
    let agreed = response.extensions.get(DEFLATE).is_some();
    for role in Role::BOTH.into_iter().filter(|_| agreed) {
        let side = &frames[role];
        let lossy = trust::doubt(connection, role).is_some();
        let (Some(last), 0, false) = (side.last.filter(|_| side.large >= MANY), side.compressed, lossy)
        else {
            continue;
        };
        let name = role.name();
        found.push(
            Finding::new(&RULE, last, format!("{DEFLATE} agreed and never used by the {name}"))
                .origin(role)
                .blame(role)
                .message(format!(
                    "the {name} sent {} messages, {} of them of {LARGE} bytes or more, and compressed none of them",
                    side.messages, side.large
                ))
                .shows(response.seen, super::answer(response))
                .shows(last, format!("last of {} sent by the {name} without RSV1", quote::bytes(side.payload_bytes)))
                .help(format!("look at the compression options of the {name}: threshold, mode, or whether its library compresses at all")),
        );
    }
}

const DEFLATE: &str = "permessage-deflate";

/// Messages after which a mere threshold is unlikely.
const MANY: u64 = 20;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::role::Role::{self, Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};

    fn sent(scene: Scene, from: Role, large: u64) -> Scene {
        scene
            .messages(from, large)
            .with(|c: &mut Connection| c.frames.get_or_insert_default()[from].large = large)
    }

    #[test]
    fn large_messages_without_compression_are_information() {
        let finding =
            sent(Scene::session("permessage-deflate", "Permessage-Deflate"), Server, 25).finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Server));
        assert!(finding.message.contains("25 of them"));
    }

    #[test]
    fn few_compressed_lossy_and_declined_are_silent() {
        let session = || Scene::session("permessage-deflate", "permessage-deflate");
        sent(session(), Server, 19).silent(RULE.name);
        sent(session(), Server, 25).compressed(Server).silent(RULE.name);
        sent(session(), Client, 25).gap(Client).silent(RULE.name);
        sent(Scene::session("permessage-deflate", ""), Server, 25).silent(RULE.name);
    }
}
