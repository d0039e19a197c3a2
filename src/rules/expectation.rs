//! What a policy expects of recorded traffic, and the account of how the traffic stood to it.

use super::policy::{self, Standing};
use super::url_pattern::UrlPattern;
use super::{Check, Rule, Selection, Severity, Suppressed, fingerprint_of_run, quote};
use crate::capture::PacketId;
use crate::connection::{Connection, Outcome};
use crate::net::Endpoint;
use crate::role::Role;
use std::ops::RangeInclusive;

/// Close codes from one to another.
pub type Range = RangeInclusive<u16>;

/// What connections at one place must be like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// What people call it.
    pub name: String,
    /// Which connections it concerns.
    pub place: UrlPattern,
    /// What is asked of them, each by itself.
    pub demands: Vec<Demand>,
}

/// One demand; times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Demand {
    /// This extension is agreed.
    Extension(String),
    /// This extension is not agreed.
    NoExtension(String),
    /// One of these subprotocols is agreed.
    Subprotocol(Vec<String>),
    /// This subprotocol is not agreed.
    NoSubprotocol(String),
    /// A side ends sessions with these codes only.
    CloseCodes {
        /// Which side.
        side: Role,
        /// The codes it may use; 1005 stands for none, 1006 for an end without a Close.
        allowed: Vec<Range>,
    },
    /// The handshake is answered in time.
    Handshake {
        /// The longest time.
        longest: i64,
    },
    /// Some side pings, at intervals within bounds.
    Pings {
        /// The shortest interval.
        shortest: i64,
        /// The longest interval.
        longest: i64,
    },
    /// Sessions live at least so long.
    Life {
        /// The shortest life.
        shortest: i64,
    },
    /// No Close has a code that nobody may send.
    NoReservedCodes,
    /// There are at least so many connections.
    Connections(u64),
}

/// How all connections of a run stood to one demand.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name of the expectation.
    pub name: String,
    /// Its place.
    pub place: String,
    /// The rule that tells connections that do not meet it.
    pub rule: &'static Rule,
    /// What is expected.
    pub expected: String,
    /// What to do first where it is not met.
    pub help: &'static str,
    /// How grave it is where it is not met.
    pub severity: Severity,
    /// The same in another run with the same policy.
    pub fingerprint: String,
    /// Why it does not count where it is not met, if so: set by who knows what does not count.
    pub suppressed: Option<Suppressed>,
    /// How many connections could be judged by it.
    pub judged: u64,
    /// How many of these did not meet it.
    pub unmet: u64,
    /// The first that did not meet it; where all did, the first of them. `None` where there was nothing to judge.
    pub shown: Option<(Standing, Option<Connected>)>,
}

/// By what a connection is found again in a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connected {
    /// Its [`Connection::serial`].
    pub serial: u64,
    /// Its first packet.
    pub first: PacketId,
    /// Who asked.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
}

/// Keeps the accounts of a run: what it holds grows with the policy, not with the traffic.
#[derive(Debug)]
pub struct Ledger {
    expectations: Vec<Expectation>,
    counts: Vec<u64>,
    accounts: Vec<Vec<Account>>,
}

impl Expectation {
    /// Whether it is about this connection. What could not be read may be no WebSocket at all.
    pub fn concerns(&self, connection: &Connection) -> bool {
        connection.outcome != Outcome::Encrypted && self.place.holds(connection)
    }
}

