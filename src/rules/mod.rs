//! Judgement: rules are pure functions from facts to findings.
//!
//! Each file in a folder below this one is one rule, and its doc comment is the rule's manual; [`RULES`] lists them all. A rule
//! is asked about one connection at a time, with a [`Context`] of what is known around it; `cue` says for which connections
//! there is any use in asking. Then `pair` and `attribution` correct the findings of a session of which both legs were
//! captured, so that one fault is told once, by the party that has to mend it.
//!
//! The other files here are what several rules share: `trust` says what the capture allows to be concluded, `quote` how the wire is
//! quoted. [`codes`] holds the texts of `wsanalyze explain`.

pub mod codes;
pub mod expectation;
pub mod selection;
pub mod suppression;

mod answers;
mod attempt;
mod attribution;
mod behind;
mod capture;
mod close;
mod context;
mod cue;
#[cfg(test)]
mod docs;
mod duplicate;
mod engine_io;
mod extension;
mod finding;
mod frame;
mod further;
mod gateway;
mod handshake;
mod identity;
mod message_limit;
mod mqtt;
mod negotiation;
mod pair;
mod policy;
mod quote;
mod rule;
mod sealed;
mod subprotocol;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod testing_legs;
#[cfg(test)]
mod tests_attribution;
mod tls;
mod transport;
mod trust;
mod undelivered;
mod url_pattern;

pub use attempt::judge_attempt;
pub use capture::capture_encrypted::capture_encrypted;
pub use context::Context;
pub use cue::{Cue, Cues};
pub use duplicate::fold_duplicate;
pub use finding::{Blame, Confidence, Evidence, Finding, Origin, Severity};
pub use identity::{CauseKey, cause_key, fingerprint, fingerprint_of_run};
pub use pair::judge_chain;
pub use policy::Standing;
pub use rule::{Category, Check, Rule};
pub use selection::Selection;
pub use suppression::{Suppressed, Suppressions};
pub use url_pattern::UrlPattern;

use crate::connection::{Connection, FirstEnd, Outcome};
use crate::role::Role;
use std::cmp::Reverse;

