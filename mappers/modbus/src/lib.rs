//! The Modbus mapper: points, the planner of requests, sessions over TCP and over serial lines, and a simulated plant.

mod bus;
pub mod codec;
mod driver;
pub mod frames;
pub mod link;
pub mod overview;
pub mod plan;
pub mod point;
pub mod probe;
mod serial;
mod session;
pub mod sim;

pub use driver::Modbus;
pub use link::Link;
pub use point::{Area, Byte, DataType, Number, Order, Point};
pub use session::ModbusSession;

/// The protocol as the configuration knows it: the key `modbus` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("modbus")
}
