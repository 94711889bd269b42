//! The Modbus mapper: points, the planner of requests, the session over TCP, and a simulated plant.

mod bus;
pub mod codec;
mod driver;
pub mod link;
pub mod plan;
pub mod point;
mod session;
pub mod sim;

pub use driver::Modbus;
pub use link::Link;
pub use point::{Area, DataType, Number, Order, Point};
pub use session::ModbusSession;

/// The protocol as the configuration knows it: the key `modbus` in a device and in a property.
#[must_use]
pub fn protocol() -> config::Protocol {
    config::Protocol::of::<Link, Point>("modbus")
}
