//! What the cloud keeps: the twins of all nodes, in one SQLite database.
//!
//! One task writes, and all that is queued becomes one transaction; readers use connections of their own that can only
//! read. Nothing is answered before the transaction that holds it is on the disk, so a killed process loses nothing
//! that it has acknowledged.
#![warn(missing_docs)]

mod codec;
mod desired;
mod error;
mod group;
mod history;
mod open;
mod read;
mod rows;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{OpenError, RedeemError, SetDesiredError, StoreError, TokenRefused};
pub use history::{HistoryKept, HistoryRetention, HistoryStore, NodeHistory};
pub use read::alarms::{AlarmFilter, AlarmRow};
pub use read::devices::{DeviceFilter, DeviceRow};
pub use read::page::{ChangesPage, PropertyRows};
pub use read::twin::{TwinRows, Versioned};
pub use read::{ChangeRow, NodeRow};
pub use store::{Authored, CloudStore, Committed};
