//! Where the events of all flows come together, in the order of a run on one thread.

use super::pending::Pending;
use super::streams::Streams;
use super::{Observer, Totals, When};
use crate::connection::{Carried, FlowEvent, ListQuota};
use crate::limits;
use crate::rules::Selection;

/// Numbers the flows, keeps their connections in [`Pending`], and has them judged when it is time.
pub(super) struct Judge<'a, O> {
    streams: Streams,
    pending: Pending<'a>,
    /// TLS connections of which nothing could be read: those that are listed, and how many are not.
    quota: ListQuota,
    unlisted: u64,
    totals: Totals,
    when: When,
    /// How many connections waited a second ago.
    waited: usize,
    observer: &'a mut O,
}

impl<'a, O: Observer> Judge<'a, O> {
    /// Before the first event.
    pub(super) fn new(selection: &'a Selection, when: When, observer: &'a mut O) -> Judge<'a, O> {
        Judge {
            streams: Streams::default(),
            pending: Pending::new(selection),
            quota: ListQuota::default(),
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
                self.pending.settle(self.waited, &mut self.totals, self.observer);
            }
            self.waited = self.pending.waiting();
        }
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, event: FlowEvent) {
        let (first, mut carried) = match event {
            FlowEvent::Opened(first) => return self.streams.open(first),
            FlowEvent::Gone(first) => return self.streams.forget(first),
            FlowEvent::Carried(first, carried) => (first, carried),
        };
        let stream = self.streams.number(first);
        match &mut carried {
            Carried::WebSocket(connection) => connection.tcp.stream = stream,
            Carried::Encrypted(connection) => {
                if !connection.tls.as_deref().is_some_and(|tls| self.quota.takes(tls)) {
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
        self.pending.take(carried);
        if self.pending.is_full() {
            let waited = self.pending.waiting();
            self.pending.settle(limits::WAITING_CONNECTIONS / 2, &mut self.totals, self.observer);
            self.totals.judged_early += waited.saturating_sub(self.pending.waiting()) as u64;
            self.waited = 0;
        }
    }

    /// After the last event: judges the connections that still wait. Returns the counts of connections, and how many TLS
    /// connections were too many to be listed.
    pub(super) fn finish(mut self) -> (Totals, u64) {
        self.pending.finish(&mut self.totals, self.observer);
        (self.totals, self.unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Connection, Unused};
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
        let mut judge = Judge::new(&selection, When::Late, &mut judged);
        let count = limits::WAITING_CONNECTIONS * 3 / 2;
        for number in 1..=count as u64 {
            let mut connection = Box::new(session.clone());
            connection.first.packet = PacketId::new(0, number);
            let first = connection.first.packet;
            judge.take(FlowEvent::Carried(first, Carried::WebSocket(connection)));
            assert!(judge.pending.waiting() <= limits::WAITING_CONNECTIONS);
        }
        let early = limits::WAITING_CONNECTIONS / 2;
        assert_eq!(judge.observer.0, early, "those that waited longest");
        let (totals, _) = judge.finish();
        assert_eq!((totals.judged_early, judged.0), (early as u64, count), "which is told");
    }

    #[test]
    fn connections_without_payload_are_remembered_up_to_a_number() {
        let session = Scene::tcp().build();
        let (selection, mut judged) = (Selection::default(), Judged::default());
        let mut judge = Judge::new(&selection, When::Late, &mut judged);
        for number in 1..=4 * limits::UNUSED as u64 {
            let opened = Seen { packet: PacketId::new(0, number), ..session.first };
            let (client, server) = (session.tcp.client, session.tcp.server);
            let (capture, stream, syns, accepted, ended) = (0, 0, 1, None, None);
            let undelivered = Vec::new();
            let unused =
                Unused { capture, stream, client, server, opened, syns, accepted, ended, undelivered };
            judge.take(FlowEvent::Carried(opened.packet, Carried::Nothing(unused)));
            assert!(judge.pending.unused() <= limits::UNUSED);
            assert_eq!((judge.totals.tcp_refused, judge.totals.tcp_unanswered), (0, number));
        }
        assert_eq!(judge.pending.unused(), limits::UNUSED);
    }
}
