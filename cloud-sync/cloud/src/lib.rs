//! The cloud as a library, so that other programs can run it inside themselves.
#![warn(missing_docs)]

mod error;
mod folder;
mod keep;
mod rest;
mod serve;
mod settings;
mod wiring;

pub use error::Error;
pub use rest::openapi_document;
pub use settings::Settings;
pub use wiring::{Bound, Cloud};
