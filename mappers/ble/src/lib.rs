//! The Bluetooth LE mapper: points in characteristics and advertisements, sessions that share an adapter's connections,
//! BlueZ over D-Bus, and a simulated adapter.

mod address;
pub mod air;
pub mod budget;
pub mod decode;
mod driver;
mod hub;
pub mod inspect;
pub mod link;
pub mod point;
pub mod radio;
mod session;
pub mod sim;
mod uuid;

pub use address::{Address, InvalidAddress};
pub use driver::Ble;
pub use link::{Link, Mode};
pub use point::Point;
pub use radio::bluez::BlueZ;
pub use session::BleSession;
pub use uuid::{InvalidUuid, Uuid};

/// The protocol as the configuration knows it: the key `ble` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("ble")
}
