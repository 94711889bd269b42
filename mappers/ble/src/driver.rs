//! The driver: adapters by their name, taken into use when the first device needs one.

use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::{Driver, Fault, LaneKey};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::hub::Hub;
use crate::link::Link;
use crate::point::Point;
use crate::radio::bluez::BlueZ;
use crate::radio::{Adapter as _, Radio};
use crate::session::BleSession;

/// An adapter that worked this long ago is likely to be back by itself: BlueZ is being started again, a plug was moved.
const LIKELY_BACK: Duration = Duration::from_secs(60);

/// Bluetooth LE.
#[derive(Debug)]
pub struct Ble<R: Radio = BlueZ> {
    radio: R,
    adapters: Mutex<Adapters<R>>,
}

#[derive(Debug)]
struct Adapters<R: Radio> {
    /// With the name by which each was asked for.
    hubs: Vec<Opened<R::Adapter>>,
    worked_at: Option<Instant>,
}

type Opened<A> = (Option<String>, Arc<Hub<A>>);

impl Default for Ble {
    fn default() -> Self {
        Self::over(BlueZ::default())
    }
}

impl<R: Radio> Ble<R> {
    /// Bluetooth LE over this radio; nothing is opened before a device needs it.
    #[must_use]
    pub fn over(radio: R) -> Self {
        Self { radio, adapters: Mutex::new(Adapters { hubs: Vec::new(), worked_at: None }) }
    }

    /// The adapter with this name, or the first there is.
    pub(crate) async fn hub(&self, name: Option<&str>) -> Result<Arc<Hub<R::Adapter>>, Fault> {
        let mut adapters = self.adapters.lock().await;
        let before = adapters.hubs.len();
        adapters.hubs.retain(|(_, hub)| hub.shared().state().down().is_none());
        if adapters.hubs.len() < before {
            adapters.worked_at = Some(Instant::now());
        }
        let own = |hub: &Hub<R::Adapter>| Some(hub.shared().adapter.name().to_owned());
        let asked = |(asked, hub): &&Opened<R::Adapter>| {
            asked.as_deref() == name || (name.is_some() && own(hub).as_deref() == name)
        };
        if let Some((_, hub)) = adapters.hubs.iter().find(asked) {
            return Ok(Arc::clone(hub));
        }
        let (adapter, events) = match self.radio.open(name).await {
            Err(Fault::Denied(text)) if adapters.worked_at.is_some_and(|at| at.elapsed() < LIKELY_BACK) => {
                return Err(Fault::Link(text));
            }
            opened => opened?,
        };
        let name = name.map(str::to_owned);
        let same = adapters.hubs.iter().find(|(_, hub)| hub.shared().adapter.name() == adapter.name());
        let hub = match same {
            Some((_, hub)) => Arc::clone(hub),
            None => Arc::new(Hub::start(adapter, events)),
        };
        adapters.hubs.push((name, Arc::clone(&hub)));
        Ok(hub)
    }
}

impl<R: Radio> Driver for Ble<R> {
    const PROTOCOL: &'static str = "ble";
    const PUSHES: bool = true;
    type Link = Link;
    type Point = Point;
    type Session = BleSession<R::Adapter>;

    fn lane(&self, link: &Link) -> LaneKey {
        // Each device has its own: one that is waited for holds up no other.
        let device = link.wanted().map_or_else(|fault| fault.message, |wanted| wanted.to_string());
        LaneKey::new(&format!("ble {} {device}", link.adapter().unwrap_or("any")))
    }

    async fn connect(&self, link: &Link) -> Result<BleSession<R::Adapter>, Fault> {
        let hub = self.hub(link.adapter()).await?;
        BleSession::open(hub, link).await
    }
}
