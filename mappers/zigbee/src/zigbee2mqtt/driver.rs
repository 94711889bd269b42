//! The driver: connections by their broker, shared by their devices.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mapper_sdk::{Driver, Fault, LaneKey};

use super::hub::Hub;
use super::link::{Link, Point};
use super::session::{self, Zigbee2MqttSession};

/// What distinguishes a connection: broker, base topic and user.
type Key = (String, String, Option<String>);

/// Devices behind a zigbee2mqtt.
#[derive(Default)]
pub struct Zigbee2Mqtt {
    hubs: Mutex<HashMap<Key, Weak<Hub>>>,
}

impl fmt::Debug for Zigbee2Mqtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zigbee2Mqtt").finish_non_exhaustive()
    }
}

impl Zigbee2Mqtt {
    fn hub(&self, link: &Link) -> Result<Arc<Hub>, Fault> {
        let key = (link.broker.clone(), link.base.clone(), link.username.clone());
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(&key).and_then(Weak::upgrade) {
            return Ok(hub);
        }
        hubs.retain(|_, hub| hub.strong_count() > 0);
        let hub = Arc::new(Hub::start(link)?);
        hubs.insert(key, Arc::downgrade(&hub));
        Ok(hub)
    }
}

impl Driver for Zigbee2Mqtt {
    const PROTOCOL: &'static str = "zigbee2mqtt";
    const PUSHES: bool = true;
    type Link = Link;
    type Point = Point;
    type Session = Zigbee2MqttSession;

    fn lane(&self, link: &Link) -> LaneKey {
        LaneKey::new(&format!("zigbee2mqtt {} {} {}", link.broker, link.base, link.device))
    }

    async fn connect(&self, link: &Link) -> Result<Zigbee2MqttSession, Fault> {
        let hub = self.hub(link)?;
        session::connect(hub, link).await
    }
}
