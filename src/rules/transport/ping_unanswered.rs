use crate::capture::Seen;
use crate::connection::{Close, Connection, Pings, Span};
use crate::gateway::{How, Parting};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, close, engine_io, quote, trust};

rule! {
    /// # What it finds
    /// A Ping that no Pong followed within 20 s, or until its sender gave up because of it: with a Close that says so, or,
    /// as the heartbeat that ws on Node recommends, by ending TCP. Also the heartbeat of engine.io (Socket.IO), whose ping is a
    /// message, where the server closed after it and the client had sent nothing.
    ///
    /// # Why it matters
    /// It separates a dead path from a program that stands still, and comes before 1011 `keepalive ping timeout` and
    /// 1006.
    ///
    /// # What causes it
    /// A blocked event loop, a debugger, a suspended machine, a reader that waits for its own writer; or packets that
    /// are lost, which shows in bytes that are sent again.
    ///
    /// # How to fix
    /// Free the loop of the silent program from long work: `asyncio.to_thread` in Python, a worker thread on Node. If
    /// bytes are sent again, look at the path instead. Send large messages in fragments, so that Pongs can go between them.
    ///
    /// # What it does not report
    /// Pings after a Close, pings that a later Pong covers, captures that end or lack bytes of the other side in that
    /// time. Where the pinging side had closed its own TCP window it is to blame itself; and where the other one was sending
    /// large frames, inside of which no Pong can come, it is only possible that its program does not answer.
    pub static RULE = "WS-TR-004" "ping-unanswered" {
        severity: Warning, category: Transport, reference: "RFC 6455 §5.5.2, §5.5.3",
        explains: ["close-internal-error", "closed-without-close-frame", "close-unanswered", "idle-timeout-close",
            "close-reports-peer-violation", "close-going-away"],
        asked_on: [Ping, ServerLeft], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for from in Role::BOTH {
        found.extend(unanswered(connection, from));
    }
    found.extend(heartbeat_of_engine_io(connection));
}

fn unanswered(connection: &Connection, from: Role) -> Option<Finding> {
    let wait = Wait::of(connection, from)?;
    let (to, reason) = (from.other(), wait.reason);
    let finding = Finding::new(&RULE, wait.ping, format!("pings unanswered by the {}", to.name()))
        .confidence(match wait.is_guessed() || reason == Reason::Busy {
            true => Confidence::Possible,
            false => Confidence::Likely,
        })
        .origin(match reason {
            Reason::Lost => Origin::Network,
            Reason::Stalled => from.into(),
            _ => to.into(),
        })
        .blame(match reason {
            Reason::Lost => Blame::Network,
            Reason::Stalled => from.into(),
            _ => to.into(),
        })
        .message(wait.message())
        .shows(wait.ping, format!("the first Ping of the {} without an answer", from.name()))
        .help(wait.help());
    Some(wait.with_evidence(finding))
}

/// A Ping without a Pong, and what happened while its sender waited.
struct Wait<'a> {
    connection: &'a Connection,
    /// The sender of the Ping.
    from: Role,
    /// All its Pings, and the first of them that counts.
    pings: Pings,
    ping: Seen,
    /// Bytes of the longest frame of the other side.
    longest_frame: u64,
    /// Seconds until the session was over, or to the last packet.
    seconds: f64,
    /// The Pong that came when the session was over already.
    late: Option<Span>,
    /// The Close with which the sender gave up.
    close: Option<&'a Close>,
    /// Whether that Close says nothing of pings.
    is_wordless: bool,
    /// The packet with which the sender ended TCP without a Close.
    hung_up: Option<Seen>,
    reason: Reason,
}

