//! What can go wrong, one type per operation.

use std::sync::Arc;

use twin_core::{DeviceId, PropertyId, Revision, Unacceptable};

/// The database cannot do what it was asked. It is the same for all requests that shared the transaction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed: {0}")]
    Database(Arc<sqlx::Error>),
    /// A row cannot be read.
    #[error("a stored row of {what} cannot be read ({reason}): restore the database from a backup")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolClosed) { Self::Closed } else { Self::Database(Arc::new(error)) }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be made.
    #[error("{path} cannot be made: {source}")]
    File {
        /// The folder or file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The database was written by a newer program.
    #[error(
        "{path} has schema {found}, this program knows up to {known}: use the newer program or restore a backup"
    )]
    NewerSchema {
        /// The database file.
        path: String,
        /// The schema it has.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// SQLite says no.
    #[error("{path} cannot be opened as a database: {source}")]
    Database {
        /// The database file.
        path: String,
        /// Why.
        source: sqlx::Error,
    },
}

/// Why desired values are not set. Nothing of the request was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetDesiredError {
    /// The node has no such device.
    #[error("the node has no device {device}")]
    UnknownDevice {
        /// The device that was named.
        device: DeviceId,
    },
    /// The device has no such property.
    #[error("device {} has no property {}", id.device, id.property)]
    UnknownProperty {
        /// The property that was named.
        id: PropertyId,
    },
    /// The value may not be wanted of this property.
    #[error("{}: {source}", id.property)]
    Unacceptable {
        /// The property.
        id: PropertyId,
        /// The rule that the value breaks.
        source: Unacceptable,
    },
    /// The desired values have changed since they were read.
    #[error("the desired values are at revision {current}, not {expected}: read them again")]
    RevisionMismatch {
        /// The revision they are at.
        current: Revision,
        /// The revision the caller has seen.
        expected: Revision,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a join token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// No such token was made for this node.
    #[error(
        "no such join token was made for this node: make one with `twinspan-cloud token create --node NAME`"
    )]
    Unknown,
    /// It is too old.
    #[error("the join token has expired: make a new one with `twinspan-cloud token create --node NAME`")]
    Expired,
    /// It was used before.
    #[error("the join token was used before: make a new one with `twinspan-cloud token create --node NAME`")]
    Used,
}

/// Why a join token is not redeemed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedeemError {
    /// The token is not taken.
    #[error(transparent)]
    Refused(#[from] TokenRefused),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
