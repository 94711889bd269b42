//! What the cloud needs to know to start.

use std::net::SocketAddr;
use std::path::PathBuf;

use cloud_store::HistoryRetention;

/// What the cloud needs to know to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds the database and the CA; made when it is not there.
    pub data: PathBuf,
    /// Where REST and the page are served, without TLS. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where nodes connect, with TLS. Port 0 takes a free one.
    pub hub: SocketAddr,
    /// Where nodes of this same machine may connect without TLS, on loopback.
    pub hub_plain: Option<SocketAddr>,
    /// Host names and addresses by which nodes and browsers know this server, besides those of loopback.
    pub hosts: Vec<String>,
    /// Serve REST to others than this machine although it asks nobody who they are.
    pub insecure_rest: bool,
    /// How much of each history is kept.
    pub history: HistoryRetention,
}

impl Settings {
    /// REST on 127.0.0.1:8480, nodes on every address, port 7443.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hub: SocketAddr::from(([0, 0, 0, 0], 7443)),
            hub_plain: None,
            hosts: Vec::new(),
            insecure_rest: false,
            history: HistoryRetention::default(),
        }
    }
}
