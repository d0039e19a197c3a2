use crate::connection::{Connection, FrameFacts};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity, quote};

rule! {
    /// # What it finds
    /// Client frames whose masking keys are all zero, all the same, or count up.
    ///
    /// # Why it matters
    /// The mask exists so that a page cannot choose the bytes on the wire. Keys that can be foretold give that up.
    ///
    /// # What causes it
    /// A client written by hand or for load tests, an embedded device without a random number generator, or a relay that
    /// masks towards its upstream with zero to save time.
    ///
    /// # How to fix
    /// Take every key from a cryptographic random number generator.
    ///
    /// # What it does not report
    /// Keys of frames without payload where others are in order, and fewer than three frames. Below eight frames it is only
    /// information.
    pub static RULE = "WS-FR-008" "masking-key-weak" {
        severity: Warning, category: Frame, reference: "RFC 6455 §5.3, §10.3",
        explains: [], asked_on: [Masks], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(frames) = connection.frames.as_ref().map(|frames| &frames.client) else { return };
    let Some(first) = frames.first else { return };
    let Some((what, count)) = weakness(frames) else { return };
    let keys: Vec<String> =
        frames.opening.iter().filter_map(|frame| frame.mask).map(|mask| quote::hex(&mask)).collect();
    found.push(
        Finding::new(&RULE, first, format!("masking keys {what}"))
            .at_most(if count >= MANY { Severity::Warning } else { Severity::Info })
            .origin(Role::Client)
            .blame(Role::Client)
            .message(format!("the masking keys of {count} client frames {what}, expected random ones"))
            .shows(first, format!("masking keys of the first frames: {}", keys.join(", ")))
            .help("let the client take every masking key from a cryptographic random number generator"),
    );
}

/// What is wrong with the keys, and for how many frames that is known. Two random keys of 32 bits are the same, or follow
/// each other, once in billions of frames.
fn weakness(frames: &FrameFacts) -> Option<(&'static str, u64)> {
    let masks = || frames.opening.iter().filter_map(|frame| frame.mask).map(u32::from_be_bytes);
    let filled = |zero: bool| {
        frames
            .opening
            .iter()
            .any(|frame| frame.len > 0 && frame.mask.is_some_and(|mask| (mask == [0; 4]) == zero))
    };
    let total = frames.total();
    if frames.mask_zero >= FEW && frames.mask_zero == total && filled(true) {
        return Some(("are all zero", frames.mask_zero));
    }
    if frames.mask_repeats + 1 >= FEW && frames.mask_repeats + 1 == total && filled(false) {
        return Some(("are all the same", total));
    }
    let known = masks().count() as u64;
    let steps = || masks().zip(masks().skip(1)).map(|(one, next)| next.wrapping_sub(one));
    let counts = |first: u32| first != 0 && steps().all(|step| step == first);
    (known >= FEW && steps().next().is_some_and(counts)).then_some(("count up", known))
}

/// Frames from which a pattern is no accident.
const FEW: u64 = 3;

/// Frames from which it is a habit.
const MANY: u64 = 8;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, OpeningFrame};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};

    fn masked(keys: &[u32], len: u64) -> Scene {
        let keys = keys.to_vec();
        Scene::session("", "").messages(Client, keys.len() as u64).messages(Server, 1).with(
            move |c: &mut Connection| {
                let frames = &mut c.frames.get_or_insert_default().client;
                frames.mask_zero = keys.iter().filter(|key| **key == 0).count() as u64;
                frames.mask_repeats = keys.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
                frames.opening = keys
                    .iter()
                    .take(8)
                    .map(|key| OpeningFrame { head: 0x81, len, mask: Some(key.to_be_bytes()) })
                    .collect();
            },
        )
    }

    #[test]
    fn zero_constant_and_counting_keys_are_told_apart() {
        let told = |keys: &[u32]| masked(keys, 5).finds(RULE.name);
        let finding = told(&[0; 9]);
        assert_eq!((finding.severity, finding.blame), (Severity::Warning, Blame::Client));
        assert!(finding.title.contains("all zero"));
        assert!(told(&[0x1234_5678; 8]).title.contains("the same"));
        assert_eq!(told(&[7; 4]).severity, Severity::Info);
        assert!(told(&[u32::MAX - 1, u32::MAX, 0, 1]).title.contains("count"));
    }

    #[test]
    fn random_few_and_empty_frames_are_silent() {
        masked(&[0x9d2c_11fa, 0x0815_4711, 0xdead_beef, 0x0102_0304], 5).silent(RULE.name);
        masked(&[0, 0], 5).silent(RULE.name);
        masked(&[0; 9], 0).silent(RULE.name);
        masked(&[0, 0, 0, 0x9d2c_11fa, 0x0815_4711], 5).silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
