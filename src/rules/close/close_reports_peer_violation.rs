use crate::connection::{Close, Connection, FrameFacts};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, message_limit, quote, trust};
use crate::websocket::Unread;

rule! {
    /// # What it finds
    /// A Close with 1002, 1003, 1007, 1008 or 1009: each accuses the other side.
    ///
    /// # Why it matters
    /// The accusation can be checked. If the capture shows the violation, that is the finding and this Close hangs
    /// under it. If the other side had sent no data at all, the accusation cannot be about its messages.
    ///
    /// # What causes it
    /// 1002: broken framing. 1003: text where binary was expected, or the other way round. 1007: text that is not
    /// UTF-8, often after a faulty decompression. 1008: the receiver's own policy, such as access rights or rate. 1009:
    /// a message above the receiver's limit.
    ///
    /// # How to fix
    /// 1009: raise the limit (`maxPayload` in ws, `max_size` in Python's websockets, `SetReadLimit` in gorilla; where
    /// the reason or the answer tells the library, its setting is named), or split the message; Amazon API Gateway
    /// takes frames up to 32 KB and messages up to 128 KB. 1008: read the reason, then check access rights, `Origin`
    /// and rate limits. 1003: send the other type, text or binary. 1002, 1007: look at the last frames before the
    /// Close.
    ///
    /// # What it does not report
    /// A Close that came after the other side had ended TCP, which is about that end.
    /// Echoes of the same code. Where bytes of the accused are missing, nothing can be checked and it is only possible.
    pub static RULE = "WS-CL-011" "close-reports-peer-violation" {
        severity: Error, category: Close, reference: "RFC 6455 §7.4.1",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    // An accusation that answers another one is its echo in other words.
    let Some(close) =
        super::own(connection).filter(|close| accuses(close)).min_by_key(|close| close.seen.packet)
    else {
        return;
    };
    if super::is_late(connection, close) {
        return;
    }
    let (speaker, accused) = (close.from.name(), close.from.other().name());
    let code = close.code.unwrap_or_default();
    let (blame, confidence, why) = judged(connection, close);
    let title = match super::ping_timeout(close) {
        true => format!("pings unanswered by the {accused}"),
        false => format!("closed with {code} {}", name(code)),
    };
    let mut finding = Finding::new(&RULE, close.seen, title)
        .confidence(confidence)
        .origin(close.from)
        .blame(blame)
        .message(format!("the {speaker} sent {}; {why}", quote::close(close)))
        .shows(close.seen, format!("{speaker} sends {}", quote::close(close)))
        .help(help(connection, close));
    let last = connection.frames.as_ref().and_then(|frames| frames[close.from.other()].last);
    if let Some(last) = last.filter(|last| last.packet < close.seen.packet) {
        finding = finding.shows(last, format!("last data of the {accused} before it"));
    }
    found.push(finding);
}

/// Who has to mend it, how sure that is, and what the capture shows of the accusation.
fn judged(connection: &Connection, close: &Close) -> (Blame, Confidence, String) {
    let accused = close.from.other();
    let frames = connection.frames.as_ref().map(|frames| &frames[accused]);
    let sent_data = frames.is_none_or(|frames| frames.total() > frames.close);
    let earlier = || {
        let joined = connection.response.is_none() && !sent_data;
        joined.then(|| format!("the capture began later and has no data of the {}", accused.name()))
    };
    let doubt = trust::doubt(connection, accused).or_else(earlier);
    let (blame, why) = match (close.code.unwrap_or_default(), doubt) {
        (1002, _) if close.reason == TOMCATS => (
            close.from,
            format!(
                "so Tomcat closes where its endpoint failed with an exception or was stopped amid the session: it accuses no frame of the {}",
                accused.name()
            ),
        ),
        (1008, None) if super::ping_timeout(close) => {
            (accused, format!("its pings had no answer of the {}", accused.name()))
        }
        (1008, _) => (close.from, format!("this is a decision of the {}", close.from.name())),
        (_, Some(doubt)) => {
            let why = format!("{doubt}, so it cannot be checked");
            return (accused.into(), Confidence::Possible, why);
        }
        (_, None) if !sent_data => {
            (close.from, format!("the {} had sent no data, so it cannot be about a message", accused.name()))
        }
        (1009, None) => {
            let why = frames.map_or(String::from("no frame could be read"), |frames| {
                format!(
                    "the longest frame of the {} had {}, {}{}",
                    accused.name(),
                    quote::bytes(frames.longest_frame),
                    longest(frames),
                    inflated(frames)
                )
            });
            (accused, why)
        }
        (code, None) => (
            accused,
            format!("it accuses the {} of {}{}", accused.name(), charge(code), frames.map_or("", unread)),
        ),
    };
    (blame.into(), Confidence::Likely, why)
}

/// What to do about it.
fn help(connection: &Connection, close: &Close) -> String {
    let accused = close.from.other().name();
    match close.code.unwrap_or_default() {
        _ if close.reason == TOMCATS => String::from(
            "read the log of the server at this second: an exception in its endpoint, a write of two threads at once, or a stop of Tomcat",
        ),
        _ if super::ping_timeout(close) => {
            format!("find out what blocked the {accused} or the path to it, so that it did not answer pings")
        }
        1002 => String::from("look at the last frames before this Close for a violation of the framing"),
        1003 => String::from("send the kind of message, text or binary, that the receiver accepts"),
        1007 => String::from(
            "send binary data as binary messages, and switch compression off to see whether it garbles the text",
        ),
        1008 => String::from(
            "read the reason, then check access rights, origin and rate limits on the side that closed",
        ),
        _ => match message_limit::setting(connection, close) {
            Some(setting) => format!("raise {setting}, or split the message"),
            None => String::from("raise the receiver's message size limit, or split the message"),
        },
    }
}

/// The longest message, which may be the one that was never finished.
fn longest(frames: &FrameFacts) -> String {
    if frames.latest_message > frames.longest_message {
        format!("its last message, which was not finished, {}", quote::bytes(frames.latest_message))
    } else {
        format!("its longest message {}", quote::bytes(frames.longest_message))
    }
}

/// What the longest compressed message became.
fn inflated(frames: &FrameFacts) -> String {
    match frames.inflated.as_ref().and_then(|inflated| inflated.longest) {
        Some((bytes, longest)) => {
            format!("; a compressed one of {} inflates to {}", quote::bytes(bytes), quote::bytes(longest))
        }
        None => String::from(unread(frames)),
    }
}

/// What to do where compressed messages were not looked at.
fn unread(frames: &FrameFacts) -> &'static str {
    match frames.inflated.as_ref().and_then(|inflated| inflated.unread) {
        Some(Unread::TooMany | Unread::NotAsked) => {
            "; of its compressed messages not all were read, which --decode does"
        }
        _ => "",
    }
}

