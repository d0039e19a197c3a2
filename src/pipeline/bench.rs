//! Where connections wait to be judged until more of the run is known.

use super::{Observer, Totals};
use crate::connection::{Carried, Connection, Outcome, Unused};
use crate::gateway::Census;
use crate::legs::{Again, Candidates, Fronts, LegPair, Matched, Paired, Unconnected};
use crate::limits;
use crate::rules::{self, Context, Cues, Finding, Selection};
use std::collections::{BTreeMap, VecDeque};

/// Connections that wait, and what is known of the run around them.
pub(super) struct Bench<'a> {
    selection: &'a Selection,
    /// Those that came last and have no place yet.
    arrived: Vec<Box<Connection>>,
    waiting: Vec<Waiting>,
    /// Bytes that these take for their heads.
    weight: usize,
    /// Their serial numbers.
    serials: Vec<u64>,
    candidates: Candidates,
    census: Census,
    /// Those without payload that came since others were judged, and those before them.
    unused: VecDeque<Unused>,
    unconnected: Unconnected,
    fronts: Fronts,
    taken: u64,
}

impl<'a> Bench<'a> {
    /// Nobody waits.
    pub(super) fn new(selection: &'a Selection) -> Bench<'a> {
        Bench {
            selection,
            arrived: Vec::with_capacity(ARRIVALS),
            waiting: Vec::new(),
            weight: 0,
            serials: Vec::new(),
            candidates: Candidates::default(),
            census: Census::default(),
            unused: VecDeque::new(),
            unconnected: Unconnected::default(),
            fronts: Fronts::default(),
            taken: 0,
        }
    }

    /// Takes what a flow carried.
    pub(super) fn take(&mut self, carried: Carried) {
        match carried {
            Carried::WebSocket(connection) | Carried::Encrypted(connection) => {
                self.arrived.push(connection);
                if self.arrived.len() == ARRIVALS {
                    self.seat();
                }
            }
            Carried::Nothing(unused) => {
                self.unused.push_back(unused);
                if self.unused.len() > limits::UNUSED {
                    self.unused.pop_front();
                }
            }
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.arrived.len()
    }

    /// How many without payload are remembered.
    #[cfg(test)]
    pub(super) fn unused(&self) -> usize {
        self.unused.len()
    }

    /// Whether no more may wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() > limits::WAITING_CONNECTIONS || self.weight > limits::WAITING_BYTES
    }

    /// All have come: judges those that still wait.
    pub(super) fn finish(&mut self, totals: &mut Totals, observer: &mut impl Observer) {
        self.seat();
        self.census.complete();
        self.settle(usize::MAX, totals, observer);
    }

    /// Judges so many of those that waited longest, and with each the other legs of its session. Half of them at a time
    /// keeps the work of matching proportional to the number of connections.
    pub(super) fn settle(&mut self, oldest: usize, totals: &mut Totals, observer: &mut impl Observer) {
        self.seat();
        self.census.renew(self.waiting.len());
        self.unused.drain(..).for_each(|unused| self.unconnected.push(unused));
        let (census, unused, fronts) = (&self.census, &self.unconnected, &self.fronts);
        let context = Context { census, unused, fronts, selection: self.selection, legs: None };
        let mut waiting: Vec<Option<Waiting>> =
            std::mem::take(&mut self.waiting).into_iter().map(Some).collect();
        let Matched { pairs, again } = {
            let all: Vec<&Connection> =
                waiting.iter().flatten().map(|waiting| &*waiting.connection).collect();
            self.candidates.pair(&self.serials, &all)
        };
        let sessions = sessions(&pairs);
        let mut session_of: Vec<Option<&Session<'_>>> = vec![None; waiting.len()];
        for session in &sessions {
            session.members().for_each(|index| session_of[index] = Some(session));
        }
        let pictures = Pictures::new(&again);
        for index in 0..oldest.min(waiting.len()) {
            let index = pictures.first_of(index).unwrap_or(index);
            let Some(session) = session_of[index] else {
                if let Some(Waiting { connection, cues, .. }) = waiting[index].take() {
                    let findings = rules::judge_by_cues(&connection, cues, &context);
                    let judged = vec![(index, connection, findings)];
                    pictures.emit(judged, &mut waiting, &context, totals, observer);
                }
                continue;
            };
            let mut take = |index: &usize| waiting[*index].take().map(|waiting| waiting.connection);
            let chain: Vec<Box<Connection>> = session.chain.iter().filter_map(&mut take).collect();
            let attempts: Vec<Box<Connection>> = session.attempts.iter().filter_map(&mut take).collect();
            // All of a session are taken at once, with the first of them.
            if chain.len() < session.chain.len() {
                continue;
            }
            let links: Vec<&LegPair> = session.pairs.iter().map(|paired| &paired.pair).collect();
            let mut findings = {
                let chain: Vec<&Connection> = chain.iter().map(|connection| &**connection).collect();
                rules::judge_chain(&chain, &links, &context)
            };
            session.pairs.iter().for_each(|paired| observer.legs(paired.pair.clone()));
            let mut attempted: Vec<Judged> = Vec::new();
            for (&index, connection) in session.attempts.iter().zip(attempts) {
                let found = links.iter().find(|pair| pair.attempts.contains(&connection.serial));
                // What a gateway asked of another service about an upgrade is no upgrade, and owes none; TLS that failed is
                // told with the last attempt at it.
                let is_told = connection.outcome == Outcome::Encrypted
                    || found.is_some_and(|pair| pair.asides.contains(&connection.serial));
                let place = |serial: u64| chain.iter().position(|leg| leg.serial == serial);
                let said = match found.and_then(|pair| Some((pair, place(pair.client_leg)?))) {
                    _ if is_told => Vec::new(),
                    Some((pair, outer)) => {
                        let upstream = place(pair.upstream_leg).and_then(|place| chain.get(place));
                        let got = upstream.is_some_and(|leg| leg.outcome == Outcome::Established);
                        let told = findings.get_mut(outer).map_or(&mut [][..], Vec::as_mut_slice);
                        rules::judge_attempt(&connection, pair, got, told, &context)
                    }
                    None => rules::judge(&connection, &context),
                };
                attempted.push((index, connection, said));
            }
            let places = session.chain.iter().copied();
            let mut judged: Vec<Judged> = places
                .zip(chain)
                .zip(findings)
                .map(|((index, connection), findings)| (index, connection, findings))
                .collect();
            judged.extend(attempted);
            pictures.emit(judged, &mut waiting, &context, totals, observer);
        }
        let mut left = waiting.iter().map(Option::is_some);
        self.serials.retain(|_| left.next() == Some(true));
        self.candidates.retain(&self.serials);
        // As many will wait again.
        self.waiting.reserve(waiting.len());
        self.waiting.extend(waiting.into_iter().flatten());
        self.weight = self.waiting.iter().map(|waiting| waiting.weight).sum();
    }

    /// Gives those that arrived their places among all. Each step is done for all of them before the next one begins, so
    /// that its code is fetched once for many: a twentieth of the time where connections are short.
    fn seat(&mut self) {
        for connection in &self.arrived {
            self.census.push(connection);
            self.fronts.push(connection);
        }
        for connection in &mut self.arrived {
            connection.serial = self.taken;
            self.candidates.add(self.taken, connection);
            self.serials.push(self.taken);
            self.taken += 1;
        }
        // Now that they are at hand: when they are judged, they have long left the caches.
        let seated = self.arrived.drain(..).map(|connection| {
            let (cues, weight) = (Cues::of(&connection), connection.weight());
            self.weight += weight;
            Waiting { connection, cues, weight }
        });
        self.waiting.extend(seated);
    }
}

/// Connections that get their places together: few enough to be in the caches still.
const ARRIVALS: usize = 32;

/// A connection that waits.
struct Waiting {
    connection: Box<Connection>,
    /// What there is to see of it.
    cues: Cues,
    /// Bytes that its heads take.
    weight: usize,
}

/// A connection by its index, and what the rules say of it.
type Judged = (usize, Box<Connection>, Vec<Finding>);

/// Connections that were captured twice, on both sides of an address translation.
struct Pictures {
    /// Second ones by the first.
    second: BTreeMap<usize, Vec<usize>>,
    /// First ones by the second.
    first: BTreeMap<usize, usize>,
}

impl Pictures {
    fn new(again: &[Again]) -> Pictures {
        let mut pictures = Pictures { second: BTreeMap::new(), first: BTreeMap::new() };
        for (index, first) in again.iter().filter_map(|again| Some((again.index, again.first?))) {
            pictures.second.entry(first).or_default().push(index);
            pictures.first.insert(index, first);
        }
        pictures
    }

