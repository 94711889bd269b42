//! How the gateway as a whole stands: gathered where it happens, shown by REST, `/metrics` and the command line.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use edgehub::{LinkState, LinkStatus};
use mapper_sdk::Figures;
use tokio::sync::watch;
use twin_core::Timestamp;

use crate::eventbus::Counters;

/// The figures of the mappers that run in the gateway, by protocol; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Mappers(Arc<RwLock<BTreeMap<&'static str, Figures>>>);

impl Mappers {
    pub(crate) fn insert(&self, protocol: &'static str, figures: Figures) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(protocol, figures);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&'static str, Figures> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
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
}

impl Overview {
    /// How the link to the cloud stands, where there is one.
    #[must_use]
    pub fn link(&self) -> Option<LinkStatus> {
        self.link.as_ref().map(|link| link.borrow().clone())
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
