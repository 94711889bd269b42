//! Which nodes are connected, and that each is connected once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloud_store::Committed;
use serde::Serialize;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;
use twin_core::{NodeName, Timestamp};

use crate::inbox::Inbox;
use crate::revoked::Revocations;

/// A node that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectedNode {
    /// Its name.
    pub node: NodeName,
    /// Since when.
    pub since: Timestamp,
    /// When something last came from it.
    pub last_seen: Timestamp,
    /// Where it connects from.
    pub address: SocketAddr,
    /// Name and version of its software.
    pub software: String,
}

/// Which nodes are connected. Cloning is cheap: all clones are the same registry.
#[derive(Debug, Clone)]
pub struct NodeRegistry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    nodes: Mutex<HashMap<NodeName, Slot>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Slot {
    claim: u64,
    fence: CancellationToken,
    revoked: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    /// Held by the connection that speaks for the node.
    turn: Arc<tokio::sync::Mutex<()>>,
    connected: Option<Connected>,
}

#[derive(Debug)]
struct Connected {
    since: Timestamp,
    last_seen: Arc<AtomicI64>,
    address: SocketAddr,
    software: String,
}

/// The right to speak for a node, until a newer connection claims it. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    registry: NodeRegistry,
    node: NodeName,
    number: u64,
    /// Cancelled when a newer connection has claimed the node.
    pub(crate) fence: CancellationToken,
    /// Set before the fence when the node's certificates were taken back.
    revoked: Arc<AtomicBool>,
    pub(crate) inbox: Arc<Inbox>,
    turn: Arc<tokio::sync::Mutex<()>>,
    last_seen: Arc<AtomicI64>,
}

impl NodeRegistry {
    pub(crate) fn new() -> Self {
        let inner = Inner { nodes: Mutex::default(), changed: watch::channel(0).0 };
        Self { inner: Arc::new(inner) }
    }

    /// All connected nodes, by name.
    #[must_use]
    pub fn nodes(&self) -> Vec<ConnectedNode> {
        let nodes = self.lock();
        let mut all: Vec<_> = nodes.iter().filter_map(|(node, slot)| slot.describe(node)).collect();
        all.sort_by(|a, b| a.node.cmp(&b.node));
        all
    }

    /// One node, if it is connected.
    #[must_use]
    pub fn node(&self, node: &NodeName) -> Option<ConnectedNode> {
        self.lock().get(node).and_then(|slot| slot.describe(node))
    }

    /// Changes whenever a node connects or disconnects.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Claims a node; an older connection that speaks for it is told to end.
    pub(crate) fn claim(&self, node: &NodeName) -> Claim {
        let mut nodes = self.lock();
        let older = nodes.remove(node);
        if let Some(older) = &older {
            older.fence.cancel();
        }
        let number = older.as_ref().map_or(0, |slot| slot.claim + 1);
        let turn = older.map_or_else(Arc::default, |slot| slot.turn);
        let (fence, inbox) = (CancellationToken::new(), Arc::<Inbox>::default());
        let revoked: Arc<AtomicBool> = Arc::default();
        let slot = Slot {
            claim: number,
            fence: fence.clone(),
            revoked: Arc::clone(&revoked),
            inbox: Arc::clone(&inbox),
            turn: Arc::clone(&turn),
            connected: None,
        };
        nodes.insert(node.clone(), slot);
        Claim {
            registry: self.clone(),
            node: node.clone(),
            number,
            fence,
            revoked,
            inbox,
            turn,
            last_seen: Arc::default(),
        }
    }

    /// Ends the connections of nodes whose certificates were taken back since they connected.
    pub(crate) fn end_revoked(&self, revocations: &Revocations) {
        for (node, slot) in self.lock().iter() {
            let since = slot.connected.as_ref().map(|connected| connected.since);
            if since.is_some_and(|since| revocations.is_revoked(node, since)) {
                slot.revoked.store(true, Ordering::Release);
                slot.fence.cancel();
            }
        }
    }

    /// Hands what was written to the connection of its node.
    pub(crate) fn route(&self, committed: &Committed) {
        if let Some(authored) = committed.authored
            && let Some(slot) = self.lock().get(&committed.node)
        {
            slot.inbox.authored(authored);
        }
    }

    /// Tells all connections that something was missed.
    pub(crate) fn route_missed(&self) {
        for slot in self.lock().values() {
            slot.inbox.missed();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeName, Slot>> {
        self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.inner.changed.send_modify(|version| *version = version.wrapping_add(1));
    }
}

impl Slot {
    fn describe(&self, node: &NodeName) -> Option<ConnectedNode> {
        let connected = self.connected.as_ref()?;
        Some(ConnectedNode {
            node: node.clone(),
            since: connected.since,
            last_seen: Timestamp::from_millis(connected.last_seen.load(Ordering::Relaxed)),
            address: connected.address,
            software: connected.software.clone(),
        })
    }
}

impl Claim {
    /// Waits until the older connection of the node has ended, with all that it was storing.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// The connection is established.
    pub(crate) fn connected(&self, address: SocketAddr, software: String, now: Timestamp) {
        self.seen(now);
        let last_seen = Arc::clone(&self.last_seen);
        if let Some(slot) = self.registry.lock().get_mut(&self.node).filter(|slot| slot.claim == self.number)
        {
            slot.connected = Some(Connected { since: now, last_seen, address, software });
        }
        self.registry.announce();
    }

    /// Whether the fence fell because the node's certificates were taken back.
    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    /// Something came from the node.
    pub(crate) fn seen(&self, now: Timestamp) {
        self.last_seen.store(now.as_millis(), Ordering::Relaxed);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut nodes = self.registry.lock();
        if nodes.get(&self.node).is_some_and(|slot| slot.claim == self.number) {
            nodes.remove(&self.node);
            drop(nodes);
            self.registry.announce();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_claim_fences_the_older_and_waits_for_its_end() {
        let registry = NodeRegistry::new();
        let node: NodeName = "line-1".parse().unwrap();
        let older = registry.claim(&node);
        let turn = older.turn().await;
        older.connected("127.0.0.1:1".parse().unwrap(), "a".into(), Timestamp::from_millis(1));
        let newer = registry.claim(&node);
        assert!(older.fence.is_cancelled() && !newer.fence.is_cancelled());
        assert!(newer.turn.try_lock().is_err());
        drop((turn, older));
        let _turn = newer.turn().await;
        newer.connected("127.0.0.1:2".parse().unwrap(), "b".into(), Timestamp::from_millis(2));
        assert_eq!(registry.node(&node).unwrap().software, "b");
        drop(newer);
        assert_eq!(registry.nodes(), vec![]);
    }
}
