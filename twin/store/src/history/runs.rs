//! Table `history_runs`: which numbers of the log each start of the process has given.

use sqlx::{Row as _, SqliteConnection};
use twin_core::Incarnation;
use twin_core::history::Run;

use super::columns::{seq_column, seq_of};
use crate::StoreError;

/// Runs of which no sample is left are remembered so far back, for a cloud that comes again after a long time.
const KEPT: i64 = 1024;

/// The newest run; its last number is that of the log.
pub(super) async fn newest(connection: &mut SqliteConnection) -> Result<Option<Run>, StoreError> {
    Ok(all(connection).await?.pop())
}

/// Begins a run.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    incarnation: Incarnation,
    first: u64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO history_runs (first, last, incarnation) VALUES (?1, ?1, ?2)")
        .bind(seq_column(first))
        .bind(i64::try_from(incarnation.get()).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM history_runs WHERE last < (SELECT coalesce(min(seq), 0) FROM samples) \
         AND first <= (SELECT first FROM history_runs ORDER BY first DESC LIMIT 1 OFFSET ?1)",
    )
    .bind(KEPT)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes note that the newest run goes at least up to `last`.
pub(super) async fn extend(connection: &mut SqliteConnection, last: u64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE history_runs SET last = max(last, ?1) WHERE first = (SELECT max(first) FROM history_runs)",
    )
    .bind(seq_column(last))
    .execute(connection)
    .await?;
    Ok(())
}

/// All runs, oldest first.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Run>, StoreError> {
    // How far the newest goes is written down only now and then: the fresh samples tell.
    let rows = sqlx::query(
        "SELECT first, last, incarnation, coalesce((SELECT max(seq) FROM samples_fresh), 0) \
         FROM history_runs ORDER BY first",
    )
    .fetch_all(connection)
    .await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in &rows {
        let incarnation = Incarnation::new(seq_of(row.try_get(2)?));
        runs.push(Run { incarnation, first: seq_of(row.try_get(0)?), last: seq_of(row.try_get(1)?) });
    }
    if let (Some(newest), Some(row)) = (runs.last_mut(), rows.last()) {
        newest.last = newest.last.max(seq_of(row.try_get(3)?));
    }
    Ok(runs)
}
