//! How the gateway as a whole stands: gathered where it happens, shown by REST, `/metrics` and the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use device_twin::Handle;
use edgehub::{LinkState, LinkStatus};
use mapper_sdk::{Controls, Figures};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::watch;
use twin_core::Timestamp;
use twin_core::replica::LinkCommand;

use crate::eventbus::Counters;

/// The mappers that run in the gateway, by protocol: what they have done, and what can be asked of them; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Mappers(Arc<RwLock<BTreeMap<&'static str, (Figures, Controls)>>>);

impl Mappers {
    pub(crate) fn insert(&self, protocol: &'static str, figures: Figures, controls: Controls) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(protocol, (figures, controls));
    }

    /// The figures of all of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&'static str, Figures> {
        let mappers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        mappers.iter().map(|(protocol, (figures, _))| (*protocol, figures.clone())).collect()
    }

    /// What can be asked of the devices of a protocol.
    #[must_use]
    pub fn controls(&self, protocol: &str) -> Option<Controls> {
        let mappers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        mappers.get(protocol).map(|(_, controls)| controls.clone())
    }
}

/// What is asked of the parts of the gateway.
#[derive(Clone)]
pub struct Overview {
    /// When the process began its work.
    pub started_at: Timestamp,
    /// Where its MQTT broker is.
    pub mqtt: String,
    /// The link to the cloud, where there is one.
    pub link: Option<watch::Receiver<LinkStatus>>,
    /// What the EventBus has counted.
    pub counters: Arc<Counters>,
    /// What the mappers have counted.
    pub mappers: Mappers,
    /// The folder of the databases.
    pub data_dir: PathBuf,
    /// What waits between the service and the link.
    pub link_queue: WeakSender<LinkCommand>,
}

impl Overview {
    /// How the link to the cloud stands, where there is one.
    #[must_use]
    pub fn link(&self) -> Option<LinkStatus> {
        self.link.as_ref().map(|link| link.borrow().clone())
    }
}

/// A queue between two parts of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: &'static str,
    /// How much waits in it.
    pub waiting: usize,
    /// How much may.
    pub capacity: usize,
}

impl Overview {
    /// The queues between the parts, that of the service among them.
    #[must_use]
    pub fn queues(&self, service: &Handle) -> Vec<Queue> {
        let (waiting, capacity) = service.queue();
        let mut queues = vec![Queue { name: "device_twin", waiting, capacity }];
        if let Some(link) = self.link_queue.upgrade() {
            let capacity = link.max_capacity();
            queues.push(Queue { name: "link", waiting: capacity - link.capacity(), capacity });
        }
        queues
    }
}

/// The word for what the link is doing.
#[must_use]
pub fn link_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Enrolling => "enrolling",
        LinkState::Connecting => "connecting",
        LinkState::Waiting => "waiting",
        LinkState::Connected => "connected",
        LinkState::Stopped => "stopped",
    }
}
