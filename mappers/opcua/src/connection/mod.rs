//! One session on a server, shared by the devices that live there.

mod ask;
mod chain;
mod close;
mod endpoint;
mod limits;
mod open;
mod pump;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mapper_sdk::Fault;
use opcua_client::Session;
use tokio::sync::watch;
use tokio::task::JoinSet;

use limits::Limits;
pub(crate) use open::{NotOpened, Opener, now};
use pump::Pump;

/// A session that is or was open. It never comes back: when it is lost, another one is made.
pub(crate) struct Connection {
    session: Arc<Session>,
    /// The namespaces of the server, by their index.
    namespaces: Vec<String>,
    limits: Limits,
    timeout: Duration,
    end: End,
    /// Subscriptions of devices that went without closing.
    orphans: Mutex<Vec<u32>>,
    /// Whether the server's own types have been asked for.
    types: tokio::sync::OnceCell<()>,
    /// What moves the session. It ends with the connection.
    _pump: JoinSet<()>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("end", &self.end.fault()).finish_non_exhaustive()
    }
}

/// Why a connection ended, known to all who use it.
#[derive(Debug, Clone)]
pub(crate) struct End(Arc<watch::Sender<Option<Fault>>>);

impl End {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Why it ended, if it did.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.0.borrow().clone()
    }

    /// Ends it; the first reason stays.
    pub(crate) fn end(&self, fault: Fault) {
        self.0.send_if_modified(|end| {
            let is_first = end.is_none();
            if is_first {
                *end = Some(fault);
            }
            is_first
        });
    }

    /// Waits until it ends.
    pub(crate) async fn ended(&self) -> Fault {
        let mut end = self.0.subscribe();
        let ended = end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        ended.unwrap_or_else(|| Fault::Link("the session has ended".into()))
    }
}

impl Connection {
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn end(&self) -> &End {
        &self.end
    }

    pub(crate) fn types(&self) -> &tokio::sync::OnceCell<()> {
        &self.types
    }

    /// A subscription that nobody listens to any more.
    pub(crate) fn add_orphan(&self, subscription: u32) {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(subscription);
    }

    pub(crate) fn take_orphans(&self) -> Vec<u32> {
        std::mem::take(&mut self.orphans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
