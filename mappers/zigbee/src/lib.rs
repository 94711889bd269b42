//! The ZigBee mapper: a host for coordinators that speak ZNP, the ZigBee Cluster Library, and a simulated network.

pub mod admin;
pub mod bytes;
pub mod control;
mod driver;
pub mod host;
mod ieee;
mod link;
pub mod point;
mod session;
pub mod sim;
pub mod zcl;
pub mod zigbee2mqtt;
pub mod znp;

pub use driver::Zigbee;
pub use ieee::{Ieee, NotAnIeee};
pub use link::Link;
pub use point::Point;
pub use session::ZigbeeSession;

/// The protocol as the configuration knows it: the key `zigbee` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("zigbee")
}
