//! Who did what: an append-only log in which each record holds the digest of the one before it.
//!
//! [`chain`] and `record` decide and touch nothing; [`Book`] keeps the records in a database of their own; [`Audit`] is how the
//! rest of the gateway writes them, many in one commit.
#![warn(missing_docs)]

mod book;
pub mod chain;
mod record;
mod verify;
mod writer;

pub use book::{AuditError, Book, Bounds, Page, Seen, SeenKey, Stored};
pub use chain::{Digest, Head};
pub use record::{Action, Outcome, Record};
pub use verify::{Broken, Verified};
pub use writer::{Audit, NotWritten, Writer};