    /// The first picture of what this is a second one of.
    fn first_of(&self, index: usize) -> Option<usize> {
        self.first.get(&index).copied()
    }

    /// Hands on what was judged, and with each connection its other pictures, which say what the first one does not.
    fn emit(
        &self,
        mut judged: Vec<Judged>,
        waiting: &mut [Option<Waiting>],
        context: &Context<'_>,
        totals: &mut Totals,
        observer: &mut impl Observer,
    ) {
        let mut others = Vec::new();
        for (index, connection, findings) in &mut judged {
            let seconds = self.second.get(index).map_or(&[][..], Vec::as_slice);
            for Waiting { connection: second, cues, .. } in
                seconds.iter().filter_map(|&second| waiting[second].take())
            {
                let rest = rules::judge_by_cues(&second, cues, context);
                let rest = rules::fold(connection, findings, &second, rest);
                observer.again(connection.serial, second.serial);
                others.push((second, rest));
            }
        }
        let first = judged.into_iter().map(|(_, connection, findings)| (connection, findings));
        for (connection, findings) in first.chain(others) {
            totals.count(&connection);
            observer.connection(connection, findings);
        }
    }
}

/// Connections that belong together, by index.
struct Session<'a> {
    /// The legs, from the client's on.
    chain: Vec<usize>,
    /// The pairs that join them, one fewer.
    pairs: Vec<&'a Paired>,
    /// Upstream legs that failed beside them.
    attempts: Vec<usize>,
}

impl Session<'_> {
    fn members(&self) -> impl Iterator<Item = usize> {
        self.chain.iter().chain(&self.attempts).copied()
    }
}

/// The sessions that these pairs make, each connection in one of them at most.
fn sessions(pairs: &[Paired]) -> Vec<Session<'_>> {
    let below = |client: usize| {
        pairs.binary_search_by_key(&client, |paired| paired.client).ok().map(|place| &pairs[place])
    };
    let mut inner: Vec<usize> = pairs.iter().map(|paired| paired.upstream).collect();
    inner.sort_unstable();
    pairs
        .iter()
        .filter(|paired| inner.binary_search(&paired.client).is_err())
        .map(|outer| {
            let mut session = Session { chain: vec![outer.client], pairs: Vec::new(), attempts: Vec::new() };
            let mut next = Some(outer);
            while let Some(paired) = next {
                session.pairs.push(paired);
                session.chain.push(paired.upstream);
                // An attempt that is itself a client leg begins a session of its own.
                session.attempts.extend(paired.attempts.iter().filter(|&&attempt| below(attempt).is_none()));
                next = below(paired.upstream);
            }
            session
        })
        .collect()
}
