//! Who may come in.

use std::sync::Arc;
use std::time::Duration;

use cloud_store::CloudStore;
use sync_proto::{Code, Open, Refused};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::error;
use twin_core::NodeName;
use twin_core::history::Collector;

use crate::clock::wall;
use crate::registry::{Claim, NodeRegistry};
use crate::replicas::Replicas;
use crate::router::Identity;

/// How long an older connection of the node may take to end.
const HANDOVER: Duration = Duration::from_secs(10);

/// What a connection needs to speak for its node. Dropping it lets the next one in.
pub(crate) struct Entry {
    pub(crate) node: NodeName,
    pub(crate) replicas: Replicas,
    pub(crate) collector: Collector,
    pub(crate) claim: Claim,
    _turn: OwnedMutexGuard<()>,
    _permit: OwnedSemaphorePermit,
}

/// What all connections share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) store: CloudStore,
    pub(crate) registry: NodeRegistry,
    pub(crate) places: Arc<Semaphore>,
}

impl Shared {
    pub(crate) async fn enter(&self, open: &Open, identity: &Identity) -> Result<Entry, Refused> {
        let node = open.node.clone();
        if let Identity::Node(certified) = identity
            && *certified != node
        {
            let reason = format!("the certificate is of node `{certified}`, not of `{node}`");
            return Err(Refused { code: Code::NodeMismatch, reason, retry_after_ms: None });
        }
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(later(Code::Busy, "as many nodes are connected as this cloud takes"));
        };
        let claim = self.registry.claim(&node);
        let turn = tokio::select! {
            turn = timeout(HANDOVER, claim.turn()) => turn,
            () = claim.fence.cancelled() => return Err(superseded()),
        };
        let Ok(turn) = turn else {
            return Err(later(Code::Busy, "an older connection of this node does not end"));
        };
        // The claim routes what is written from now on here; what was written before is in what is read.
        let replicas = match Replicas::of_node(&self.store, &node).await {
            Ok(replicas) => replicas,
            Err(error) => {
                error!(%node, %error, "a node's state cannot be read");
                return Err(later(Code::Store, "the cloud's store failed; its log says why"));
            }
        };
        let collector = match self.store.history().known(&node).await {
            Ok(known) => Collector::new(known),
            Err(error) => {
                error!(%node, %error, "a node's history cannot be read");
                return Err(later(Code::Store, "the cloud's store failed; its log says why"));
            }
        };
        if let Err(error) = self.store.node_seen(&node, wall()).await {
            error!(%node, %error, "a node's presence cannot be stored");
            return Err(later(Code::Store, "the cloud's store failed; its log says why"));
        }
        Ok(Entry { node, replicas, collector, claim, _turn: turn, _permit: permit })
    }
}

fn superseded() -> Refused {
    let reason = "a newer connection of this node has taken over".to_owned();
    Refused { code: Code::Superseded, reason, retry_after_ms: Some(spread_ms()) }
}

fn later(code: Code, reason: &str) -> Refused {
    Refused { code, reason: reason.to_owned(), retry_after_ms: Some(spread_ms()) }
}

/// 5 to 30 s, so that those who were sent away together do not come back together.
fn spread_ms() -> u32 {
    5_000 + getrandom::u32().unwrap_or(12_500) % 25_001
}
