//! Who is who on a connection.

use std::ops::{Index, IndexMut};

/// One party of a WebSocket connection. Who is client is decided by SYN, else by evidence, never by port number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The one that asked for the upgrade.
    Client,
    /// The one that was asked, whatever stands behind it.
    Server,
}

impl Role {
    /// Both, client first.
    pub const BOTH: [Role; 2] = [Role::Client, Role::Server];

    /// The other one.
    pub const fn other(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }

    /// In running text.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Server => "server",
        }
    }
}

/// One value for each party.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sides<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

impl<T> Index<Role> for Sides<T> {
    type Output = T;
    fn index(&self, role: Role) -> &T {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

impl<T> IndexMut<Role> for Sides<T> {
    fn index_mut(&mut self, role: Role) -> &mut T {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}
