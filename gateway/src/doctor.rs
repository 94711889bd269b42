//! What is wrong with a gateway and its machine, each with the mend.
//!
//! Every topic has a pure half here, which makes findings of facts; the facts are gathered in [`probe`].

pub mod account;
pub mod broker;
pub mod certificates;
pub mod clock;
pub mod cloud;
pub mod configuration;
pub mod devices;
pub mod disk;
mod finding;
pub mod folder;
pub mod gateway;
pub mod ports;
pub mod probe;
pub mod radio;
pub mod serial;

pub use finding::{Finding, Level, Report};
