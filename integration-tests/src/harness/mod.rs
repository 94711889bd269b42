//! What the whole-stack tests share: real processes, their ports and folders, clients to talk to them, real peers.
//!
//! A harness that cannot do its work panics with what is missing: its caller is a test.

mod cloud;
mod curl;
mod disk;
mod edge;
mod http;
mod meters;
mod mqtt;
mod peers;
mod ports;
mod process;
mod same;
mod secured;
mod service_manager;
mod wait;

pub use cloud::Cloud;
pub use curl::{Reply, curl};
pub use disk::Disk;
pub use edge::{Edge, Uplink};
pub use http::{Answer, raw, request};
pub use meters::{Meter, Meters};
pub use mqtt::{Message, Mqtt};
pub use peers::{ModbusPlc, Mosquitto, SKIP_PEERS, found, python};
pub use ports::Port;
pub use process::{Process, binary};
pub use same::{comparable, difference};
pub use secured::Secured;
pub use service_manager::ServiceManager;
pub use wait::{eventually, eventually_within};
