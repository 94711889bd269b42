//! Who a client is, what it may do, and who hears what it says.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;

/// Who a client turned out to be when it connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A mapper of this gateway, by its name: it speaks for its own devices only.
    Mapper(String),
    /// An application or mapper on this machine that gave no user; the client id it chose.
    Local(String),
    /// A user with a password.
    User(String),
}

impl Principal {
    /// Its name, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Mapper(name) | Self::Local(name) | Self::User(name) => name,
        }
    }
}

/// How surely a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Not acknowledged.
    AtMostOnce,
    /// Acknowledged after the tap has returned.
    AtLeastOnce,
    /// Acknowledged after the tap has returned, and told to it once.
    ExactlyOnce,
}

/// Who is at the other end of a connection, as far as the connection tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// Whether it came by TLS.
    pub tls: bool,
    /// The common name of the certificate that was shown and checked.
    pub common_name: Option<String>,
}

/// What clients may do.
pub trait Rights: Send + Sync + 'static {
    /// Who the client is; none refuses it.
    fn authenticate(
        &self,
        client_id: &str,
        username: Option<&str>,
        password: Option<&[u8]>,
        peer: &Peer,
    ) -> Option<Principal>;

    /// Whether it may publish on `topic`; asked for every message and for the last will.
    fn may_publish(&self, principal: &Principal, topic: &str) -> bool;

    /// Whether it may subscribe to `filter`.
    fn may_subscribe(&self, principal: &Principal, filter: &str) -> bool;

    /// Whether there is any user with a password; without one the broker does not listen off loopback.
    fn has_users(&self) -> bool;
}

/// Hears what clients publish.
#[async_trait]
pub trait Tap: Send + Sync + 'static {
    /// A message that its sender may publish. At QoS 1 and 2 it is acknowledged when this returns, so that the
    /// acknowledgement can mean "stored"; messages of one connection come one after the other, so what need not wait
    /// should return at once.
    async fn published(&self, principal: &Principal, topic: &str, payload: Bytes, qos: Qos);

    /// A message that its sender may not publish; it goes nowhere else. An MQTT 3.1.1 client is not told by its
    /// acknowledgement, so the answer on a result topic is the only one it gets.
    async fn refused(&self, principal: &Principal, topic: &str, payload: Bytes);
}
