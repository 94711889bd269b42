//! A simulated network: a coordinator that speaks ZNP, routers, and devices that sleep. The core is pure: bytes, the
//! time and a seed go in, bytes come out, and the same seed gives the same run.

mod coordinator;
mod demo;
mod members;
mod mesh;
#[cfg(test)]
mod mesh_tests;
mod node;
mod serve;

pub use coordinator::Fault as CoordinatorFault;
pub use demo::{Demo, DemoError, Running, demo, demo_network};
pub use mesh::{Air, Mesh};
pub use node::{Fault as NodeFault, Kind, Node};
pub use serve::{Sim, SimError};