impl Demand {
    /// The rule that tells what does not meet it.
    pub fn rule(&self) -> &'static Rule {
        match self {
            Demand::Extension(_) => &policy::expected_extension_missing::RULE,
            Demand::NoExtension(_) => &policy::forbidden_extension_agreed::RULE,
            Demand::Subprotocol(_) => &policy::expected_subprotocol_missing::RULE,
            Demand::NoSubprotocol(_) => &policy::forbidden_subprotocol_agreed::RULE,
            Demand::CloseCodes { .. } => &policy::close_code_not_allowed::RULE,
            Demand::Handshake { .. } => &policy::handshake_longer_than_allowed::RULE,
            Demand::Pings { .. } => &policy::ping_interval_out_of_range::RULE,
            Demand::Life { .. } => &policy::life_shorter_than_allowed::RULE,
            Demand::NoReservedCodes => &policy::reserved_code_sent::RULE,
            Demand::Connections(_) => &policy::too_few_connections::RULE,
        }
    }

    /// How a connection stands to it; `None` where it cannot be judged by this connection.
    pub fn standing(&self, connection: &Connection) -> Option<Standing> {
        match self {
            Demand::Extension(name) => policy::expected_extension_missing::standing(connection, name),
            Demand::NoExtension(name) => policy::forbidden_extension_agreed::standing(connection, name),
            Demand::Subprotocol(names) => policy::expected_subprotocol_missing::standing(connection, names),
            Demand::NoSubprotocol(name) => policy::forbidden_subprotocol_agreed::standing(connection, name),
            Demand::CloseCodes { side, allowed } => {
                policy::close_code_not_allowed::standing(connection, *side, allowed)
            }
            Demand::Handshake { longest } => {
                policy::handshake_longer_than_allowed::standing(connection, *longest)
            }
            Demand::Pings { shortest, longest } => {
                policy::ping_interval_out_of_range::standing(connection, *shortest, *longest)
            }
            Demand::Life { shortest } => policy::life_shorter_than_allowed::standing(connection, *shortest),
            Demand::NoReservedCodes => policy::reserved_code_sent::standing(connection),
            Demand::Connections(_) => None,
        }
    }

    /// What is expected, in a few words.
    pub fn expected(&self) -> String {
        let seconds = |nanos: i64| quote::seconds(nanos as f64 / 1e9);
        match self {
            Demand::Extension(name) => format!("the extension {name}"),
            Demand::NoExtension(name) => format!("not the extension {name}"),
            Demand::Subprotocol(names) => format!("the subprotocol {}", names.join(" or ")),
            Demand::NoSubprotocol(name) => format!("not the subprotocol {name}"),
            Demand::CloseCodes { side, allowed } if allowed.is_empty() => {
                format!("the {} not to close", side.name())
            }
            Demand::CloseCodes { side, allowed } => {
                let codes: Vec<String> = allowed.iter().map(codes).collect();
                format!("the {} to close with {}", side.name(), codes.join(", "))
            }
            Demand::Handshake { longest } => format!("an answer within {}", seconds(*longest)),
            Demand::Pings { shortest: 0, longest } => format!("pings at most {} apart", seconds(*longest)),
            Demand::Pings { shortest, longest } => {
                format!("pings {} to {} apart", seconds(*shortest), seconds(*longest))
            }
            Demand::Life { shortest } => format!("a life of {} or more", seconds(*shortest)),
            Demand::NoReservedCodes => String::from("no reserved close code"),
            Demand::Connections(1) => String::from("1 connection or more"),
            Demand::Connections(count) => format!("{count} connections or more"),
        }
    }

    /// What to do first where it is not met.
    pub fn help(&self) -> &'static str {
        match self {
            Demand::Extension(_) => {
                "enable the extension where it was lost: in the client's offer, the server, or a gateway that drops Sec-WebSocket-Extensions"
            }
            Demand::NoExtension(_) => {
                "switch the extension off in the server, or in the gateway that answers for it"
            }
            Demand::Subprotocol(_) => "offer the subprotocol in the client and select it in the server",
            Demand::NoSubprotocol(_) => "take the subprotocol out of the server's list",
            Demand::CloseCodes { .. } => {
                "look up what the code means, mend its cause, or allow it in the policy"
            }
            Demand::Handshake { .. } => {
                "find the leg on which the time passes: capture both sides of the gateway"
            }
            Demand::Pings { .. } => "set the ping interval of one side within these bounds",
            Demand::Life { .. } => "look at who ended the session, and at what else was found on it",
            Demand::NoReservedCodes => "close with 1000 to 1003, 1007 to 1014, or 3000 to 4999",
            Demand::Connections(_) => {
                "check that the traffic was made and captured, and that host and path of the policy match it"
            }
        }
    }
}

