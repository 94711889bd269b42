//! A simulated Modbus TCP plant: units with tables that change, and with every fault that a real one has.

mod demo;
mod plant;
mod unit;
mod wire;

pub use demo::{Demo, demo_plant};
pub use plant::{Plant, SimError};
pub use unit::{SimFault, SimUnit, Tables};
