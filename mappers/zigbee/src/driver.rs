//! The driver: coordinators by their place, shared by their devices.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mapper_sdk::{Driver, Fault, LaneKey};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::control;
use crate::host::{Coordinator, Formation, Key, NetworkIds, Opening, PortPlace, Registry};
use crate::link::Link;
use crate::point::Point;
use crate::session::{self, ZigbeeSession};

/// After a coordinator could not be opened, every device hears the same reason for this long.
const NOT_AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// ZigBee.
#[derive(Debug)]
pub struct Zigbee {
    data_dir: PathBuf,
    slots: std::sync::Mutex<HashMap<PortPlace, Arc<Slot>>>,
}

/// One coordinator, open or not.
#[derive(Debug)]
struct Slot {
    registry: Arc<Registry>,
    wanted: (u8, Option<u16>),
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Held>,
    failed: Option<(Instant, Fault)>,
}

/// A coordinator that runs, with the socket for operators.
#[derive(Debug)]
struct Held {
    coordinator: Arc<Coordinator>,
    /// Ends with it.
    _control: JoinSet<()>,
}

impl Held {
    fn new(coordinator: Coordinator, place: &PortPlace, data_dir: &Path) -> Self {
        let coordinator = Arc::new(coordinator);
        let mut control = JoinSet::new();
        match control::listen(place, data_dir) {
            Ok(listener) => {
                control.spawn(control::serve(listener, Arc::downgrade(&coordinator)));
            }
            Err(error) => {
                tracing::warn!(%place, %error, "`twinspan zigbee` cannot be used while the gateway runs");
            }
        }
        Self { coordinator, _control: control }
    }
}

impl Zigbee {
    /// Keeps what must survive a restart in this folder: networks with their keys and devices.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), slots: std::sync::Mutex::default() }
    }

    fn slot(&self, link: &Link, place: &PortPlace) -> Result<Arc<Slot>, Fault> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (link.channel(), link.pan_id());
        let slot = slots
            .entry(place.clone())
            .or_insert_with(|| Arc::new(Slot { registry: Arc::default(), wanted, state: Mutex::default() }));
        if slot.wanted != wanted {
            return Err(Fault::Denied(format!(
                "{place} runs with another `channel` or `pan_id`: write the same in all its devices, and after a \
                 change restart the gateway"
            )));
        }
        Ok(Arc::clone(slot))
    }

    async fn coordinator(&self, link: &Link) -> Result<Arc<Coordinator>, Fault> {
        let place = link.place().map_err(|fault| Fault::Denied(fault.message))?;
        let slot = self.slot(link, &place)?;
        let mut state = slot.state.lock().await;
        if let Some(open) = state.open.take_if(|open| open.coordinator.lost().is_some()) {
            drop(open);
        }
        if let Some(open) = &state.open {
            return Ok(Arc::clone(&open.coordinator));
        }
        if let Some((at, fault)) = &state.failed
            && at.elapsed() < NOT_AGAIN_WITHIN
        {
            return Err(fault.clone());
        }
        let opening = Opening {
            place,
            formation: formation(slot.wanted).map_err(|error| Fault::Link(error.to_string()))?,
            data_dir: self.data_dir.clone(),
        };
        match Coordinator::open(&opening, Arc::clone(&slot.registry)).await {
            Ok(coordinator) => {
                let held = Held::new(coordinator, &opening.place, &self.data_dir);
                let coordinator = Arc::clone(&held.coordinator);
                *state = State { open: Some(held), failed: None };
                Ok(coordinator)
            }
            Err(fault) => {
                let fault = Fault::from(fault);
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

/// With what a network is formed when there is none: a random key, and a PAN id as written or random.
pub(crate) fn formation((channel, pan_id): (u8, Option<u16>)) -> std::io::Result<Formation> {
    let pan_id = pan_id.unwrap_or_else(|| fastrand::u16(1..0xFFFE));
    let ids = NetworkIds { pan_id, ext_pan_id: fastrand::u64(1..u64::MAX), channel };
    Ok(Formation { ids, key: Key::random()? })
}

impl Driver for Zigbee {
    const PROTOCOL: &'static str = "zigbee";
    const PUSHES: bool = true;
    type Link = Link;
    type Point = Point;
    type Session = ZigbeeSession;

    fn lane(&self, link: &Link) -> LaneKey {
        let ieee = link.ieee().map(|ieee| ieee.to_string()).unwrap_or_default();
        LaneKey::new(&format!("zigbee {} {ieee}", link.coordinator()))
    }

    async fn connect(&self, link: &Link) -> Result<ZigbeeSession, Fault> {
        let coordinator = self.coordinator(link).await?;
        session::connect(coordinator, link).await
    }
}
