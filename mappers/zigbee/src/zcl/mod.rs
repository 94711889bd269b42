//! The ZigBee Cluster Library: frames, types, commands for all clusters, and tables of the clusters that are known by name.
//! Sections are those of the ZigBee Cluster Library Specification, revision 8.

pub mod clusters;
pub mod global;
mod header;
mod scalar;
pub mod status;
mod types;

pub use header::{Direction, Header, Message};
pub use scalar::Scalar;
pub use types::{Shape, TypeId};
