//! A simulated device.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::radio::{Attribute, Flags, Handle, News};
use crate::uuid::Uuid;

/// What is wrong with a simulated device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimFault {
    /// Nothing.
    #[default]
    None,
    /// It neither advertises nor answers.
    Silent,
    /// It advertises and cannot be connected to.
    NotConnectable,
    /// It answers that much later.
    Slow(Duration),
    /// Of everything that is read only the first byte comes.
    WrongLength,
    /// The connection is lost in the middle of every read.
    DropsMidRead,
    /// Everything that is read is refused with an error of the application.
    Refuses,
    /// It refuses everything that is read as long as there is no bond.
    WantsBond,
}

/// A simulated device.
#[derive(Debug, Clone, Default)]
pub struct SimDevice {
    /// Its name.
    pub name: String,
    /// What can be read and written.
    pub characteristics: Vec<SimCharacteristic>,
    /// Manufacturer data by company identifier.
    pub manufacturer: BTreeMap<u16, Vec<u8>>,
    /// Service data by service.
    pub service_data: BTreeMap<Uuid, Vec<u8>>,
    /// The strength of its signal in dBm.
    pub rssi: i16,
    /// What is wrong with it.
    pub fault: SimFault,
    /// How often something was read or written.
    pub requests: u64,
    /// How often it was connected to.
    pub connected: u64,
    pub(super) is_connected: bool,
    pub(super) is_bonded: bool,
    pub(super) subscribed: BTreeSet<usize>,
}

/// A characteristic of a simulated device.
#[derive(Debug, Clone)]
pub struct SimCharacteristic {
    /// The service that it belongs to.
    pub service: Uuid,
    /// What it is.
    pub uuid: Uuid,
    /// What can be done with it.
    pub flags: Flags,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl SimCharacteristic {
    /// A characteristic that is read and told of.
    #[must_use]
    pub fn measured(service: u16, uuid: u16, bytes: &[u8]) -> Self {
        let flags = Flags { read: true, tells: true, ..Flags::default() };
        Self { service: Uuid::assigned(service), uuid: Uuid::assigned(uuid), flags, bytes: bytes.to_vec() }
    }

    /// A characteristic that is only read.
    #[must_use]
    pub fn fixed(service: u16, uuid: u16, bytes: &[u8]) -> Self {
        let flags = Flags { read: true, ..Flags::default() };
        Self { flags, ..Self::measured(service, uuid, bytes) }
    }

    /// A characteristic that is read and written.
    #[must_use]
    pub fn setting(service: Uuid, uuid: Uuid, bytes: &[u8]) -> Self {
        let flags = Flags { read: true, write: true, command: true, tells: false };
        Self { service, uuid, flags, bytes: bytes.to_vec() }
    }
}

impl SimDevice {
    /// A device with this name and these characteristics, in good order.
    #[must_use]
    pub fn new(name: &str, characteristics: Vec<SimCharacteristic>) -> Self {
        Self { name: name.to_owned(), characteristics, rssi: -55, ..Self::default() }
    }

    /// The bytes of a characteristic; empty when there is none.
    #[must_use]
    pub fn bytes(&self, uuid: Uuid) -> Vec<u8> {
        self.characteristics.iter().find(|c| c.uuid == uuid).map(|c| c.bytes.clone()).unwrap_or_default()
    }

    pub(super) fn set(&mut self, uuid: Uuid, bytes: &[u8]) -> Vec<Handle> {
        let mut told = Vec::new();
        for (number, characteristic) in self.characteristics.iter_mut().enumerate() {
            if characteristic.uuid == uuid {
                characteristic.bytes = bytes.to_vec();
                if self.is_connected && self.fault != SimFault::Silent && self.subscribed.contains(&number) {
                    told.push(handle(number));
                }
            }
        }
        told
    }

    pub(super) fn handle_cut(&mut self) {
        self.is_connected = false;
        self.subscribed.clear();
    }

    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let attribute = |(number, c): (usize, &SimCharacteristic)| Attribute {
            handle: handle(number),
            service: c.service,
            uuid: c.uuid,
            flags: c.flags,
        };
        self.characteristics.iter().enumerate().map(attribute).collect()
    }

    /// What it advertises; none while it is silent.
    pub(super) fn advertisement(&self) -> Option<News> {
        (self.fault != SimFault::Silent).then(|| News {
            heard: true,
            name: Some(self.name.clone()),
            rssi: Some(self.rssi),
            tx_power: Some(0),
            services: Some(self.characteristics.iter().map(|c| c.service).collect()),
            manufacturer: Some(self.manufacturer.clone()),
            service_data: Some(self.service_data.clone()),
            ..News::default()
        })
    }
}

fn handle(number: usize) -> Handle {
    Handle::new(&format!("char{number:04x}"))
}

/// The number of the characteristic with this handle.
pub(super) fn number_of(handle: &Handle) -> Option<usize> {
    usize::from_str_radix(handle.as_str().strip_prefix("char")?, 16).ok()
}
