//! Who asks.

use std::fmt;
use std::net::SocketAddr;

use twin_core::Role;

/// How somebody has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: they are on this machine, and it is configured that this is enough.
    Loopback,
    /// By a token.
    Token,
    /// By a certificate.
    Certificate,
}

impl Proof {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Token => "token",
            Self::Certificate => "certificate",
        }
    }
}

/// Who asks, what they may do, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name of the token or certificate; `local` for whoever is on this machine.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// From where.
    pub address: SocketAddr,
    /// How they have shown who they are.
    pub proof: Proof,
}

impl Principal {
    /// Whoever is on this machine.
    #[must_use]
    pub fn local(address: SocketAddr) -> Self {
        Self { name: "local".to_owned(), role: Role::Admin, address, proof: Proof::Loopback }
    }
}

/// `NAME@ADDRESS`, as `set_by` shows it.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.address.ip().to_canonical())
    }
}
