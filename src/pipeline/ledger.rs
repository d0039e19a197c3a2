//! Where all that is told of the flows of a run comes together, in one order.

use super::bench::Bench;
use super::streams::Streams;
use super::{Observer, Totals, When};
use crate::connection::{Carried, Roll, Told};
use crate::rules::Selection;

/// Numbers flows, seats connections on the bench, and has them judged.
pub(super) struct Ledger<'a, O> {
    streams: Streams,
    bench: Bench<'a>,
    /// TLS connections of which nothing could be read: those that are listed, and how many are not.
    roll: Roll,
    unlisted: u64,
    totals: Totals,
    when: When,
    /// How many waited a second ago.
    waited: usize,
    observer: &'a mut O,
}

impl<'a, O: Observer> Ledger<'a, O> {
    /// Nothing was told yet.
    pub(super) fn new(selection: &'a Selection, when: When, observer: &'a mut O) -> Ledger<'a, O> {
        Ledger {
            streams: Streams::default(),
            bench: Bench::new(selection),
            roll: Roll::default(),
            unlisted: 0,
            totals: Totals::default(),
            when,
            waited: 0,
            observer,
        }
    }

    /// A second went by. Where somebody watches, those that wait since the last one are judged: the other leg of a session
    /// ends within moments of the first.
    pub(super) fn second(&mut self) {
        if self.when == When::Promptly {
            if self.waited > 0 {
                self.bench.settle(self.waited, &mut self.totals, self.observer);
            }
            self.waited = self.bench.waiting();
        }
    }

    /// Takes what is told next.
    pub(super) fn take(&mut self, told: Told) {
        let (first, mut carried) = match told {
            Told::Opened(first) => return self.streams.open(first),
            Told::Gone(first) => return self.streams.forget(first),
            Told::Carried(first, carried) => (first, carried),
        };
        let stream = self.streams.number(first);
        match &mut carried {
            Carried::WebSocket(connection) => connection.tcp.stream = stream,
            Carried::Encrypted(connection) => {
                if !connection.tls.as_deref().is_some_and(|tls| self.roll.takes(tls)) {
                    self.unlisted += 1;
                    return;
                }
                connection.tcp.stream = stream;
            }
            Carried::Nothing(unused) => {
                unused.stream = stream;
                self.totals.count_unused(unused);
            }
        }
        self.bench.take(carried);
        if self.bench.is_full() {
            let waited = self.bench.waiting();
            self.bench.settle((waited / 2).max(1), &mut self.totals, self.observer);
            self.totals.judged_early += waited.saturating_sub(self.bench.waiting()) as u64;
            self.waited = 0;
        }
    }

    /// All was told: judges those that still wait. Gives the counts of connections, and how many of TLS were one too many
    /// to be listed.
    pub(super) fn finish(mut self) -> (Totals, u64) {
        self.bench.finish(&mut self.totals, self.observer);
        (self.totals, self.unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Connection, Unused};
    use crate::limits;
    use crate::rules::Finding;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    /// Counts the connections that were judged.
    #[derive(Default)]
    struct Judged(usize);

    impl Observer for Judged {
        fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {
            self.0 += 1;
        }
    }

    #[test]
    fn connections_wait_to_be_judged_up_to_a_number() {
        let session = Scene::tcp().request(REQUEST).answer(ANSWER, "").build();
        let (selection, mut judged) = (Selection::default(), Judged::default());
        let mut ledger = Ledger::new(&selection, When::Late, &mut judged);
        let count = limits::WAITING_CONNECTIONS * 3 / 2;
        for number in 1..=count as u64 {
            let mut connection = Box::new(session.clone());
            connection.first.packet = PacketId::new(0, number);
            let first = connection.first.packet;
            ledger.take(Told::Carried(first, Carried::WebSocket(connection)));
            assert!(ledger.bench.waiting() <= limits::WAITING_CONNECTIONS);
        }
        let early = limits::WAITING_CONNECTIONS / 2;
        assert_eq!(ledger.observer.0, early, "those that waited longest");
        let (totals, _) = ledger.finish();
        assert_eq!((totals.judged_early, judged.0), (early as u64, count), "which is told");
    }

    #[test]
    fn of_connections_with_long_heads_fewer_wait() {
        let long = REQUEST.replacen("Host", &format!("Cookie: {}\r\nHost", "a".repeat(limits::HEAD / 2)), 1);
        let session = Scene::tcp().request(&long).answer(ANSWER, "").build();
        let fit = limits::WAITING_BYTES / session.weight();
        assert!(session.weight() > limits::HEAD / 2 && 2 * fit < limits::WAITING_CONNECTIONS);
        let (selection, mut judged) = (Selection::default(), Judged::default());
        let mut ledger = Ledger::new(&selection, When::Late, &mut judged);
        let count = 4 * fit;
        for number in 1..=count as u64 {
            let mut connection = Box::new(session.clone());
            connection.first.packet = PacketId::new(0, number);
            let first = connection.first.packet;
            ledger.take(Told::Carried(first, Carried::WebSocket(connection)));
            // A few get their places together.
            assert!(ledger.bench.waiting() < fit + 64);
        }
        ledger.finish();
        assert_eq!(judged.0, count, "none is lost");
    }

    #[test]
    fn connections_without_payload_are_remembered_up_to_a_number() {
        let session = Scene::tcp().build();
        let (selection, mut judged) = (Selection::default(), Judged::default());
        let mut ledger = Ledger::new(&selection, When::Late, &mut judged);
        for number in 1..=4 * limits::UNUSED as u64 {
            let opened = Seen { packet: PacketId::new(0, number), ..session.first };
            let (client, server) = (session.tcp.client, session.tcp.server);
            let (capture, stream, syns, accepted, ended) = (0, 0, 1, None, None);
            let undelivered = Vec::new();
            let unused =
                Unused { capture, stream, client, server, opened, syns, accepted, ended, undelivered };
            ledger.take(Told::Carried(opened.packet, Carried::Nothing(unused)));
            assert!(ledger.bench.unused() <= limits::UNUSED);
            assert_eq!((ledger.totals.tcp_refused, ledger.totals.tcp_unanswered), (0, number));
        }
        assert_eq!(ledger.bench.unused(), limits::UNUSED);
    }
}