fn codes(range: &Range) -> String {
    match (range.start(), range.end()) {
        (1005, 1005) => String::from("no code (1005)"),
        (1006, 1006) => String::from("no Close (1006)"),
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start}-{end}"),
    }
}

impl Ledger {
    /// Nothing judged yet, by those expectations of `selection` whose rules speak.
    pub fn new(selection: &Selection) -> Ledger {
        let mut expectations = selection.expectations().to_vec();
        for expectation in &mut expectations {
            expectation.demands.retain(|demand| selection.speaks(demand.rule()));
        }
        let account = |expectation: &Expectation, demand: &Demand| Account {
            name: expectation.name.clone(),
            place: expectation.place.to_string(),
            rule: demand.rule(),
            expected: demand.expected(),
            help: demand.help(),
            severity: selection.severity(demand.rule()),
            fingerprint: fingerprint_of_run(
                demand.rule(),
                &format!("{}\n{}", expectation.name, expectation.place),
            ),
            suppressed: None,
            judged: 0,
            unmet: 0,
            shown: None,
        };
        let accounts = |e: &Expectation| e.demands.iter().map(|demand| account(e, demand)).collect();
        Ledger {
            counts: vec![0; expectations.len()],
            accounts: expectations.iter().map(accounts).collect(),
            expectations,
        }
    }

    /// Takes one connection.
    pub fn add(&mut self, connection: &Connection) {
        let connected = Connected {
            serial: connection.serial,
            first: connection.first.packet,
            client: connection.tcp.client,
            server: connection.tcp.server,
        };
        for ((expectation, accounts), count) in
            self.expectations.iter().zip(&mut self.accounts).zip(&mut self.counts)
        {
            if !expectation.concerns(connection) {
                continue;
            }
            *count += 1;
            for (demand, account) in expectation.demands.iter().zip(accounts) {
                if let Some(standing) = demand.standing(connection) {
                    account.enter(standing, connected);
                }
            }
        }
    }

    /// The account of every demand, in the order of the policy.
    pub fn finish(mut self) -> Vec<Account> {
        for ((expectation, accounts), count) in
            self.expectations.iter().zip(&mut self.accounts).zip(self.counts)
        {
            for (demand, account) in expectation.demands.iter().zip(accounts) {
                if let Demand::Connections(smallest) = demand {
                    let standing = policy::too_few_connections::standing(count, *smallest);
                    (account.judged, account.unmet) = (count, u64::from(!standing.met));
                    account.shown = Some((standing, None));
                }
            }
        }
        self.accounts.into_iter().flatten().collect()
    }
}

impl Account {
    /// Whether every connection met it; `None` where there was nothing to judge.
    pub fn met(&self) -> Option<bool> {
        self.shown.as_ref().map(|(standing, _)| standing.met)
    }

    /// Whether it is not met, and that counts.
    pub fn counts(&self) -> bool {
        self.met() == Some(false) && self.suppressed.is_none()
    }

    /// Whether it is about the run as a whole, and not about each connection.
    pub fn is_of_run(&self) -> bool {
        matches!(self.rule.check, Check::Run)
    }

