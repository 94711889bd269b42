//! The edge's twins in SQLite: one writer, group commit, readers beside it.
//!
//! Everything here happens in [`TwinStore::commit`]: one [`Commit`](twin_core::replica::Commit) is one transaction with
//! one multi-row statement per table, made durable (`synchronous=FULL`) before it returns.

mod again;
mod commit;
mod configurations;
pub mod copy;
mod cursors;
mod damage;
mod documents;
mod error;
mod history;
mod open;
mod pauses;
mod reader;
mod staging;

pub use configurations::{ConfigStore, NewConfiguration, StoredConfiguration};
pub use damage::Damage;
pub use error::{StoreError, Trouble, Verdict};
pub use history::{HistoryBounds, HistorySize, NewSample, Tended};
pub use open::{OpenError, TwinStore};
pub use pauses::StoredPause;
pub use reader::{ChangesToken, InvalidToken, NotGood, Page, Reader, StoredTwin};
