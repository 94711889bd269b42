//! A simulated OPC UA server: a plant whose variables change, and every fault that a real server has.

mod demo;
mod plant;
mod relay;
mod server;

pub use demo::{Demo, demo_plant};
pub use plant::{SimPlant, SimVariable};
pub use relay::{SimFault, SimWire};
pub use server::{SimError, SimServer};
