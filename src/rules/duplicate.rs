//! What a duplicate of a connection adds to the first copy, where both sides of an address translation were captured.

use super::{Evidence, Finding};
use crate::connection::Connection;

/// Folds what the rules say of the duplicate into what they say of the first: a fault that both show is told once, and
/// concerns the second as well. Gives what only the second one shows.
pub fn fold_duplicate(
    first: &Connection,
    found: &mut [Finding],
    second: &Connection,
    again: Vec<Finding>,
) -> Vec<Finding> {
    let mut rest = Vec::new();
    for finding in again {
        let same = found.iter_mut().find(|root| {
            std::iter::once(&**root).chain(&root.consequences).any(|told| told.rule.code == finding.rule.code)
        });
        match same {
            Some(same) if !same.related.contains(&second.serial) => {
                same.related.push(second.serial);
                let (tcp, place) = (&second.tcp, second.first.packet);
                let text = format!(
                    "the same connection on the other side of an address translation: {} to {}, where this is {} to {}",
                    tcp.client, tcp.server, first.tcp.client, first.tcp.server
                );
                same.evidence.push(Evidence { packet: place, text });
                same.evidence.sort_by_key(|evidence| evidence.packet);
            }
            Some(_) => {}
            None => rest.push(finding),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::fold_duplicate;
    use crate::connection::Connection;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Context, Finding, judge};

    fn judged(scene: Scene) -> (Connection, Vec<Finding>) {
        let connection = scene.build();
        let findings = judge(&connection, &Context::alone());
        (connection, findings)
    }

    fn closed() -> Scene {
        Scene::session("permessage-deflate", "").close(Client, 1010, "permessage-deflate").fin(Server)
    }

    #[test]
    fn what_both_copies_show_is_told_once_and_concerns_both() {
        let ((first, mut found), (mut second, again)) = (judged(closed()), judged(closed()));
        second.serial = 5;
        second.tcp.client.port = 60_000;
        let rest = fold_duplicate(&first, &mut found, &second, again);
        assert!(rest.is_empty(), "{rest:#?}");
        let told = |finding: &Finding| (finding.rule.name, finding.related.clone());
        assert_eq!(told(&found[0]), ("close-1010-mandatory-extension", vec![5]));
        assert!(found[0].evidence.iter().any(|evidence| evidence.text.contains(":60000 to")), "{found:#?}");
    }

    #[test]
    fn what_only_the_duplicate_shows_stays_its_own() {
        let (first, mut found) = judged(Scene::session("", "").messages(Client, 1));
        let (second, again) = judged(Scene::session("", "").messages(Client, 1).reset(Server));
        let rest = fold_duplicate(&first, &mut found, &second, again);
        assert_eq!(rest[0].rule.name, "closed-without-close-frame");
        assert!(found.is_empty());
    }
}
