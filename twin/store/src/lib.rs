//! The edge's twins in SQLite: one writer, group commit, readers beside it.
//!
//! Everything here happens in [`TwinStore::commit`]: one [`Commit`](twin_core::replica::Commit) is one transaction with
//! one multi-row statement per table, made durable (`synchronous=FULL`) before it returns.

mod commit;
mod configurations;
mod cursors;
mod documents;
mod open;
mod reader;
mod staging;

pub use configurations::{ConfigStore, NewConfiguration, StoredConfiguration};
pub use open::{OpenError, TwinStore};
pub use reader::{ChangesToken, InvalidToken, Page, Reader, StoredTwin};

/// The database said no, or holds what this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed: the disk is full or read-only, or the file is damaged.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row cannot be read as what it should be.
    #[error("the database holds a document that this version cannot read ({place}): {reason}")]
    Unreadable {
        /// Which row.
        place: String,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn unreadable(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unreadable { place: place.into(), reason: reason.to_string() }
    }
}
