//! From what was written to what is meant: defaults, models, references, and the rules between keys.

mod device;
mod gateway;
mod property;
mod secrets;

pub(crate) use device::{devices, models};
pub(crate) use gateway::gateway;