    fn enter(&mut self, standing: Standing, by: Connected) {
        self.judged += 1;
        self.unmet += u64::from(!standing.met);
        // Whatever the order in which connections become final, the same one is shown.
        let order = |standing: &Standing, by: &Option<Connected>| (standing.met, by.map(|by| by.first));
        let new = (standing, Some(by));
        if self.shown.as_ref().is_none_or(|(old, at)| order(&new.0, &new.1) < order(old, at)) {
            self.shown = Some(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Context, judge};

    fn policy(place: &str, demands: Vec<Demand>) -> Selection {
        let name = String::from("chat");
        Selection::default().expect(vec![Expectation { name, place: UrlPattern::parse(place), demands }])
    }

    fn accounts(selection: &Selection, scenes: Vec<Scene>) -> Vec<Account> {
        let mut ledger = Ledger::new(selection);
        scenes.into_iter().for_each(|scene| ledger.add(&scene.build()));
        ledger.finish()
    }

    #[test]
    fn the_first_connection_that_does_not_meet_a_demand_is_shown_whatever_the_order() {
        let selection = policy("", vec![Demand::NoReservedCodes]);
        let closed = |at: f64, code| {
            Scene::tcp_at(at)
                .request(crate::rules::testing::REQUEST)
                .answer(crate::rules::testing::ANSWER, "")
                .close(Server, code, "")
        };
        let scenes = |order: [(f64, u16); 3]| order.map(|(at, code)| closed(at, code)).into();
        let one = accounts(&selection, scenes([(0.0, 1000), (1.0, 1006), (2.0, 1005)]));
        let other = accounts(&selection, scenes([(2.0, 1005), (1.0, 1006), (0.0, 1000)]));
        assert_eq!((one[0].judged, one[0].unmet, one[0].met()), (3, 2, Some(false)));
        let shown =
            |account: &Account| account.shown.clone().map(|(standing, by)| (standing, by.unwrap().first));
        assert_eq!(shown(&one[0]), shown(&other[0]));
        assert!(one[0].shown.as_ref().unwrap().0.actual.contains("1006"));
    }

    #[test]
    fn only_connections_at_the_place_count_and_none_is_too_few() {
        let counted = |place: &str| {
            accounts(&policy(place, vec![Demand::Connections(1)]), vec![Scene::session("", "")]).remove(0)
        };
        assert_eq!((counted("example.org/chat").met(), counted("example.org/chat").judged), (Some(true), 1));
        assert_eq!(counted("other.org").met(), Some(false));
        assert_eq!(counted("other.org").expected, "1 connection or more");
    }

    #[test]
    fn what_is_not_met_is_a_finding_and_what_is_met_is_silent() {
        let judged = |selection: &Selection| {
            let scene =
                Scene::session("permessage-deflate", "").close(Server, 1011, "").close(Client, 1011, "");
            let found = judge(&scene.build(), &Context { selection, ..Context::alone() });
            found.into_iter().filter(|f| f.rule.code.starts_with("WS-PO-")).collect::<Vec<_>>()
        };
        let unmet = || Demand::Extension(String::from("permessage-deflate"));
        let found = judged(&policy("", vec![unmet(), Demand::NoReservedCodes]));
        assert_eq!(found.iter().map(|f| f.rule.code).collect::<Vec<_>>(), ["WS-PO-001"]);
        assert!(!found[0].message.is_empty() && !found[0].evidence.is_empty() && !found[0].help.is_empty());
        assert!(judged(&policy("other.org", vec![unmet()])).is_empty());
        let off = policy("", vec![unmet()])
            .level(&super::super::selection::named("policy"), super::super::selection::Level::Off);
        assert!(judged(&off).is_empty() && Ledger::new(&off).finish().is_empty());
    }

    #[test]
    fn every_rule_of_policy_belongs_to_one_demand() {
        let all = [
            Demand::Extension(String::new()),
            Demand::NoExtension(String::new()),
            Demand::Subprotocol(vec![]),
            Demand::NoSubprotocol(String::new()),
            Demand::CloseCodes { side: Client, allowed: vec![] },
            Demand::Handshake { longest: 0 },
            Demand::Pings { shortest: 0, longest: 0 },
            Demand::Life { shortest: 0 },
            Demand::NoReservedCodes,
            Demand::Connections(0),
        ];
        let codes: Vec<&str> = all.iter().map(|demand| demand.rule().code).collect();
        let listed = super::super::RULES.iter().filter(|rule| rule.code.starts_with("WS-PO-"));
        assert_eq!(codes, listed.map(|rule| rule.code).collect::<Vec<_>>());
        for demand in all {
            assert!(!demand.expected().is_empty() && !demand.help().ends_with('.'));
        }
    }
}
