//! What somebody who is to help needs to know of a gateway, without its secrets.

mod collect;
pub mod scrub;
mod yaml;

pub use collect::{BundleError, Bundled, Wanted, collect};