/// Every rule, in order of code.
pub static RULES: &[&Rule] = &[
    &handshake::request_line_invalid::RULE,
    &handshake::request_upgrade_missing::RULE,
    &handshake::request_connection_upgrade_missing::RULE,
    &handshake::request_key_invalid::RULE,
    &handshake::request_key_reused::RULE,
    &handshake::request_version_unsupported::RULE,
    &handshake::request_singleton_duplicated::RULE,
    &handshake::request_body_or_early_data::RULE,
    &handshake::response_not_101::RULE,
    &handshake::response_200_upgrade_ignored::RULE,
    &handshake::response_426_upgrade_lost::RULE,
    &handshake::response_redirect::RULE,
    &handshake::response_forbidden::RULE,
    &handshake::response_upgrade_headers_invalid::RULE,
    &handshake::response_accept_invalid::RULE,
    &handshake::response_101_malformed::RULE,
    &handshake::handshake_unanswered::RULE,
    &handshake::handshake_slow::RULE,
    &handshake::client_aborts_after_101::RULE,
    &handshake::response_not_http::RULE,
    &handshake::list_element_empty::RULE,
    &handshake::extended_connect_unavailable::RULE,
    &handshake::extended_connect_refused_or_reset::RULE,
    &extension::extension_offered_not_accepted::RULE,
    &extension::extension_accepted_not_offered::RULE,
    &extension::extension_response_params_illegal::RULE,
    &extension::extension_offer_illegal::RULE,
    &extension::extension_header_malformed::RULE,
    &extension::extension_negotiated_unused::RULE,
    &extension::extension_stripped_by_gateway::RULE,
    &extension::extension_renegotiated_by_gateway::RULE,
    &extension::rsv1_without_extension::RULE,
    &extension::rsv_bits_misused::RULE,
    &extension::compressed_message_undecodable::RULE,
    &extension::close_1010_mandatory_extension::RULE,
    &extension::close_1010_from_server::RULE,
    &extension::extension_name_unregistered::RULE,
    &subprotocol::subprotocol_offered_not_selected::RULE,
    &subprotocol::subprotocol_selected_not_offered::RULE,
    &subprotocol::subprotocol_malformed::RULE,
    &subprotocol::subprotocol_altered_between_legs::RULE,
    &frame::client_frame_unmasked::RULE,
    &frame::server_frame_masked::RULE,
    &frame::opcode_reserved::RULE,
    &frame::control_frame_invalid::RULE,
    &frame::length_encoding_invalid::RULE,
    &frame::fragmentation_sequence_broken::RULE,
    &frame::text_not_utf8::RULE,
    &frame::masking_key_weak::RULE,
    &frame::stream_ends_mid_frame::RULE,
    &frame::http_bytes_in_stream::RULE,
    &frame::framing_lost::RULE,
    &close::closed_without_close_frame::RULE,
    &close::close_code_reserved_on_wire::RULE,
    &close::close_payload_malformed::RULE,
    &close::close_unanswered::RULE,
    &close::close_reply_differs::RULE,
    &close::data_after_close::RULE,
    &close::close_code_wrong_side::RULE,
    &close::tcp_close_order::RULE,
    &close::reset_around_close::RULE,
    &close::close_reports_peer_violation::RULE,
    &close::close_going_away::RULE,
    &close::close_internal_error::RULE,
    &close::close_restart_or_overload::RULE,
    &close::close_application_code::RULE,
    &close::reconnect_without_backoff::RULE,
    &gateway::gateway_error_before_upgrade::RULE,
    &gateway::close_1014_bad_gateway::RULE,
    &gateway::close_1014_rejected_by_peer::RULE,
    &gateway::idle_timeout_close::RULE,
    &gateway::lifetime_limit_close::RULE,
    &gateway::one_leg_close::RULE,
    &gateway::gateway_injected_close::RULE,
    &gateway::close_rewritten_between_legs::RULE,
    &gateway::upgrade_not_forwarded::RULE,
    &gateway::upstream_not_reached::RULE,
    &gateway::mass_disconnect::RULE,
    &gateway::gateway_terminates_websocket::RULE,
    &gateway::keepalive_insufficient::RULE,
    &gateway::gateway_block_page::RULE,
    &gateway::handshake_answer_altered::RULE,
    &gateway::gateway_accepted_before_upstream::RULE,
    &gateway::close_1014_from_client::RULE,
    &gateway::frames_not_passed_on::RULE,
    &transport::tcp_connect_failed::RULE,
    &transport::silent_drop::RULE,
    &transport::rst_foreign_origin::RULE,
    &transport::ping_unanswered::RULE,
    &transport::receiver_stalled::RULE,
    &transport::data_not_acknowledged::RULE,
    &tls::tls_handshake_failed::RULE,
    &tls::scheme_port_mismatch::RULE,
    &capture::capture_starts_midstream::RULE,
    &capture::capture_lossy::RULE,
    &capture::capture_encrypted::RULE,
    &policy::expected_extension_missing::RULE,
    &policy::forbidden_extension_agreed::RULE,
    &policy::expected_subprotocol_missing::RULE,
    &policy::forbidden_subprotocol_agreed::RULE,
    &policy::close_code_not_allowed::RULE,
    &policy::handshake_longer_than_allowed::RULE,
    &policy::ping_interval_out_of_range::RULE,
    &policy::life_shorter_than_allowed::RULE,
    &policy::reserved_code_sent::RULE,
    &policy::too_few_connections::RULE,
];

/// What the selected rules say of one connection, gravest first, then by packet; consequences hang under their cause.
/// Where the cause is not selected, they are told on their own.
pub fn judge(connection: &Connection, context: &Context<'_>) -> Vec<Finding> {
    judge_by_cues(connection, Cues::of(connection), context)
}

/// The same, of a connection of which it is known already what there is to see: one in good order is not looked at again.
pub fn judge_by_cues(connection: &Connection, cues: Cues, context: &Context<'_>) -> Vec<Finding> {
    let mut found = find(connection, cues, context);
    if found.is_empty() {
        return found;
    }
    pair::weigh_alone(connection, &mut found);
    arrange(found, context.selection)
}

/// What the rules say of one connection, each by itself.
fn find(connection: &Connection, cues: Cues, context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let may_speak = |rule: &Rule| {
        let reads = connection.outcome != Outcome::Encrypted || rule.asked_on.has(Cue::Sealed);
        reads && context.selection.speaks(rule)
    };
    let seen = cues.within(context);
    for rule in seen.asked().filter(|rule| may_speak(rule)) {
        rule.check.ask(connection, context, &mut found);
    }
    if cfg!(debug_assertions) {
        for rule in RULES.iter().filter(|rule| !rule.asked_on.meet(seen) && may_speak(rule)) {
            let before = found.len();
            rule.check.ask(connection, context, &mut found);
            assert_eq!(found.len(), before, "{} had something to say and was not asked", rule.name);
        }
    }
    for finding in &mut found {
        context.selection.weigh(finding);
        finding.borne = is_borne(connection, finding);
        doubt_first_end(connection, finding);
    }
    found
}

