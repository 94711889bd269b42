//! The histories of all nodes: a database of its own, so that what comes in after a long outage holds up no twin.
//!
//! Samples and the place up to which a node's log is here are one transaction. A sample that comes again changes nothing.

mod columns;
mod keep;
mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection as _, Row as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use twin_core::history::{Collected, Message, Place, Sample};
use twin_core::{Incarnation, NodeName};

use crate::error::{OpenError, StoreError};

pub use keep::{HistoryKept, HistoryRetention};
pub use read::NodeHistory;

/// The histories of all nodes. Cloning is cheap: all clones are the same store.
#[derive(Debug, Clone)]
pub struct HistoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// None once it is closed.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
}

/// Numbers of a log are below this: with the number of its run they make one number of 63 bits.
const SEQS: i64 = 1 << 40;

/// The place of a sample among those of the same time.
fn place(run: i64, seq: u64) -> i64 {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX).min(SEQS - 1);
    run.saturating_mul(SEQS).saturating_add(seq)
}

impl HistoryStore {
    /// Opens the database in the folder `dir` or makes it.
    pub(crate) async fn open(dir: &Path) -> Result<Self, OpenError> {
        let (writer, readers) = schema::open(dir).await?;
        Ok(Self { inner: Arc::new(Inner { writer: Mutex::new(Some(writer)), readers }) })
    }

    /// How far the node's log is here in each incarnation, the one that grew last first; as many as a hello names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn known(&self, node: &NodeName) -> Result<Vec<Place>, StoreError> {
        let rows = sqlx::query(
            "SELECT incarnation, last FROM history_runs WHERE node = ?1 ORDER BY grown DESC LIMIT ?2",
        )
        .bind(node.as_str())
        .bind(i64::try_from(Message::MOST_KNOWN).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let incarnation = Incarnation::new(row.try_get::<i64, _>(0)?.cast_unsigned());
                Ok(Place { incarnation, seq: row.try_get::<i64, _>(1)?.cast_unsigned() })
            })
            .collect()
    }

    /// Stores what a collector asks for; when this returns it is on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing of it is stored then.
    pub async fn collect(&self, node: &NodeName, collected: &Collected) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let writer = writer.as_mut().ok_or(StoreError::Closed)?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        let Collected { samples, end, missed } = collected;
        let (run, here) = run(&mut transaction, node, *end).await?;
        // Another connection of the same node may have stored some of it meanwhile.
        let fresh = samples.iter().filter(|sample| sample.seq > here);
        insert(&mut transaction, node, run, fresh.collect()).await?;
        let missed = if end.seq > here { *missed } else { 0 };
        sqlx::query(
            "UPDATE history_runs SET last = max(last, ?2), missed = missed + ?3, \
             grown = (SELECT max(grown) + 1 FROM history_runs WHERE node = ?4) WHERE id = ?1",
        )
        .bind(run)
        .bind(end.seq.cast_signed())
        .bind(missed.cast_signed())
        .bind(node.as_str())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Writes the log into the database file and closes it.
    pub(crate) async fn close(&self) {
        self.inner.readers.close().await;
        let Some(mut writer) = self.inner.writer.lock().await.take() else { return };
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer).await {
            tracing::warn!(%error, "the log of the histories could not be written into their file; the next start does it");
        }
        if let Err(error) = writer.close().await {
            tracing::warn!(%error, "the database of the histories did not close cleanly; the next start repairs it");
        }
    }
}

/// The number of a run, and how far it is here.
async fn run(
    connection: &mut SqliteConnection,
    node: &NodeName,
    end: Place,
) -> Result<(i64, u64), StoreError> {
    let row = sqlx::query(
        "INSERT INTO history_runs (node, incarnation, last, grown) VALUES (?1, ?2, 0, 0) \
         ON CONFLICT (node, incarnation) DO UPDATE SET last = last RETURNING id, last",
    )
    .bind(node.as_str())
    .bind(end.incarnation.get().cast_signed())
    .fetch_one(connection)
    .await?;
    Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned()))
}

/// Inserts samples of a run, in the order in which the table lies: each page is written once.
async fn insert(
    connection: &mut SqliteConnection,
    node: &NodeName,
    run: i64,
    samples: Vec<&Sample>,
) -> Result<(), StoreError> {
    let mut keys = std::collections::HashMap::new();
    for sample in &samples {
        let count: &mut (i64, i64) = keys.entry(&sample.id).or_default();
        count.1 += 1;
    }
    for (id, (key, count)) in &mut keys {
        *key = sqlx::query_scalar(
            "INSERT INTO history_properties (node, device, property, samples) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (node, device, property) DO UPDATE SET samples = samples + excluded.samples RETURNING id",
        )
        .bind(node.as_str())
        .bind(id.device.as_str())
        .bind(id.property.as_str())
        .bind(*count)
        .fetch_one(&mut *connection)
        .await?;
    }
    let mut rows: Vec<(i64, i64, &Sample)> = samples
        .into_iter()
        .map(|sample| (keys.get(&sample.id).map_or(0, |(key, _)| *key), place(run, sample.seq), sample))
        .collect();
    rows.sort_by_key(|(key, place, sample)| (*key, sample.reading.at, *place));
    let mut rest = rows.as_slice();
    // Few sizes, so that each statement is prepared once.
    for size in [256, 32, 4, 1] {
        while let Some((chunk, behind)) = rest.split_at_checked(size) {
            let places = vec!["(?, ?, ?, ?, ?, ?, ?)"; size].join(", ");
            let sql = format!(
                "INSERT OR IGNORE INTO samples (property, at, place, tag, source, value, note) VALUES {places}"
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for (key, place, sample) in chunk {
                query = columns::bind(query, *key, *place, &sample.reading);
            }
            query.execute(&mut *connection).await?;
            rest = behind;
        }
    }
    Ok(())
}
