//! The second source of ZigBee devices: a zigbee2mqtt that somebody else runs, over the MQTT broker that it speaks to.

mod bridge;
mod driver;
mod exposes;
mod hub;
mod link;
mod session;

pub use bridge::{Bridge, Described, Heard, State};
pub use driver::Zigbee2Mqtt;
pub use exposes::{Feature, Meaning, features};
pub use link::{Link, Point};
pub use session::Zigbee2MqttSession;

/// The protocol as the configuration knows it: the key `zigbee2mqtt` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("zigbee2mqtt")
}
