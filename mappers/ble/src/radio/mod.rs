//! What the mapper needs of a Bluetooth adapter, so that a simulated one can take its place.

pub mod bluez;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use mapper_sdk::Fault;

use crate::address::Address;
use crate::uuid::Uuid;

/// A way to adapters.
pub trait Radio: Send + Sync + 'static {
    /// An adapter in use.
    type Adapter: Adapter;
    /// What is heard through it.
    type Events: Events;

    /// Takes the adapter `name` (or the first there is) into use; ends by itself within 20 s.
    ///
    /// # Errors
    /// A [`Fault`] which says what is missing and how to mend it.
    fn open(
        &self,
        name: Option<&str>,
    ) -> impl Future<Output = Result<(Self::Adapter, Self::Events), Fault>> + Send;
}

/// An adapter in use. The calls take as long as they take: who calls sets the time-out.
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// Its name, for example `hci0`.
    fn name(&self) -> &str;

    /// Listens for advertisements from now on, or not any more.
    ///
    /// # Errors
    /// A [`Fault`] when the adapter cannot.
    fn listen(&self, on: bool) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Connects; what the device offers is known once [`News::resolved`] came.
    ///
    /// # Errors
    /// A [`Fault`] when the device cannot be reached.
    fn connect(&self, device: Address) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Ends the connection.
    ///
    /// # Errors
    /// A [`Fault`] when there is none.
    fn disconnect(&self, device: Address) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes a bond with a connected device, so that both know each other from now on.
    ///
    /// # Errors
    /// A [`Fault`] when the device will not.
    fn bond(&self, device: Address) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The characteristics of a connected device.
    ///
    /// # Errors
    /// A [`Fault`] when the connection is lost.
    fn attributes(&self, device: Address) -> impl Future<Output = Result<Vec<Attribute>, Fault>> + Send;

    /// Reads a characteristic.
    ///
    /// # Errors
    /// A [`Fault`] of the connection, or of this characteristic.
    fn read(&self, device: Address, handle: &Handle) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;

    /// Writes a characteristic, with or without asking the device for a response.
    ///
    /// # Errors
    /// A [`Fault`] of the connection, or of this characteristic.
    fn write(
        &self,
        device: Address,
        handle: &Handle,
        bytes: &[u8],
        response: bool,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks for notifications or indications, whichever there are; they come as [`Event::Told`].
    ///
    /// # Errors
    /// A [`Fault`] of the connection, or of this characteristic.
    fn subscribe(&self, device: Address, handle: &Handle) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What is heard through an adapter.
pub trait Events: Send + 'static {
    /// The next event; cancel-safe.
    ///
    /// # Errors
    /// A [`Fault`] when the adapter is gone; nothing comes after it.
    fn next(&mut self) -> impl Future<Output = Result<Event, Fault>> + Send;
}

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something about a device.
    News(Address, News),
    /// The adapter has forgotten a device.
    Forgotten(Address),
    /// A connected device notifies or indicates.
    Told(Address, Handle, Vec<u8>),
    /// The adapter does not listen any more, though nobody here said so.
    Deaf,
}

/// What has changed of a device; what is none has not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// Whether an advertisement brought it just now; otherwise it is what the adapter knew, of any age.
    pub heard: bool,
    /// The name.
    pub name: Option<String>,
    /// The strength of the signal in dBm, typically -100 to -30.
    pub rssi: Option<i16>,
    /// The power with which the device says it sends, in dBm.
    pub tx_power: Option<i16>,
    /// The services that it advertises or has.
    pub services: Option<BTreeSet<Uuid>>,
    /// Manufacturer data by company identifier.
    pub manufacturer: Option<BTreeMap<u16, Vec<u8>>>,
    /// Service data by service.
    pub service_data: Option<BTreeMap<Uuid, Vec<u8>>>,
    /// Whether it is connected.
    pub connected: Option<bool>,
    /// Whether its services are known.
    pub resolved: Option<bool>,
    /// Whether there is a bond.
    pub bonded: Option<bool>,
}

/// Names a characteristic of a connected device; of no use after the connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(Arc<str>);

impl Handle {
    /// The handle with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A characteristic of a connected device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its handle.
    pub handle: Handle,
    /// The service that it belongs to.
    pub service: Uuid,
    /// What it is.
    pub uuid: Uuid,
    /// What can be done with it.
    pub flags: Flags,
}

/// What can be done with a characteristic (Bluetooth Core Specification, Vol 3, Part G, 3.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// It can be read.
    pub read: bool,
    /// It can be written, and the device responds.
    pub write: bool,
    /// It can be written without a response.
    pub command: bool,
    /// It notifies or indicates.
    pub tells: bool,
}
