//! The driver: connections by host and port, sessions by unit.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use mapper_sdk::{Driver, Fault, LaneKey};
use tokio::sync::Mutex;

use crate::bus::Bus;
use crate::link::Link;
use crate::point::Point;
use crate::session::{ModbusSession, terms};

/// Modbus.
#[derive(Debug, Default)]
pub struct Modbus {
    buses: std::sync::Mutex<HashMap<String, Weak<Mutex<Bus>>>>,
}

impl Modbus {
    fn bus(&self, endpoint: &str) -> Arc<Mutex<Bus>> {
        let mut buses = self.buses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bus) = buses.get(endpoint).and_then(Weak::upgrade) {
            return bus;
        }
        buses.retain(|_, bus| bus.strong_count() > 0);
        let bus = Arc::new(Mutex::new(Bus::new(endpoint)));
        buses.insert(endpoint.to_owned(), Arc::downgrade(&bus));
        bus
    }
}

impl Driver for Modbus {
    const PROTOCOL: &'static str = "modbus";
    type Link = Link;
    type Point = Point;
    type Session = ModbusSession;

    fn lane(&self, link: &Link) -> LaneKey {
        LaneKey::new(&format!("modbus tcp {}", link.endpoint()))
    }

    async fn connect(&self, link: &Link) -> Result<ModbusSession, Fault> {
        let bus = self.bus(link.endpoint());
        bus.lock().await.connect(terms(link)).await?;
        Ok(ModbusSession::new(bus, link))
    }
}