/// What Tomcat says of its own trouble, with a code that accuses its peer: seen of 10.1.60.
const TOMCATS: &str = "An unrecoverable IOException occurred so the connection was closed";

fn accuses(close: &Close) -> bool {
    matches!(close.code, Some(1002 | 1003 | 1007 | 1008 | 1009))
}

fn name(code: u16) -> &'static str {
    super::super::codes::name(code).unwrap_or_default()
}

fn charge(code: u16) -> &'static str {
    match code {
        1002 => "a frame that breaks the protocol",
        1003 => "a kind of data that it does not take",
        _ => "data that contradicts its type, such as text that is not UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Outcome;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::{Inflated, Unread};

    #[test]
    fn the_accused_is_to_blame_if_it_sent_data() {
        let finding = Scene::session("", "")
            .messages(Client, 1)
            .close(Server, 1007, "")
            .close(Client, 1007, "")
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
    }

    #[test]
    fn tomcat_accuses_nobody_of_its_own_exception() {
        let scene = Scene::session("", "").messages(Client, 1).close(Server, 1002, super::TOMCATS);
        let finding = scene.close(Client, 1002, super::TOMCATS).fin(Server).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Likely));
        assert!(finding.help.contains("stop of Tomcat"), "{}", finding.help);
    }

    #[test]
    fn a_close_after_the_end_of_the_other_side_accuses_nobody() {
        let scene = Scene::session("", "").messages(Client, 1).fin(Client).close(Server, 1002, "");
        scene.silent(RULE.name);
    }

    #[test]
    fn what_compressed_messages_became_is_told_or_how_to_see_it() {
        let facts = |inflated: Inflated| {
            Scene::session("permessage-deflate", "permessage-deflate")
                .compressed(Client)
                .with(|connection| {
                    connection.frames.as_mut().unwrap().client.inflated = Some(Box::new(inflated));
                })
                .close(Server, 1009, "")
                .finds(RULE.name)
                .message
        };
        let longest = Some((8157, 8 << 20));
        let message = facts(Inflated { longest, ..Inflated::default() });
        assert!(message.ends_with("a compressed one of 8157 bytes inflates to 8388608 bytes"), "{message}");
        let unread = Some(Unread::TooMany);
        assert!(facts(Inflated { unread, ..Inflated::default() }).ends_with("which --decode does"));
    }

    #[test]
    fn an_accusation_without_data_falls_back() {
        let finding = Scene::session("", "")
            .close(Server, 1003, "unsupported data")
            .close(Client, 1003, "")
            .finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
        let finding = Scene::session("", "").messages(Client, 2).close(Server, 1008, "no").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
    }

    #[test]
    fn a_gap_leaves_it_open_and_other_codes_are_silent() {
        let finding =
            Scene::session("", "").messages(Client, 1).gap(Client).close(Server, 1009, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        Scene::session("", "").close(Server, 1011, "").silent(RULE.name);
    }

    #[test]
    fn what_was_sent_before_the_capture_began_may_be_what_is_accused() {
        let scene = || Scene::session("", "").close(Server, 1007, "").close(Client, 1007, "");
        assert_eq!(scene().finds(RULE.name).blame, Blame::Server);
        let joined = scene().with(|c| {
            (c.request, c.response, c.outcome) = (None, None, Outcome::Unseen);
            c.quality.late_start = true;
        });
        let finding = joined.finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Possible));
        assert!(finding.message.contains("no data of the client"), "{}", finding.message);
    }

    #[test]
    fn the_message_that_was_never_finished_is_measured() {
        let told = |latest| {
            let scene = Scene::session("", "").messages(Client, 1).with(|connection| {
                let frames = &mut connection.frames.as_mut().unwrap().client;
                (frames.longest_message, frames.latest_message) = (500, latest);
            });
            scene.close(Server, 1009, "").finds(RULE.name).message
        };
        assert!(told(180_000).ends_with("its last message, which was not finished, 180000 bytes"));
        assert!(told(20).ends_with("its longest message 500 bytes"));
    }

    #[test]
    fn a_policy_on_pings_is_the_silent_sides_matter() {
        let scene = Scene::session("", "").messages(Client, 1);
        let finding = scene.close(Server, 1008, "Ping/Pong timeout").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert_eq!(finding.title, "pings unanswered by the client");
    }
}