/// What is said of the end of TCP is no more than possible where the FINs of both sides crossed: either came first.
fn doubt_first_end(connection: &Connection, finding: &mut Finding) {
    let of_end = matches!(finding.rule.category, Category::Close | Category::Gateway);
    if let FirstEnd::Crossed(other) = connection.ending.first
        && let Some((by, _)) = connection.ending.by.filter(|(_, end)| of_end && *end == finding.seen)
    {
        finding.confidence = Confidence::Possible;
        let text = format!("FIN from the {}, which does not acknowledge the first one", by.other().name());
        finding.evidence.push(Evidence { packet: other.packet, text });
    }
}

/// Whether the side that it was done to went on in spite of it: then a later end has another reason.
fn is_borne(connection: &Connection, finding: &Finding) -> bool {
    let of_session = matches!(
        finding.rule.category,
        Category::Handshake | Category::Extension | Category::Subprotocol | Category::Frame
    );
    let by = match finding.origin {
        Some(Origin::Client) => Role::Client,
        Some(Origin::Server | Origin::Gateway) => Role::Server,
        _ => return false,
    };
    let other = connection.frames.as_ref().map(|frames| &frames[by.other()]);
    let Some(last) = other.and_then(|frames| frames.last.filter(|_| frames.total() > 0)) else {
        return false;
    };
    let answer = connection.response.as_ref().map(|response| response.seen);
    // Who refuses an answer sends no message after it; of a frame it may hear only after it has sent some of its own.
    let of_answer = answer == Some(finding.seen) && finding.rule.category != Category::Frame;
    let since = if of_answer { 0 } else { HEARD };
    of_session && last.packet > finding.seen.packet && last.at.nanos_since(finding.seen.at) >= since
}

/// Nanoseconds within which a side hears what the other one sent.
const HEARD: i64 = 1_000_000_000;

/// Puts findings in order and consequences under their causes.
fn arrange(mut found: Vec<Finding>, selection: &Selection) -> Vec<Finding> {
    for finding in &mut found {
        finding.evidence.sort_by_key(|evidence| evidence.packet);
    }
    found.sort_by_key(|finding| (Reverse(finding.severity), finding.seen.packet, finding.rule.code));
    let mut found = hang(found, selection);
    found.iter_mut().for_each(gateway::close_1014_bad_gateway::name_upstream);
    found
}

/// The rule of that code or name, however it is written: `WS-EX-012`, `ex-012`, `close-1010-mandatory-extension`.
pub fn rule(name_or_code: &str) -> Option<&'static Rule> {
    let wanted = name_or_code.trim();
    RULES.iter().copied().find(|rule| {
        [rule.name, rule.code, rule.code.trim_start_matches("WS-")]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(wanted))
    })
}

/// Moves every finding that another one explains into the consequences of that one. Where several explain it, it goes
/// to the nearest: one that explains none of the others.
fn hang(found: Vec<Finding>, selection: &Selection) -> Vec<Finding> {
    let explains = |root: usize, below: usize| {
        let (root, below) = (&found[root], &found[below]);
        root.explains(below) && selection.hides(root, below)
    };
    let roots: Vec<Option<usize>> = (0..found.len())
        .map(|below| {
            let able: Vec<usize> = (0..found.len()).filter(|&root| explains(root, below)).collect();
            able.iter().copied().find(|&root| !able.iter().any(|&other| explains(root, other)))
        })
        .collect();
    let mut slots: Vec<Option<Finding>> = found.into_iter().map(Some).collect();
    (0..slots.len())
        .filter(|&index| roots[index].is_none())
        .filter_map(|index| take(index, &roots, &mut slots))
        .collect()
}

