//! REST: routes, and what all of them share.

mod alarms;
mod answer;
mod changes;
mod desired;
mod devices;
mod events;
mod guard;
mod health;
mod history;
mod nodes;
mod openapi;
mod page;
mod parameters;
#[cfg(test)]
mod tests;
mod views;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch};
use cloud_store::CloudStore;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use twin_core::{NodeName, Timestamp};

pub use openapi::document as openapi_document;

/// The most event streams at once: each costs a task and a reader's time.
const MOST_STREAMS: usize = 256;

/// A link that is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) since: Timestamp,
    pub(crate) last_seen: Timestamp,
}

/// None when the node's link is not up.
type LinkOf = dyn Fn(&NodeName) -> Option<Link> + Send + Sync;

/// Tells of each node whether its link is up.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) of: Arc<LinkOf>,
    /// Changes whenever a link comes up or goes down.
    pub(crate) changes: watch::Receiver<u64>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

/// What every handler may use.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    pub(crate) store: CloudStore,
    pub(crate) links: Links,
    pub(crate) hosts: guard::Hosts,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
    pub(crate) now: fn() -> Timestamp,
}

impl Rest {
    pub(crate) fn new(
        store: CloudStore,
        links: Links,
        hosts: guard::Hosts,
        stop: CancellationToken,
        now: fn() -> Timestamp,
    ) -> Self {
        Self { store, links, hosts, streams: Arc::new(Semaphore::new(MOST_STREAMS)), stop, now }
    }

    /// All routes.
    pub(crate) fn router(self) -> Router {
        let device = "/api/v1/nodes/{node}/devices/{namespace}/{name}";
        Router::new()
            .route("/", get(page::page))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/openapi.json", get(openapi::openapi_json))
            .route("/api/v1/nodes", get(nodes::list))
            .route("/api/v1/nodes/{node}", get(nodes::one))
            .route("/api/v1/nodes/{node}/alarms", get(alarms::of_node))
            .route("/api/v1/alarms", get(alarms::list))
            .route("/api/v1/nodes/{node}/devices", get(devices::list))
            .route(device, get(devices::one))
            .route(&format!("{device}/twin"), get(devices::twin))
            .route(&format!("{device}/history"), get(history::page))
            .route(&format!("{device}/desired"), patch(desired::set))
            .route(&format!("{device}/desired/{{*property}}"), delete(desired::remove))
            .route("/api/v1/changes", get(changes::list))
            .route("/api/v1/events", get(events::stream))
            .fallback(guard::no_such_path)
            .method_not_allowed_fallback(guard::method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self)
    }
}

pub(crate) use guard::Hosts;
pub(crate) use parameters::Peer;