impl<'a> Wait<'a> {
    /// Nothing where every Ping was answered in time, or where nobody waited for long.
    fn of(connection: &'a Connection, from: Role) -> Option<Wait<'a>> {
        let to = from.other();
        let frames = connection.frames.as_ref()?;
        let (pings, longest_frame) = (frames[from].pings(), frames[to].longest_frame);
        let first_close = connection.closes.first();
        let over = first_close.map(|close| close.seen).or(connection.ending.by.map(|(_, seen)| seen));
        // A program that wakes up again answers what nobody waits for any more.
        let late = pings.slowest_answer.filter(|answer| {
            let waiting = answer.from.packet.number()..answer.until.packet.number();
            over.is_some_and(|over| {
                answer.from.packet < over.packet && waiting.contains(&over.packet.number())
            })
        });
        let ping = late.map(|answer| answer.from).or(pings.unanswered)?;
        if trust::doubt(connection, to).is_some() || over.is_some_and(|over| over.packet <= ping.packet) {
            return None;
        }
        let until = over.unwrap_or(connection.last);
        let seconds = trust::elapsed(connection, ping, until)?;
        // What came after the end is no sign of life in time.
        let before = first_close.map(|close| close.after[to]);
        let last = before.unwrap_or(frames[to].last.filter(|_| late.is_none()));
        let silent = last.is_none_or(|seen| seen.packet < ping.packet);
        let own_close = first_close.filter(|close| close.from == from);
        // Sanic closes with 1011 and no word of it.
        let wordless = own_close.filter(|close| {
            close.code == Some(1011) && close.reason.is_empty() && silent && seconds >= HEARTBEAT
        });
        let close = own_close.filter(|close| close::ping_timeout(close)).or(wordless);
        // A heartbeat that misses its Pong ends TCP, as the one that ws on Node recommends does.
        let hung_up = connection
            .ending
            .by
            .filter(|&(by, _)| by == from && first_close.is_none() && silent && seconds >= HEARTBEAT)
            .map(|(_, seen)| seen);
        if seconds < PATIENCE && close.is_none() && hung_up.is_none() {
            return None;
        }
        let talks = last.is_some_and(|seen| seen.at > ping.at);
        let stalled = connection.tcp.stall[from].as_deref().is_some_and(|stall| {
            let (begin, end) = (stall.span.from.at.max(ping.at), stall.span.until.at.min(until.at));
            end.nanos_since(begin) >= super::MOMENT
        });
        let reason = match () {
            () if super::repeats_in_vain(connection, from, 2) => Reason::Lost,
            () if stalled => Reason::Stalled,
            () if talks && longest_frame >= LARGE => Reason::Busy,
            () if talks && frames[to].pong > 0 && pings.answered == 0 => Reason::OtherPongs,
            () if talks => Reason::Deaf,
            () if seconds < TIME_TO_REPEAT => Reason::Silent,
            () => Reason::Stopped,
        };
        Some(Wait {
            connection,
            from,
            pings,
            ping,
            longest_frame,
            seconds,
            late,
            close,
            is_wordless: wordless.is_some(),
            hung_up,
            reason,
        })
    }

    /// Whether that it gave up because of the Ping is a guess.
    fn is_guessed(&self) -> bool {
        (self.hung_up.is_some() || self.is_wordless) && self.seconds < TIME_TO_REPEAT
    }

    fn message(&self) -> String {
        let (own, name) = (self.from.name(), self.from.other().name());
        let many = match self.pings.unanswered_count {
            0 | 1 => String::from("a Ping"),
            count => format!("{count} Pings"),
        };
        let pong = if self.reason == Reason::OtherPongs { "answering Pong" } else { "Pong" };
        let why = match self.reason {
            Reason::Lost => {
                String::from("its bytes were sent again, so they did not arrive or nobody acknowledged them")
            }
            Reason::Stalled => format!(
                "the {own} had closed its own TCP window meanwhile, so nothing that the {name} answers could come"
            ),
            Reason::Busy => format!(
                "the {name} was sending meanwhile, frames of up to {}, inside of which no Pong can come: it waited behind one, or the program of the {name} does not answer pings",
                quote::bytes(self.longest_frame)
            ),
            Reason::OtherPongs => {
                format!(
                    "the {name} sent Pongs, and none with the payload of a Ping, as an answer has to have it"
                )
            }
            Reason::Deaf => {
                format!("the {name} sent other data meanwhile, so its program does not answer pings")
            }
            Reason::Silent => format!("the {name} sent nothing at all in that time"),
            Reason::Stopped => format!(
                "no byte was sent again, so the system of the {name} took them and its program stood still"
            ),
        };
        format!("{many} of the {own} had no {pong} for {}; {why}", quote::seconds(self.seconds))
    }

    fn help(&self) -> String {
        let (own, name) = (self.from.name(), self.from.other().name());
        match self.reason {
            Reason::Lost => String::from("find out where packets are lost or dropped between the two"),
            Reason::Stalled => {
                format!("find out why the program of the {own} did not read what the {name} sent")
            }
            Reason::Busy => format!(
                "let the {name} send large messages in fragments, so that a Pong can go between them, or let the {own} wait longer"
            ),
            _ => format!("find out what blocked the {name} at this time, so that it did not answer pings"),
        }
    }

    /// Adds how the sender gave up, and what became of other Pings.
    fn with_evidence(&self, mut finding: Finding) -> Finding {
        let (own, name) = (self.from.name(), self.from.other().name());
        if let Some(close) = self.close {
            finding = finding.shows(close.seen, format!("the {own} gives up with {}", quote::close(close)));
        }
        if let Some(seen) = self.hung_up {
            let how = quote::ending(self.connection);
            finding = finding.shows(seen, format!("the {own} gives up with {how}, without a Close"));
        }
        match (self.late, self.pings.slowest_answer) {
            (Some(answer), _) => {
                finding.shows(answer.until, format!("the Pong of the {name} comes too late"))
            }
            (None, Some(slowest)) => {
                let longest = quote::seconds(slowest.nanos() as f64 / 1e9);
                let text = match self.pings.answered {
                    1 => format!("one Ping before was answered, after {longest}"),
                    count => format!("{count} Pings before were answered, the slowest after {longest}"),
                };
                finding.shows(self.ping, text)
            }
            (None, None) => finding,
        }
    }
}

/// What a server of engine.io says without a word: its heartbeat is a text message of one byte, and it closes with no code, or in
/// Python with 1000, where the client did not reply within pingTimeout.
fn heartbeat_of_engine_io(connection: &Connection) -> Option<Finding> {
    if engine_io::version(connection)? != "4" {
        return None;
    }
    let parting = Parting::of(connection)?;
    let gave_up = parting.by == Role::Server && matches!(parting.how, How::Close(1000 | 1005));
    let (beat, heard) = (parting.last.server?, parting.last.client?);
    let last_word = connection.frames.as_ref()?.server.latest_message == 1 && heard.packet < beat.packet;
    // Of a Close that came in parts, the first is the last before it, and hides the heartbeat.
    let since = if beat.at == parting.seen.at { heard } else { beat };
    let waited = trust::elapsed(connection, since, parting.seen)?;
    if !gave_up || !last_word || parting.quiet.is_none() || waited < HEARTBEAT {
        return None;
    }
    let finding = Finding::new(&RULE, beat, "heartbeat of Socket.IO unanswered by the client")
        .confidence(Confidence::Likely)
        .origin(Role::Client)
        .blame(Role::Client)
        .message(format!(
            "the last message of the server has one byte, as the heartbeat of engine.io (Socket.IO) has; the client sent nothing in the {} after it, and the server closed",
            quote::seconds(waited)
        ))
        .shows(heard, "last data of the client before it")
        .shows(beat, "the heartbeat of the server")
        .shows(parting.seen, "Close of the server")
        .help("find out what blocked the client at this time, such as a page in the background or a suspended machine; or raise pingTimeout of the server (20 s by default)");
    Some(finding)
}

/// Why no Pong came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The Ping did not arrive.
    Lost,
    /// The sender of the Ping reads nothing.
    Stalled,
    /// The other side was sending frames so large that each may have been the one before the Pong.
    Busy,
    /// The other side sent Pongs, but none with the payload of a Ping.
    OtherPongs,
    /// The other side sent something else.
    Deaf,
    /// It sent nothing.
    Silent,
    /// It sent nothing, and its system took the Ping.
    Stopped,
}

