//! The cloud's end of the link as a whole: its listeners, its links, and the one task that tells them what was written.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloud_store::{CloudStore, Committed};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::ca::{Ca, CaError};
use crate::carry::carry;
use crate::enrol::Enrolment;
use crate::listener::Listener;
use crate::opening::Shared;
use crate::registry::NodeRegistry;
use crate::revoked::Revocations;
use crate::router::router;
use crate::settings::{Listen, Settings};
use crate::tls::server_config;

/// How long the links may take to say goodbye.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked at whether a node's certificates were taken back.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// Opened WebSockets on their way to the task that owns them.
const HANDOFF: usize = 64;

/// Why the cloud's end of the link cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It would listen without TLS where others can connect.
    #[error("{address} is not a loopback address: a link without TLS is for this same machine only")]
    PlainOffLoopback {
        /// Where.
        address: SocketAddr,
    },
    /// The server's certificate cannot be made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The store has been closed under it.
    #[error("the store was closed while the link was running")]
    StoreClosed,
}

/// The cloud's end of the link.
#[derive(Debug)]
pub struct CloudHub {
    settings: Settings,
    ca: Arc<Ca>,
    store: CloudStore,
    registry: NodeRegistry,
    sockets: Vec<(TcpListener, Listen)>,
    changes: broadcast::Receiver<Arc<Committed>>,
}

impl CloudHub {
    /// Binds the listening sockets.
    ///
    /// # Errors
    /// [`Error`] when one cannot be bound, or is without TLS and not on a loopback address.
    pub async fn bind(settings: Settings, ca: Arc<Ca>, store: CloudStore) -> Result<Self, Error> {
        let mut sockets = Vec::new();
        for listen in settings.listen.iter().copied() {
            let address = match listen {
                Listen::Tls(address) => address,
                Listen::Plain(address) if address.ip().is_loopback() => {
                    warn!(%address, "links here are not encrypted and nodes are not checked: for trying out only");
                    address
                }
                Listen::Plain(address) => return Err(Error::PlainOffLoopback { address }),
            };
            let bound = TcpListener::bind(address).await;
            sockets.push((bound.map_err(|source| Error::Listen { address, source })?, listen));
        }
        let changes = store.changes();
        Ok(Self { settings, ca, store, registry: NodeRegistry::new(), sockets, changes })
    }

    /// The addresses that are listened on, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|(socket, _)| socket.local_addr().ok()).collect()
    }

    /// Which nodes are connected.
    #[must_use]
    pub fn registry(&self) -> NodeRegistry {
        self.registry.clone()
    }

    /// Serves until `stop`; after it, it takes at most 4 s.
    ///
    /// # Errors
    /// [`Error`] when the server's certificate cannot be made, or the store is closed before `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let revocations = Revocations::open(self.ca.dir());
        let mut look = tokio::time::interval(LOOKED_AT_EVERY);
        let tls = Arc::new(server_config(&self.ca, &self.settings.host_names, revocations.clone())?);
        let (handoff, mut accepted) = mpsc::channel(HANDOFF);
        let enrolment = Enrolment { ca: self.ca, store: self.store.clone() };
        let router = router(enrolment, handoff);
        let pending = Arc::new(Semaphore::new(self.settings.max_pending));
        let mut listeners = JoinSet::new();
        for (socket, listen) in self.sockets {
            let tls = match listen {
                Listen::Tls(_) => Some(Arc::clone(&tls)),
                Listen::Plain(_) => None,
            };
            let (router, pending) = (router.clone(), Arc::clone(&pending));
            let listener = Listener { socket, tls, router, pending, limit: self.settings.pending_limit };
            listeners.spawn(listener.run(stop.clone()));
        }
        drop(router);
        let places = Arc::new(Semaphore::new(self.settings.max_nodes));
        let shared = Shared { store: self.store, registry: self.registry, places };
        let mut changes = self.changes;
        let mut links = JoinSet::new();
        // Those that are told to come back later need a task too, but not many at once.
        let most = self.settings.max_nodes.saturating_add(self.settings.max_pending);
        let ended = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                next = accepted.recv(), if links.len() < most => {
                    let Some(next) = next else { break Ok(()) };
                    links.spawn(carry(next, shared.clone(), self.settings.timing, stop.clone()));
                }
                _ = links.join_next(), if !links.is_empty() => {}
                _ = look.tick() => {
                    revocations.look();
                    shared.registry.end_revoked(&revocations);
                }
                change = changes.recv() => match change {
                    Ok(committed) => shared.registry.route(&committed),
                    Err(RecvError::Lagged(missed)) => {
                        info!(missed, "the links read again what they have missed");
                        shared.registry.route_missed();
                    }
                    Err(RecvError::Closed) => break Err(Error::StoreClosed),
                },
            }
        };
        listeners.shutdown().await;
        stop_links(links).await;
        ended
    }
}

async fn stop_links(mut links: JoinSet<()>) {
    let all = async { while links.join_next().await.is_some() {} };
    if timeout(GRACE, all).await.is_err() {
        warn!(links = links.len(), grace_s = GRACE.as_secs(), "some links did not end in time");
        links.shutdown().await;
    }
}
