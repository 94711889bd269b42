//! The edge: everything of the gateway, wired in `wiring.rs` and nowhere else.

pub mod api;
pub mod backup;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod doctor;
pub mod eventbus;
pub mod files;
pub mod log;
pub mod overview;
pub mod running;
pub mod supervisor;
pub mod wiring;
pub(crate) mod witness;