/// A finding with all that hangs under it. `explains` has no cycle (a test holds it to that), so every finding is
/// taken exactly once.
fn take(index: usize, roots: &[Option<usize>], slots: &mut [Option<Finding>]) -> Option<Finding> {
    let mut finding = slots[index].take()?;
    for below in 0..roots.len() {
        if roots[below] == Some(index) {
            let Some(mut consequence) = take(below, roots, slots) else { continue };
            // What follows from a consequence follows from the cause: a report shows one step.
            let further = std::mem::take(&mut consequence.consequences);
            finding.consequences.push(consequence);
            finding.consequences.extend(further);
        }
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::testing::{Scene, flat};
    use super::*;
    use crate::role::Role::{Client, Server};
    use std::collections::HashSet;

    const HEADINGS: [&str; 5] =
        ["What it finds", "Why it matters", "What causes it", "How to fix", "What it does not report"];

    #[test]
    fn every_rule_has_its_manual() {
        for rule in RULES {
            for heading in HEADINGS {
                let section = rule.section(heading).unwrap_or_default();
                assert!(section.len() > 20, "{} says nothing below {heading:?}", rule.name);
            }
        }
    }

    #[test]
    fn every_rule_is_told_in_a_sentence() {
        for rule in RULES {
            let summary = rule.summary();
            assert!(summary.ends_with('.') && !summary.contains('\n'), "{}: {summary}", rule.code);
            assert!((20..=250).contains(&summary.len()), "{}: {summary}", rule.code);
        }
    }

    #[test]
    fn codes_and_names_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for rule in RULES {
            assert!(seen.insert(rule.code) && seen.insert(rule.name), "{}", rule.name);
            assert!(
                rule.name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
            let [ws, category, number] = rule.code.split('-').collect::<Vec<_>>()[..] else {
                panic!("{}", rule.code)
            };
            assert!(ws == "WS" && category.len() == 2 && number.len() == 3, "{}", rule.code);
        }
    }

    #[test]
    fn the_list_is_in_order_of_code_within_each_category() {
        for pair in RULES.windows(2) {
            assert!(
                pair[0].code[..5] != pair[1].code[..5] || pair[0].code < pair[1].code,
                "{}",
                pair[1].code
            );
        }
    }

    #[test]
    fn what_a_rule_explains_exists_and_never_leads_back() {
        fn reaches(from: &Rule, to: &str) -> bool {
            from.explains.iter().any(|name| *name == to || reaches(rule(name).unwrap(), to))
        }
        for root in RULES {
            for name in root.explains {
                assert!(rule(name).is_some(), "{} explains {name}, which is no rule", root.name);
            }
        }
        for root in RULES {
            assert!(!reaches(root, root.name), "{} explains itself", root.name);
        }
    }

    #[test]
    fn a_rule_is_found_by_code_and_name_in_any_case() {
        for known in ["WS-EX-012", "EX-012", "ws-ex-012", " Close-1010-Mandatory-Extension "] {
            assert_eq!(rule(known).unwrap().code, "WS-EX-012");
        }
        assert!(rule("EX-999").is_none());
    }

    #[test]
    fn what_the_other_side_bore_is_no_reason_for_a_later_end() {
        let offered = || {
            let request = format!("{}Sec-WebSocket-Protocol: a1\r\n", testing::REQUEST);
            Scene::tcp().request(&request).answer(testing::ANSWER, "")
        };
        let names = |scene: Scene| -> Vec<&str> {
            scene.findings().iter().map(|finding| finding.rule.name).collect()
        };
        assert_eq!(names(offered().fin(Client)), ["subprotocol-offered-not-selected"]);
        assert_eq!(
            names(offered().messages(Client, 1).fin(Server)),
            ["closed-without-close-frame", "subprotocol-offered-not-selected"]
        );
    }

    #[test]
    fn clean_connections_have_no_finding() {
        let closed = |from: crate::role::Role, code| {
            Scene::session("permessage-deflate", "permessage-deflate")
                .messages(Client, 3)
                .compressed(Server)
                .close(from, code, "")
                .close(from.other(), code, "")
                .fin(Server)
        };
        for scene in [
            closed(Client, 1000),
            closed(Server, 1000),
            closed(Client, 1001),
            Scene::session("", "").messages(Server, 9),
        ] {
            assert_eq!(scene.findings().iter().map(|finding| finding.rule.name).collect::<Vec<_>>(), [""; 0]);
        }
        let empty = Scene::session("", "").raw_close(Client, b"").raw_close(Server, b"").fin(Server);
        assert!(empty.findings().is_empty());
    }

    #[test]
    fn every_finding_has_its_texts_and_no_secret() {
        let scenes = [
            Scene::session("permessage-deflate", "").close(Client, 1010, "permessage-deflate").fin(Server),
            Scene::session("", "").close(Server, 1014, "upstream down").fin(Server),
            Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", ""),
            Scene::answered("HTTP/1.1 404 Not Found\r\n", ""),
            Scene::session("", "x-odd").reset(Client),
        ];
        for finding in scenes
            .into_iter()
            .flat_map(|scene| flat(&scene.findings()).into_iter().cloned().collect::<Vec<_>>())
        {
            let texts = [&*finding.title, &finding.message, &finding.help];
            for text in
                texts.into_iter().chain(finding.evidence.iter().map(|evidence| evidence.text.as_str()))
            {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text:?}", finding.rule.name);
                assert!(!text.contains("s3cret"), "{}: {text:?}", finding.rule.name);
            }
            assert!(!finding.evidence.is_empty(), "{}", finding.rule.name);
            assert!(finding.severity <= finding.rule.severity);
        }
    }

    #[test]
    fn a_consequence_hangs_under_its_cause() {
        let findings = Scene::session("permessage-deflate", "")
            .close(Client, 1010, "permessage-deflate")
            .close(Server, 1010, "permessage-deflate")
            .fin(Server)
            .findings();
        let names: Vec<_> = findings.iter().map(|finding| finding.rule.name).collect();
        assert_eq!(names, ["close-1010-mandatory-extension"]);
        assert_eq!(findings[0].consequences[0].rule.name, "extension-offered-not-accepted");
    }
}
