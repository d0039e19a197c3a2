//! Whose findings are where both legs are known.

use crate::role::Role::{Client, Server};
use crate::rules::testing::{REQUEST, Scene, both};
use crate::rules::{Blame, Confidence, Origin};
use crate::websocket::Violation;

fn leg() -> Scene {
    Scene::session("", "").messages(Client, 1)
}

#[test]
fn a_client_that_leaves_what_its_upstream_had_left_long_before_is_not_to_blame() {
    let finding = both(leg().after(1.6).fin(Client), leg().reset(Server)).finds("closed-without-close-frame");
    assert_eq!(finding.blame, Blame::Upstream);
    assert!(
        finding.message.contains("RST from the upstream on the upstream leg came 1.6 s before, and the gateway did not tell the client"),
        "{}",
        finding.message
    );
    // Those that cross each other, and a client that is first.
    for (client, upstream) in [
        (leg().after(0.1).fin(Client), leg().reset(Server)),
        (leg().fin(Client), leg().after(1.6).fin(Server)),
    ] {
        assert_eq!(both(client, upstream).finds("closed-without-close-frame").blame, Blame::Client);
    }
}

#[test]
fn http_in_the_session_that_no_upstream_sent_is_the_gateways() {
    let page = |scene: Scene| scene.anomaly(Server, Violation::HttpInStream, b"HTTP/1.1 200 OK\r\n");
    let finding = both(page(leg()).after(1.0).fin(Server), leg().fin(Server)).finds("http-bytes-in-stream");
    assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Gateway));
    assert!(finding.message.ends_with("the upstream did not send it"), "{}", finding.message);
    let finding = both(page(leg()), page(leg())).finds("http-bytes-in-stream");
    assert_eq!(finding.blame, Blame::Upstream);
}

#[test]
fn an_error_of_the_upstream_stays_that_where_the_gateway_lost_the_upgrade() {
    let answered = |request: &str| {
        Scene::tcp().request(request).answer("HTTP/1.1 502 Bad Gateway\r\nVia: 1.1 edge\r\n", "")
    };
    let stripped = REQUEST.replace("Upgrade: websocket\r\n", "").replace("keep-alive, Upgrade", "close");
    let finding = both(answered(REQUEST), answered(&stripped)).finds("gateway-error-before-upgrade");
    assert_eq!((finding.blame, finding.confidence), (Blame::Upstream, Confidence::Certain));
    assert!(finding.message.contains("the gateway passed it on"), "{}", finding.message);
}

#[test]
fn how_long_a_message_is_stays_its_authors_matter_behind_a_gateway_that_frames_anew() {
    let accused = |code| {
        let closed = leg().messages(Client, 1).close(Server, code, "no");
        let (_, rest) = both(leg().after(0.1).fin(Server), closed).findings();
        let finding = rest.into_iter().find(|one| one.rule.name == "close-reports-peer-violation");
        finding.unwrap().blame
    };
    assert_eq!(accused(1009), Blame::Client);
    assert_eq!(accused(1002), Blame::Gateway);
}

#[test]
fn what_the_clients_request_lacks_is_not_the_gateways_to_pass_on() {
    let client = REQUEST.replace("keep-alive, Upgrade", "keep-alive");
    let upstream = client.replace("Upgrade: websocket\r\n", "");
    let asked = |request: &str| Scene::tcp().request(request).answer("HTTP/1.1 426 Upgrade Required\r\n", "");
    let (findings, rest) = both(asked(&client), asked(&upstream)).findings();
    assert_eq!(findings[0].rule.name, "request-connection-upgrade-missing");
    let below: Vec<_> = findings[0].consequences.iter().map(|one| one.rule.name).collect();
    assert!(below.contains(&"request-upgrade-missing"), "{below:?}");
    assert_eq!(rest.len(), 0, "{rest:#?}");
}
