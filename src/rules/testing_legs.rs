//! The two legs around a gateway, built by hand.

use super::testing::{Scene, flat};
use crate::capture::PacketId;
use crate::connection::Connection;
use crate::legs::{self, Clock, LegPair, Legs, Means};
use crate::net::Endpoint;
use crate::role::Sides;
use crate::rules::{Confidence, Context, Finding, judge_chain, rule};

/// The two legs of one session: the upstream leg runs from 10.1.0.1 to 10.1.0.20, its packets count from 101, and
/// everything in it is 1 ms later, until the scenes say otherwise.
pub struct Both {
    client: Connection,
    upstream: Connection,
}

/// Two scenes as client leg and upstream leg, told by the key that both have.
pub fn both(client: Scene, upstream: Scene) -> Both {
    let (client, mut upstream) = (client.build(), upstream.build());
    let endpoint = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
    let tcp = &mut upstream.tcp;
    (tcp.client, tcp.server) = (endpoint([10, 1, 0, 1], 40_000), endpoint([10, 1, 0, 20], 8080));
    (upstream.serial, upstream.tcp.stream) = (1, 1);
    upstream.tcp.isn = Sides { client: Some(7_000), server: Some(9_000) };
    Both { client, upstream: renumber(upstream, 100) }
}

/// The same connection with other packet numbers.
fn renumber(mut connection: Connection, by: u64) -> Connection {
    let request = connection.request.iter_mut().map(|r| &mut r.seen);
    let response = connection.response.iter_mut().map(|r| &mut r.seen);
    let closes = connection.closes.iter_mut().map(|c| &mut c.seen);
    let end = connection.ending.by.iter_mut().map(|(_, seen)| seen);
    let reset = connection.tcp.reset.iter_mut().map(|reset| &mut reset.seen);
    let both = [&mut connection.first, &mut connection.last];
    for seen in both.into_iter().chain(reset).chain(request).chain(response).chain(closes).chain(end) {
        seen.packet = PacketId::new(0, seen.packet.number() + by);
    }
    connection
}

impl Both {
    /// The pair as it is matched.
    pub fn pair(&self) -> LegPair {
        let mut pairs = legs::pair(&[&self.client, &self.upstream]).pairs;
        match pairs.pop() {
            Some(paired) => paired.pair,
            None => LegPair {
                client_leg: 0,
                upstream_leg: 1,
                attempts: Vec::new(),
                subrequests: Vec::new(),
                client: self.client.tcp.client,
                gateway: self.client.tcp.server,
                upstream: self.upstream.tcp.server,
                upstream_stream: (0, self.upstream.tcp.stream),
                means: Means::ProxyProtocol,
                confidence: Confidence::Certain,
                clock: Clock::default(),
                passage: legs::passage(&self.client, &self.upstream),
                changes: Vec::new(),
            },
        }
    }

    /// The pair, and its two legs.
    pub fn into_parts(self) -> (LegPair, [Connection; 2]) {
        (self.pair(), [self.client, self.upstream])
    }

    /// Asks something of the two.
    pub fn legs<T>(&self, ask: impl FnOnce(&Legs<'_>) -> T) -> T {
        let pair = self.pair();
        ask(&crate::legs::Legs { pair: &pair, client: &self.client, upstream: &self.upstream })
    }

    /// What the rules say of the client leg, and what they say of the upstream leg besides.
    pub fn findings(&self) -> (Vec<Finding>, Vec<Finding>) {
        let pair = self.pair();
        let chain = [&self.client, &self.upstream];
        let mut judged = judge_chain(&chain, &[&pair], &Context::alone());
        let upstream = judged.pop().unwrap();
        (judged.pop().unwrap(), upstream)
    }

    /// The finding of a rule about either leg, wherever it hangs.
    #[track_caller]
    pub fn finds(&self, name: &str) -> Finding {
        let (client, upstream) = self.findings();
        let all: Vec<&Finding> = flat(&client).into_iter().chain(flat(&upstream)).collect();
        let names: Vec<_> = all.iter().map(|finding| finding.rule.name).collect();
        all.into_iter()
            .find(|finding| finding.rule.name == name)
            .cloned()
            .unwrap_or_else(|| panic!("{name} is silent, only {names:?} speak"))
    }

    /// That a rule is silent on both legs.
    #[track_caller]
    pub fn silent(&self, name: &str) {
        assert!(rule(name).is_some(), "no rule is called {name}");
        let (client, upstream) = self.findings();
        let found = flat(&client).into_iter().chain(flat(&upstream)).find(|f| f.rule.name == name).cloned();
        assert!(found.is_none(), "{found:#?}");
    }
}