/// Bytes of a frame behind which a Pong may wait for long on a slow path.
const LARGE: u64 = 16 << 10;

/// Seconds that common libraries wait for a Pong.
const PATIENCE: f64 = 20.0;

/// Seconds without a Pong after which an end of TCP looks like a heartbeat that gave up.
const HEARTBEAT: f64 = 2.0;

/// Seconds after which TCP has sent again what nobody acknowledged.
const TIME_TO_REPEAT: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::{LARGE, RULE};
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Connection, Repeats, Span, Stall};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Origin};
    use crate::time::Timestamp;

    #[test]
    fn a_keepalive_timeout_is_the_silent_programs() {
        let scene = Scene::session("", "").pings(Server, 3).after(2.0);
        let findings = scene.close(Server, 1011, "keepalive ping timeout").fin(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert!(findings[0].blame == Blame::Client && findings[0].message.contains("3 Pings of the server"));
        assert_eq!(findings[0].consequences[0].rule.name, "close-internal-error");
    }

    #[test]
    fn who_answers_no_ping_answers_no_close_either() {
        let pinged = |by| Scene::session("", "").messages(Client, 1).pings(by, 1).after(60.0);
        let findings = pinged(Server).close(Server, 1001, "timeout").after(2.0).fin(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{findings:#?}");
        let below: Vec<&str> = findings[0].consequences.iter().map(|finding| finding.rule.name).collect();
        assert!(below.contains(&"close-unanswered"), "{below:?}");
        // The other side's Close is another matter.
        let findings = pinged(Client).close(Server, 1001, "timeout").after(2.0).fin(Server).findings();
        assert!(findings.iter().any(|finding| finding.rule.name == "close-unanswered"), "{findings:#?}");
        assert!(findings.iter().any(|finding| finding.rule.name == RULE.name), "{findings:#?}");
    }

    #[test]
    fn a_heartbeat_that_ends_tcp_gave_up_on_the_silent_side() {
        let pinged = || Scene::session("", "").messages(Client, 1).pings(Server, 1);
        let findings = pinged().after(3.0).fin(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name, findings[0].blame), (1, RULE.name, Blame::Client));
        assert_eq!(findings[0].consequences[0].rule.name, "closed-without-close-frame");
        assert!(
            findings[0].evidence.iter().any(|line| line.text.contains("gives up with FIN, without a Close"))
        );
        pinged().after(3.0).fin(Client).silent(RULE.name);
        pinged().after(0.5).fin(Server).silent(RULE.name);
        pinged().messages(Client, 1).after(3.0).fin(Server).silent(RULE.name);
    }

    #[test]
    fn a_pong_that_comes_after_the_end_is_too_late() {
        let mut pinged = None;
        let scene =
            Scene::session("", "").messages(Client, 1).pings(Server, 1).packet(|seen| pinged = Some(seen));
        let scene = scene.after(3.0).fin(Server).with(|c: &mut Connection| {
            let from = pinged.unwrap();
            let at = Timestamp::from_nanos(c.last.at.as_nanos() + 1_000_000_000);
            let until = Seen { packet: PacketId::new(0, c.last.packet.number() + 1), at };
            let frames = c.frames.as_mut().unwrap();
            let pings = frames.server.pings.get_or_insert_default();
            (pings.unanswered, pings.unanswered_count) = (None, 0);
            pings.slowest_answer = Some(Span { from, until });
        });
        let finding = scene.finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert!(finding.evidence.iter().any(|line| line.text == "the Pong of the client comes too late"));
    }

    #[test]
    fn retransmissions_blame_the_path() {
        let scene = Scene::session("", "").pings(Client, 1);
        let scene = scene.after(0.5).packet(|_| ()).with(|c: &mut Connection| {
            let from = c.last;
            c.tcp.repeats.client = Some(Box::new(Repeats { count: 5, span: Span { from, until: from } }));
        });
        let scene = scene.after(25.0).packet(|_| ()).with(|c: &mut Connection| {
            let until = c.last;
            c.tcp.repeats.client.as_mut().unwrap().span.until = until;
        });
        assert_eq!(scene.finds(RULE.name).blame, Blame::Network);
    }

    #[test]
    fn a_peer_that_talks_and_never_pongs_is_told() {
        let finding =
            Scene::session("", "").pings(Client, 2).after(30.0).messages(Server, 3).finds(RULE.name);
        assert!(finding.message.contains("other data meanwhile"));
        // A Pong with another payload answers no Ping.
        let other = Scene::session("", "").pings(Client, 2).after(30.0).messages(Server, 3);
        let finding =
            other.with(|c: &mut Connection| c.frames.as_mut().unwrap().server.pong = 2).finds(RULE.name);
        assert!(finding.message.contains("none with the payload of a Ping"), "{}", finding.message);
    }

    #[test]
    fn who_reads_nothing_gets_no_pong() {
        let told = |seconds| {
            let mut from = None;
            let scene =
                Scene::session("", "").pings(Client, 1).packet(|seen| from = Some(seen)).after(seconds);
            let scene = scene.packet(|_| ()).with(|c: &mut Connection| {
                let span = Span { from: from.unwrap(), until: c.last };
                c.tcp.stall.client = Some(Box::new(Stall { span, told: c.last }));
            });
            scene.after(25.0).close(Client, 1011, "keepalive ping timeout").finds(RULE.name)
        };
        let finding = told(24.0);
        assert_eq!((finding.blame, finding.origin), (Blame::Client, Some(Origin::Client)));
        assert!(finding.help.contains("client did not read"), "{}", finding.help);
        assert_eq!(told(0.5).blame, Blame::Server);
    }

    #[test]
    fn a_pong_may_wait_behind_a_large_frame() {
        let told = |bytes| {
            let scene = Scene::session("", "").pings(Server, 1).after(10.0).messages(Client, 1);
            let scene = scene.with(|c: &mut Connection| {
                c.frames.as_mut().unwrap().client.longest_frame = bytes;
            });
            // The answer comes after the end, when nobody waits for it any more.
            let scene = scene.after(15.0).close(Server, 1011, "keepalive ping timeout");
            scene.messages(Client, 1).finds(RULE.name)
        };
        let finding = told(50 << 20);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Possible));
        assert!(finding.message.contains("frames of up to 52428800 bytes"), "{}", finding.message);
        assert!(finding.help.contains("in fragments"), "{}", finding.help);
        let finding = told(LARGE - 1);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert!(finding.message.contains("other data meanwhile"), "{}", finding.message);
    }

    #[test]
    fn short_waits_gaps_and_late_pings_are_silent() {
        Scene::session("", "").pings(Client, 1).after(1.5).fin(Client).silent(RULE.name);
        Scene::session("", "").pings(Client, 1).after(5.0).fin(Server).silent(RULE.name);
        Scene::session("", "").pings(Client, 1).gap(Server).after(30.0).fin(Client).silent(RULE.name);
        let closing = Scene::session("", "").close(Server, 1000, "").pings(Client, 1).after(30.0);
        closing.close(Client, 1000, "").fin(Server).silent(RULE.name);
    }

    #[test]
    fn libraries_give_up_in_their_own_words() {
        let gave_up = |code, reason| {
            let scene = Scene::session("", "").messages(Client, 1).pings(Server, 1).after(3.0);
            scene.close(Server, code, reason).fin(Server).findings()
        };
        for (code, reason) in [(1000, "ping timed out"), (1008, "Ping/Pong timeout"), (1011, "")] {
            let findings = gave_up(code, reason);
            assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{code} {findings:#?}");
            assert_eq!(findings[0].blame, Blame::Client);
        }
        let findings = gave_up(1002, "");
        assert!(findings.iter().all(|finding| finding.rule.name != RULE.name), "{findings:#?}");
    }

    #[test]
    fn a_heartbeat_of_engine_io_is_a_message() {
        let session = |version: u8, bytes: u64| {
            let request = REQUEST.replace("/chat?token=s3cret", &format!("/socket.io/?EIO={version}"));
            let scene =
                Scene::tcp().request(&request).answer(ANSWER, "").messages(Client, 1).messages(Server, 1);
            scene.with(|c: &mut Connection| c.frames.as_mut().unwrap().server.latest_message = bytes)
        };
        let finding =
            session(4, 1).after(20.0).raw_close(Server, b"").raw_close(Client, b"").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert!(finding.message.contains("Socket.IO") && finding.help.contains("pingTimeout"));
        session(4, 1).after(20.0).close(Server, 1000, "").fin(Server).finds(RULE.name);
        for other in [
            session(3, 1).after(20.0).close(Server, 1000, ""),
            session(4, 7).after(20.0).close(Server, 1000, ""),
            session(4, 1).messages(Client, 1).after(20.0).close(Server, 1000, ""),
            session(4, 1).after(1.0).close(Server, 1000, ""),
            session(4, 1).after(20.0).close(Client, 1000, ""),
            session(4, 1).after(20.0).close(Server, 1001, ""),
        ] {
            other.silent(RULE.name);
        }
    }

    #[test]
    fn an_internal_error_of_a_side_that_hears_the_other_is_its_own() {
        let pinged = || Scene::session("", "").pings(Server, 1).after(3.0);
        pinged().messages(Client, 1).close(Server, 1011, "").fin(Server).silent(RULE.name);
        let hasty = Scene::session("", "").messages(Client, 1).pings(Server, 1).after(0.5);
        hasty.close(Server, 1011, "").fin(Server).silent(RULE.name);
    }
}
