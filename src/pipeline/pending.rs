//! Connections that wait to be judged until more of the run is known.

use super::{Observer, Totals};
use crate::connection::{Carried, Connection, Outcome, Unused};
use crate::gateway::Census;
use crate::legs::{Candidates, Duplicate, LegPair, Matched, Paired, Terminations, Unconnected};
use crate::limits;
use crate::rules::{self, Context, Cues, Finding, Selection};
use std::collections::{BTreeMap, VecDeque};

/// Connections that wait, and what is known of the run around them.
pub(super) struct Pending<'a> {
    selection: &'a Selection,
    /// The latest connections, which are not yet in `waiting`.
    arrived: Vec<Box<Connection>>,
    waiting: Vec<Waiting>,
    /// Serial numbers of the connections in `waiting`, in the same order.
    serials: Vec<u64>,
    candidates: Candidates,
    census: Census,
    unused: VecDeque<Unused>,
    terminations: Terminations,
    next_serial: u64,
}

impl<'a> Pending<'a> {
    /// Nothing waits.
    pub(super) fn new(selection: &'a Selection) -> Pending<'a> {
        Pending {
            selection,
            arrived: Vec::with_capacity(ARRIVALS),
            waiting: Vec::new(),
            serials: Vec::new(),
            candidates: Candidates::default(),
            census: Census::default(),
            unused: VecDeque::new(),
            terminations: Terminations::default(),
            next_serial: 0,
        }
    }

    /// Takes what a flow carried.
    pub(super) fn take(&mut self, carried: Carried) {
        match carried {
            Carried::WebSocket(connection) | Carried::Encrypted(connection) => {
                self.arrived.push(connection);
                if self.arrived.len() == ARRIVALS {
                    self.admit();
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

    /// How many connections wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.arrived.len()
    }

    /// How many flows without payload are remembered.
    #[cfg(test)]
    pub(super) fn unused(&self) -> usize {
        self.unused.len()
    }

    /// Whether more connections wait than may.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() > limits::WAITING_CONNECTIONS
    }

    /// The input is over: judges all connections that still wait.
    pub(super) fn finish(&mut self, totals: &mut Totals, observer: &mut impl Observer) {
        self.admit();
        self.census.complete();
        self.settle(usize::MAX, totals, observer);
    }

    /// Judges the `oldest` connections that wait, each together with the other legs of its session. The caller asks for
    /// half of all at a time, which keeps the work of matching proportional to the number of connections.
    pub(super) fn settle(&mut self, oldest: usize, totals: &mut Totals, observer: &mut impl Observer) {
        self.admit();
        self.census.renew(self.waiting.len());
        let unused = self.unused.make_contiguous();
        unused.sort_by_key(|unused| (unused.opened.at, unused.opened.packet));
        let unused = Unconnected::new(unused);
        let (census, terminations) = (&self.census, &self.terminations);
        let context =
            Context { census, unused: &unused, terminations, selection: self.selection, legs: None };
        let Matched { pairs, duplicates } = {
            let all: Vec<&Connection> = self.waiting.iter().map(|waiting| &*waiting.connection).collect();
            self.candidates.pair(&self.serials, &all)
        };
        let waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().map(Some).collect();
        let sessions = sessions(&pairs);
        let mut session_of: Vec<Option<&Session<'_>>> = vec![None; waiting.len()];
        for session in &sessions {
            session.members().for_each(|index| session_of[index] = Some(session));
        }
        let mut round = Round { waiting, duplicates: Duplicates::new(&duplicates), context };
        for index in 0..oldest.min(round.waiting.len()) {
            let index = round.duplicates.first_of(index).unwrap_or(index);
            let judged = match session_of[index] {
                Some(session) => round.session(session, observer),
                None => round.single(index),
            };
            round.emit(judged, totals, observer);
        }
        let waiting = round.waiting;
        let mut left = waiting.iter().map(Option::is_some);
        self.serials.retain(|_| left.next() == Some(true));
        self.candidates.retain(&self.serials);
        // As many will wait again.
        self.waiting.reserve(waiting.len());
        self.waiting.extend(waiting.into_iter().flatten());
    }

    /// Moves the connections that arrived to those that wait. Each step is done for all of them before the next one begins,
    /// so that its code is fetched once for many: a twentieth of the time where connections are short.
    fn admit(&mut self) {
        for connection in &self.arrived {
            self.census.push(connection);
            self.terminations.push(connection);
        }
        for connection in &mut self.arrived {
            connection.serial = self.next_serial;
            self.candidates.add(self.next_serial, connection);
            self.serials.push(self.next_serial);
            self.next_serial += 1;
        }
        // The cues are taken now, while the connections are in the caches; when they are judged, they have long left them.
        let admitted = self.arrived.drain(..).map(|connection| {
            let cues = Cues::of(&connection);
            Waiting { connection, cues }
        });
        self.waiting.extend(admitted);
    }
}

/// Connections that are admitted together: few enough to be in the caches still.
const ARRIVALS: usize = 32;

/// A connection that waits.
struct Waiting {
    connection: Box<Connection>,
    /// What there is to see of it.
    cues: Cues,
}

/// A connection by its index, and what the rules say of it.
type Judged = (usize, Box<Connection>, Vec<Finding>);

/// One call of [`Pending::settle`].
struct Round<'a> {
    /// Every connection that waits, until it is judged.
    waiting: Vec<Option<Waiting>>,
    duplicates: Duplicates,
    context: Context<'a>,
}

impl Round<'_> {
    /// Judges a connection that belongs to no session of several legs; nothing where it was judged before.
    fn single(&mut self, index: usize) -> Vec<Judged> {
        let judge = |Waiting { connection, cues }| {
            let findings = rules::judge_by_cues(&connection, cues, &self.context);
            (index, connection, findings)
        };
        self.waiting[index].take().map(judge).into_iter().collect()
    }

    /// Judges all connections of a session together; nothing where they were judged before.
    fn session(&mut self, session: &Session<'_>, observer: &mut impl Observer) -> Vec<Judged> {
        let mut take = |index: &usize| self.waiting[*index].take().map(|waiting| waiting.connection);
        let chain: Vec<Box<Connection>> = session.chain.iter().filter_map(&mut take).collect();
        let attempts: Vec<Box<Connection>> = session.attempts.iter().filter_map(&mut take).collect();
        // All of a session are taken at once, with the first of them.
        if chain.len() < session.chain.len() {
            return Vec::new();
        }
        let links: Vec<&LegPair> = session.pairs.iter().map(|paired| &paired.pair).collect();
        let mut findings = {
            let chain: Vec<&Connection> = chain.iter().map(|connection| &**connection).collect();
            rules::judge_chain(&chain, &links, &self.context)
        };
        links.iter().for_each(|pair| observer.legs((*pair).clone()));
        let attempts: Vec<Judged> = session
            .attempts
            .iter()
            .zip(attempts)
            .map(|(&index, attempt)| {
                let said = judge_attempt(&attempt, &chain, &links, &mut findings, &self.context);
                (index, attempt, said)
            })
            .collect();
        let legs = session.chain.iter().zip(chain).zip(findings);
        legs.map(|((&index, leg), findings)| (index, leg, findings)).chain(attempts).collect()
    }

    /// Hands on what was judged, and with each connection its duplicates, which say what the first one does not.
    fn emit(&mut self, mut judged: Vec<Judged>, totals: &mut Totals, observer: &mut impl Observer) {
        let mut others = Vec::new();
        for (index, connection, findings) in &mut judged {
            for &second in self.duplicates.seconds_of(*index) {
                let Some(Waiting { connection: second, cues }) = self.waiting[second].take() else {
                    continue;
                };
                let rest = rules::judge_by_cues(&second, cues, &self.context);
                let rest = rules::fold_duplicate(connection, findings, &second, rest);
                observer.duplicate(connection.serial, second.serial);
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

/// What the rules say of a gateway's connection that did not become a leg of the session: `findings` are those of the legs in
/// `chain`, under which it may find its place.
fn judge_attempt(
    attempt: &Connection,
    chain: &[Box<Connection>],
    links: &[&LegPair],
    findings: &mut [Vec<Finding>],
    context: &Context<'_>,
) -> Vec<Finding> {
    let pair = links.iter().find(|pair| pair.attempts.contains(&attempt.serial));
    // TLS that failed is told with the last attempt at it; and a subrequest is no upgrade, and owes none.
    if attempt.outcome == Outcome::Encrypted
        || pair.is_some_and(|pair| pair.subrequests.contains(&attempt.serial))
    {
        return Vec::new();
    }
    let place = |serial: u64| chain.iter().position(|leg| leg.serial == serial);
    let Some((pair, client_leg)) = pair.and_then(|pair| Some((pair, place(pair.client_leg)?))) else {
        return rules::judge(attempt, context);
    };
    let upstream = place(pair.upstream_leg).map(|place| &chain[place]);
    let is_made_good = upstream.is_some_and(|leg| leg.outcome == Outcome::Established);
    rules::judge_attempt(attempt, pair, is_made_good, &mut findings[client_leg], context)
}

/// Connections that were captured twice, on both sides of an address translation: which index is the duplicate of which.
struct Duplicates {
    seconds: BTreeMap<usize, Vec<usize>>,
    firsts: BTreeMap<usize, usize>,
}

impl Duplicates {
    fn new(found: &[Duplicate]) -> Duplicates {
        let mut duplicates = Duplicates { seconds: BTreeMap::new(), firsts: BTreeMap::new() };
        for (index, first) in found.iter().filter_map(|found| Some((found.index, found.first?))) {
            duplicates.seconds.entry(first).or_default().push(index);
            duplicates.firsts.insert(index, first);
        }
        duplicates
    }

    /// The connection of which this is a duplicate.
    fn first_of(&self, index: usize) -> Option<usize> {
        self.firsts.get(&index).copied()
    }

    /// The duplicates of this connection.
    fn seconds_of(&self, index: usize) -> &[usize] {
        self.seconds.get(&index).map_or(&[], Vec::as_slice)
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
