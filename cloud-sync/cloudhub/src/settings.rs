//! What the cloud's end of the link needs to know.

use std::net::SocketAddr;
use std::time::Duration;

use sync_proto::Timing;

/// Where and how to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// With TLS.
    Tls(SocketAddr),
    /// Without, on a loopback address only: whoever connects is the node that it says it is.
    Plain(SocketAddr),
}

/// What the cloud's end of the link needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; at least one place.
    pub listen: Vec<Listen>,
    /// Host names and addresses that edges know the cloud by, besides `localhost` and the loopback addresses.
    pub host_names: Vec<String>,
    /// The most nodes connected at once. Whoever comes then is told to come back later.
    pub max_nodes: usize,
    /// The most connections that have not got as far as a link: handshakes, enrolments, refusals.
    pub max_pending: usize,
    /// How long a connection may take to become a link, or to get its answer.
    pub pending_limit: Duration,
    /// The times of a session.
    pub timing: Timing,
}

impl Settings {
    /// Settings for up to 10 000 nodes, 256 pending connections and the usual times.
    #[must_use]
    pub fn new(listen: Vec<Listen>) -> Self {
        Self {
            listen,
            host_names: Vec::new(),
            max_nodes: 10_000,
            max_pending: 256,
            pending_limit: Duration::from_secs(15),
            timing: Timing::default(),
        }
    }
}
