//! The history: samples in the order in which they were taken, appended in the transaction that holds the change.
//!
//! New samples go to `samples_fresh`, a table that only grows at its end: one page is written for many samples of many
//! properties. When the service has nothing to do they are moved, many at once, to `samples_settled`, which lies in
//! the order of property and time: a question about one property reads one stretch of the file. The other way, an
//! index of fresh samples by property, would write a page for every sample, and flash memory wears by pages.

mod append;
mod columns;
mod keys;
mod read;
mod runs;
mod tend;

pub use read::HistorySize;
pub use tend::{HistoryBounds, Tended};

pub(crate) use append::{Appended, append};

use sqlx::SqliteConnection;
use std::collections::HashMap;
use tracing::warn;
use twin_core::history::{Place, Reading};
use twin_core::{Incarnation, PropertyId};

use crate::StoreError;

/// A sample that has no place in the log yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSample {
    /// The property it is of.
    pub id: PropertyId,
    /// What was known.
    pub reading: Reading,
}

pub(crate) const SCHEMA: &str = "
CREATE TABLE history_properties (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (device, property)
);
CREATE TABLE history_runs (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    incarnation INTEGER NOT NULL
);
CREATE TABLE samples_fresh (
    seq INTEGER PRIMARY KEY,
    property INTEGER NOT NULL,
    at INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    source INTEGER,
    value,
    note TEXT
);
CREATE TABLE samples_settled (
    property INTEGER NOT NULL,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    source INTEGER,
    value,
    note TEXT,
    PRIMARY KEY (property, at, seq)
) WITHOUT ROWID;
CREATE INDEX samples_settled_by_seq ON samples_settled (seq);
CREATE VIEW samples AS
    SELECT seq, property, at, tag, source, value, note FROM samples_fresh
    UNION ALL SELECT seq, property, at, tag, source, value, note FROM samples_settled;
";

/// What the writer remembers of the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of the next sample.
    next: u64,
    /// The first number of the run that goes on, and whose it is.
    run: Option<(u64, Incarnation)>,
    /// The first number that may be among the fresh.
    fresh_from: u64,
    keys: HashMap<PropertyId, i64>,
    tending: tend::Tending,
}

impl Log {
    /// Reads where the log ends.
    pub(crate) async fn open(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let newest = runs::newest(connection).await?;
        let next = newest.map_or(1, |run| run.last + 1);
        let fresh: Option<i64> =
            sqlx::query_scalar("SELECT min(seq) FROM samples_fresh").fetch_one(&mut *connection).await?;
        Ok(Self {
            next,
            run: newest.map(|run| (run.first, run.incarnation)),
            fresh_from: fresh.map_or(next, columns::seq_of),
            keys: keys::all(connection).await?,
            tending: tend::Tending::default(),
        })
    }

    /// The log of a database that was opened anew, or made anew: its numbers go on from those given before.
    pub(crate) fn going_on(self, before: &Self) -> Self {
        if self.next >= before.next {
            return self;
        }
        Self { next: before.next, fresh_from: before.next, ..self }
    }

    /// The place of the last sample of the newest run.
    pub(crate) fn end(&self) -> Option<Place> {
        self.run.map(|(_, incarnation)| Place { incarnation, seq: self.next - 1 })
    }
}

/// Lets the database give pages back to the file system, which has to be so from its first table on; a database of an
/// earlier version is written anew for it, once.
pub(crate) async fn give_back(connection: &mut SqliteConnection) {
    const INCREMENTAL: i64 = 2;
    let mode = sqlx::query_scalar::<_, i64>("PRAGMA auto_vacuum").fetch_one(&mut *connection).await;
    if mode.is_ok_and(|mode| mode == INCREMENTAL) {
        return;
    }
    for statement in ["PRAGMA auto_vacuum = 2", "VACUUM"] {
        if let Err(error) = sqlx::raw_sql(statement).execute(&mut *connection).await {
            warn!(%error, "the database cannot be rewritten so that it gives disk back; it works all the same");
            return;
        }
    }
}
