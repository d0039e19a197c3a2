use crate::capture::Seen;
use crate::connection::{Carrier, Close, Connection, Outcome};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote, trust, undelivered};

rule! {
    /// # What it finds
    /// One side sent Close and the other never did.
    ///
    /// # Why it matters
    /// The answer tells the sender that its last data arrived. Without it the sender waits out its whole timeout (10 to
    /// 60 seconds in common libraries) and reports an unclean end.
    ///
    /// # What causes it
    /// A program that stops reading before it closes, a killed process, or a proxy that cuts the connection when one
    /// side has finished.
    ///
    /// # How to fix
    /// Read until the Close has come and let the library answer it: no `terminate()` or `destroy()` right after
    /// `close()` in ws, `await wait_closed()` in Python's websockets, and do not stop the reading task first.
    ///
    /// # What it does not report
    /// Captures that end within 10 s of the Close, and sides that were not captured whole or of which nothing else was. A Close with 1002, 1003,
    /// 1007 or 1009: its sender has failed the connection, and an answer is worth nothing. A Close after pings without
    /// answer: none can be expected. A side whose packets do not arrive, as ICMP says: what it answers waits behind them. Where the sender itself ended TCP within a second, the other side had no time, and
    /// it is only information.
    pub static RULE = "WS-CL-005" "close-unanswered" {
        severity: Warning, category: Close, reference: "RFC 6455 §5.5.1, §7.1.2",
        explains: [], asked_on: [Abrupt], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(close) = connection.closes.first() else { return };
    let silent = close.from.other();
    if !trust::unechoed(connection) || trust::doubt(connection, silent).is_some() {
        return;
    }
    // Of a side that says nothing else, the capture may lack all that it said.
    if connection.outcome == Outcome::Unseen && !trust::has_spoken(connection, silent) {
        return;
    }
    let failed = matches!(close.code, Some(1002 | 1003 | 1007 | 1009)) || super::ping_timeout(close);
    let Some((by, end)) = connection.ending.by else {
        found.extend(still_open(connection, close).filter(|_| !failed));
        return;
    };
    let over_before = end.at < close.seen.at;
    if failed || over_before || undelivered::hold_back(connection, silent, close.seen) {
        return;
    }
    let waited = trust::elapsed(connection, close.seen, end);
    let hasty = by == close.from && waited.is_none_or(|waited| waited < PATIENCE);
    let (how, transport) = (quote::ending(connection), quote::transport(connection));
    found.push(
        Finding::new(&RULE, close.seen, format!("Close of the {} never answered", close.from.name()))
            .at_most(if hasty { Severity::Info } else { Severity::Warning })
            .origin(silent)
            .blame(if hasty { Blame::Unknown } else { silent.into() })
            .message(format!(
                "the {} sent {} and the {} never answered; the {} ended {transport} with {how}{}",
                close.from.name(),
                quote::close(close),
                silent.name(),
                by.name(),
                quote::later(waited)
            ))
            .shows(close.seen, format!("{} sends {}", close.from.name(), quote::close(close)))
            .shows(
                end,
                format!("{how} from the {}, no Close from the {} before it", by.name(), silent.name()),
            )
            .help(if hasty {
                format!(
                    "let the {} wait for the answering Close before it ends {transport}",
                    close.from.name()
                )
            } else {
                format!("let the {} read until the Close has come and answer it", silent.name())
            }),
    );
}

/// The connection is open when the capture ends, and long after the Close.
fn still_open(connection: &Connection, close: &Close) -> Option<Finding> {
    let silent = close.from.other();
    // The packets of a stream of HTTP/2 are not its own.
    let is_alone = connection.carrier == Carrier::Http1;
    let last = if is_alone { connection.last.at.max(connection.tcp.heard) } else { connection.last.at };
    let until = Seen { at: last, ..connection.last };
    let waited = trust::elapsed(connection, close.seen, until).filter(|waited| *waited >= LONG)?;
    let bare = if last > connection.last.at { ", but for packets without payload" } else { "" };
    let name = silent.name();
    Some(
        Finding::new(&RULE, close.seen, format!("Close of the {} never answered", close.from.name()))
            .confidence(Confidence::Likely)
            .origin(silent)
            .blame(silent)
            .message(format!(
                "the {} sent {} and the {name} had not answered{} when the capture ended, with the connection still open",
                close.from.name(),
                quote::close(close),
                quote::after(Some(waited))
            ))
            .shows(close.seen, format!("{} sends {}", close.from.name(), quote::close(close)))
            .shows(connection.last, format!("last packet of the connection{bare}, no Close from the {name} before it"))
            .help(format!("let the {name} read until the Close has come and answer it")),
    )
}

/// Seconds after which an answer is missing even where the connection stays open: the patience of common libraries.
const LONG: f64 = 10.0;

/// Seconds within which an answer cannot be expected on every path.
const PATIENCE: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Repeats, Reporter, Span, Undelivered};
    use crate::net::{Icmp, IcmpKind};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};
    use crate::time::Timestamp;

    #[test]
    fn the_side_that_never_answers_is_to_blame() {
        let finding = Scene::session("", "").close(Server, 1001, "").reset(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Client, Severity::Warning));
        let finding = Scene::session("", "").close(Client, 1000, "").after(10.0).fin(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Server, Severity::Warning));
    }

    #[test]
    fn a_hasty_sender_leaves_no_time() {
        let finding = Scene::session("", "").close(Client, 1000, "").fin(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Unknown, Severity::Info));
    }

    #[test]
    fn a_connection_that_stays_open_is_waited_for() {
        let open = |wait: f64| Scene::session("", "").close(Server, 1001, "").after(wait).packet(|_| ());
        let finding = open(12.0).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Client, Severity::Warning));
        assert!(finding.message.contains("still open"));
        open(5.0).silent(RULE.name);
        open(5.0).gap(Client).after(12.0).packet(|_| ()).silent(RULE.name);
        Scene::session("", "").close(Server, 1009, "").after(12.0).packet(|_| ()).silent(RULE.name);
    }

    #[test]
    fn time_that_only_bare_acks_show_passes_too() {
        let probed =
            |c: &mut Connection| c.tcp.heard = Timestamp::from_nanos(c.last.at.as_nanos() + 60_000_000_000);
        let finding = Scene::session("", "").close(Server, 1001, "").with(probed).finds(RULE.name);
        assert!(finding.message.contains("60.0 s") && finding.message.contains("still open"));
        assert!(finding.evidence[1].text.contains("but for packets without payload"));
    }

    #[test]
    fn open_failed_and_half_seen_connections_are_silent() {
        Scene::session("", "").close(Server, 1000, "").silent(RULE.name);
        Scene::session("", "").close(Server, 1002, "").fin(Client).silent(RULE.name);
        Scene::session("", "").gap(Client).close(Server, 1000, "").fin(Client).silent(RULE.name);
        Scene::session("", "").unseen(Client).close(Server, 1000, "").fin(Server).silent(RULE.name);
        Scene::session("", "").close(Server, 1000, "").close(Client, 1000, "").fin(Client).silent(RULE.name);
    }

    #[test]
    fn what_a_side_answers_behind_packets_that_do_not_arrive_is_not_missed() {
        let narrow = |c: &mut Connection| {
            let says = Icmp { by: [10, 0, 0, 1].into(), kind: IcmpKind::TooBig { mtu: None }, code: (3, 4) };
            let span = Span { from: c.last, until: c.last };
            let (stuck, reporter) = (Repeats { count: 1, span }, Reporter::Path);
            c.tcp.undelivered.server = vec![Undelivered { says, count: 1, span, stuck, reporter }];
        };
        let left = |scene: Scene| scene.after(10.0).fin(Client);
        let closed = || Scene::session("", "").close(Client, 1000, "").packet(|_| ());
        left(closed().with(narrow)).silent(RULE.name);
        left(Scene::session("", "").with(narrow).close(Client, 1000, "")).finds(RULE.name);
    }
}
