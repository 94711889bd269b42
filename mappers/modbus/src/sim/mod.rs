//! A simulated Modbus plant, over TCP or with the frames of a serial line: units with tables that change, and with every fault that a real one has.

mod demo;
mod line;
mod plant;
mod unit;
mod wire;

pub use demo::{Demo, demo_plant};
pub use plant::{Plant, SimError};
pub use unit::{SimFault, SimUnit, Tables};

/// What a unit answers to a request, both without a frame.
#[cfg(test)]
pub(crate) fn answer_of(unit: &SimUnit, request: &[u8]) -> Vec<u8> {
    wire::answer(&mut unit.tables(), request)
}
