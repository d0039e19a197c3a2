//! What TCP did around a connection, and what ICMP says of it.

use super::{both, mark, model};
use crate::connection::{TcpFacts, Undelivered};
use crate::net::IcmpKind;
use crate::report::Secrets;
use crate::role::{Role, Sides};

pub(super) fn tcp(tcp: &TcpFacts) -> model::Tcp {
    model::Tcp {
        opened: tcp.opened.map(mark),
        accepted: tcp.accepted.map(mark),
        fins: both(&tcp.fins, |fin| fin.map(mark)),
        reset: tcp.reset.as_ref().map(|reset| model::Reset {
            from: reset.from.name(),
            packet: reset.seen.packet.number(),
            time: reset.seen.at,
        }),
        icmp: icmp(&tcp.undelivered),
    }
}

/// The authority of a tunnel; a name and password before its host are secrets.
pub(super) fn tunnel(authority: &str, secrets: Secrets) -> String {
    match secrets {
        Secrets::Shown => authority.to_owned(),
        Secrets::Hidden => authority.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

fn icmp(undelivered: &Sides<Vec<Undelivered>>) -> Vec<model::IcmpError> {
    let of = |about: Role| {
        undelivered[about].iter().map(move |one| model::IcmpError {
            about: about.name(),
            by: one.says.by.to_string(),
            kind: one.says.code.0,
            code: one.says.code.1,
            name: one.says.name(),
            mtu: match one.says.kind {
                IcmpKind::TooBig { mtu } => mtu,
                _ => None,
            },
            count: one.count,
            first: mark(one.span.from),
            last: mark(one.span.until),
        })
    };
    Role::BOTH.into_iter().flat_map(of).collect()
}
