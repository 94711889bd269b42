//! The OPC UA mapper: points by the URI of their namespace, sessions with subscriptions, certificates and trust, browsing,
//! and a simulated server.

pub mod browse;
mod connection;
mod driver;
pub mod link;
pub mod pki;
pub mod point;
mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod status;
mod told;
pub mod value;

pub use driver::{OpcUa, PAUSES};
pub use link::{Identity, Link, Security, SecurityMode};
pub use point::{Mode, Number, Point};
pub use session::OpcUaSession;

/// The protocol as the configuration knows it: the key `opcua` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("opcua")
}
