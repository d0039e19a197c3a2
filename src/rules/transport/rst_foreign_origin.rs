use crate::connection::{CloseState, Connection};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, sealed};

rule! {
    /// # What it finds
    /// A RST whose time to live differs by more than 2 from the packets of the same side before it.
    ///
    /// # Why it matters
    /// It was most probably not sent by that side but by something on the path, in its name. Its log shows nothing.
    ///
    /// # What causes it
    /// A firewall, intrusion prevention system, NAT gateway or load balancer that ends the flow by policy or because it
    /// has forgotten it.
    ///
    /// # How to fix
    /// Look at the session tables and logs of the boxes between; the difference in time to live tells how far away the
    /// sender is.
    ///
    /// # What it does not report
    /// Resets that look like their side's other packets: boxes near it, or those that keep the time to live, are not
    /// seen. A route that changed in that moment looks the same. A time to live of 64, 128 or 255 has passed no router: a
    /// firewall on the captured host or beside it sent that. Of TLS that no key opened it is information.
    pub static RULE = "WS-TR-003" "rst-foreign-origin" {
        severity: Warning, category: Transport, reference: "RFC 9293 §3.5.2; RFC 1812 §5.3.1",
        explains: ["closed-without-close-frame", "close-unanswered", "mass-disconnect"], asked_on: [Transport, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((reset, usual)) = connection.foreign_reset().filter(|_| sealed::may_be_session(connection))
    else {
        return;
    };
    // A reset after the session was over ended nothing.
    if connection.ending.close == Some(CloseState::Clean) {
        return;
    }
    let from = reset.from.name();
    found.push(
        Finding::new(&RULE, reset.seen, format!("RST that the {from} did not send"))
            .at_most(sealed::gravity(connection))
            .confidence(Confidence::Likely)
            .origin(Origin::Network)
            .blame(Blame::Network)
            .message(format!(
                "the RST in the name of the {from} has time to live {}, its other packets {usual}: something on the path sent it{}",
                reset.ttl,
                // What systems begin with: such a packet passed no router.
                if matches!(reset.ttl, 64 | 128 | 255) {
                    ", and as it passed no router yet, that is the captured host itself or its neighbour"
                } else {
                    ""
                }
            ))
            .shows(reset.seen, format!("RST in the name of the {from}, time to live {}, expected {usual}", reset.ttl))
            .help("look at the logs and session tables of firewalls, NAT gateways and load balancers on the path"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Reset, ResetKind};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Severity};

    fn reset(scene: Scene, ttl: u8, usual_ttl: Option<u8>) -> Scene {
        scene.reset(Server).with(|c: &mut Connection| {
            let kind = ResetKind::Abort;
            c.tcp.reset =
                c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
        })
    }

    #[test]
    fn a_reset_from_elsewhere_is_the_networks_and_the_root() {
        let findings = reset(Scene::session("", "").messages(Client, 1), 255, Some(52)).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Network, Confidence::Likely));
        assert!(findings[0].message.contains("passed no router"), "{}", findings[0].message);
        assert_eq!(findings[0].consequences[0].rule.name, "closed-without-close-frame");
    }

    #[test]
    fn what_tls_may_have_carried_makes_it_information() {
        let finding = reset(Scene::sealed_at(0.0).record(Client), 255, Some(52)).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Info, Confidence::Likely));
        reset(Scene::tls_at(0.0), 255, Some(52)).silent(RULE.name);
    }

    #[test]
    fn usual_unknown_and_late_resets_are_silent() {
        reset(Scene::session("", ""), 53, Some(52)).silent(RULE.name);
        reset(Scene::session("", ""), 64, None).silent(RULE.name);
        let closed = Scene::session("", "").close(Client, 1000, "").close(Server, 1000, "");
        reset(closed, 255, Some(52)).silent(RULE.name);
        Scene::session("", "").reset(Server).silent(RULE.name);
    }
}
