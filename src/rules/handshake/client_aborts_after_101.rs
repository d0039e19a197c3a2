use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, quote, trust};

rule! {
    /// # What it finds
    /// A client that ended TCP within a second of the 101, without having sent a single frame.
    ///
    /// # Why it matters
    /// A client that refuses the answer must drop the connection without a Close, so a refusal shows only like this.
    ///
    /// # What causes it
    /// Something in the answer, if another finding names it: then this is its consequence. Otherwise the client did not
    /// want the connection any longer: the user left, or a component was mounted twice.
    ///
    /// # How to fix
    /// Mend what the other finding says; without one, look at the client's own log.
    ///
    /// # What it does not report
    /// Clients that have sent a frame, ends after a Close, and captures that lack part of the client's side. The health
    /// check of a load balancer, known by its `User-Agent`, leaves so every time.
    pub static RULE = "WS-HS-019" "client-aborts-after-101" {
        severity: Warning, category: Handshake, reference: "RFC 6455 §4.1, §7.1.7",
        explains: [], asked_on: [Abrupt], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some((request, response)), Some((Role::Client, end))) =
        (trust::handshake(connection), connection.ending.by)
    else {
        return;
    };
    let spoke = connection.frames.as_ref().is_some_and(|frames| frames[Role::Client].total() > 0);
    let Some(after) = trust::elapsed(connection, response.seen, end) else { return };
    if spoke
        || !connection.closes.is_empty()
        || after > 1.0
        || trust::doubt(connection, Role::Client).is_some()
        || super::is_probe(request)
    {
        return;
    }
    let invalid = connection.outcome == Outcome::Invalid;
    found.push(
        Finding::new(&RULE, end, "client left right after the answer")
            .confidence(if invalid { Confidence::Likely } else { Confidence::Possible })
            .origin(Role::Client)
            .blame(if invalid { Blame::Server } else { Blame::Client })
            .message(format!(
                "the client ended {} {} after the {} without sending a frame, which is how a client refuses an answer",
                quote::transport(connection),
                quote::seconds(after),
                response.head.status
            ))
            .shows(response.seen, quote::status(response))
            .shows(end, format!("client ends {}", quote::transport(connection)))
            .shows_all(request.seen, quote::fields(&request.head.head, &["User-Agent"]))
            .help("look at the client's log: it either refused the answer or did not want the connection any longer"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_client_that_leaves_at_once_is_told() {
        let finding = Scene::session("", "").fin(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Possible));
    }

    #[test]
    fn frames_time_and_doubt_silence_it() {
        Scene::session("", "").messages(Client, 1).fin(Client).silent(RULE.name);
        Scene::session("", "").after(2.0).fin(Client).silent(RULE.name);
        Scene::session("", "").gap(Client).fin(Client).silent(RULE.name);
        Scene::session("", "").fin(Server).silent(RULE.name);
        Scene::session("", "").messages(Server, 2).silent(RULE.name);
        let probe = format!("{REQUEST}User-Agent: kube-probe/1.31\r\n");
        Scene::tcp().request(&probe).answer(ANSWER, "").fin(Client).silent(RULE.name);
    }
}
