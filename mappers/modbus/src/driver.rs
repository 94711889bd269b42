//! The driver: connections and lines by their place, sessions by unit.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use mapper_sdk::{Driver, Fault, LaneKey};
use tokio::sync::Mutex;

use crate::bus::Bus;
use crate::link::{Link, Way};
use crate::point::Point;
use crate::session::{ModbusSession, terms};

/// Modbus.
#[derive(Debug, Default)]
pub struct Modbus {
    connections: std::sync::Mutex<HashMap<Way, Weak<Mutex<Bus>>>>,
    /// A line remembers what has not been answered, also while no session uses it; there is one for each place.
    lines: std::sync::Mutex<HashMap<Way, Arc<Mutex<Bus>>>>,
}

impl Modbus {
    fn bus(&self, way: &Way) -> Result<Arc<Mutex<Bus>>, Fault> {
        match way {
            Way::Tcp(_) => Ok(self.connection(way)),
            Way::OverTcp(..) | Way::Serial(..) => self.line(way),
        }
    }

    fn connection(&self, way: &Way) -> Arc<Mutex<Bus>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bus) = connections.get(way).and_then(Weak::upgrade) {
            return bus;
        }
        connections.retain(|_, bus| bus.strong_count() > 0);
        let bus = Arc::new(Mutex::new(Bus::new(way)));
        connections.insert(way.clone(), Arc::downgrade(&bus));
        bus
    }

    fn line(&self, way: &Way) -> Result<Arc<Mutex<Bus>>, Fault> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody uses it any more as it was configured before.
        lines.retain(|other, line| {
            other.place() != way.place() || other == way || Arc::strong_count(line) > 1
        });
        if let Some(other) = lines.keys().find(|other| other.place() == way.place() && *other != way) {
            return Err(Fault::Link(format!(
                "another device uses the same line as {other}, this one as {way}"
            )));
        }
        let line = lines.entry(way.clone()).or_insert_with(|| Arc::new(Mutex::new(Bus::new(way))));
        Ok(Arc::clone(line))
    }
}

impl Driver for Modbus {
    const PROTOCOL: &'static str = "modbus";
    type Link = Link;
    type Point = Point;
    type Session = ModbusSession;

    fn lane(&self, link: &Link) -> LaneKey {
        let way = link.way().ok();
        let (key, place) = way.as_ref().map_or(("", ""), |way| (way.key(), way.place()));
        LaneKey::new(&format!("modbus {key} {place}"))
    }

    async fn connect(&self, link: &Link) -> Result<ModbusSession, Fault> {
        let way = link.way().map_err(|fault| Fault::Link(fault.message))?;
        let bus = self.bus(&way)?;
        bus.lock().await.connect(terms(link)).await?;
        Ok(ModbusSession::new(bus, link))
    }
}
