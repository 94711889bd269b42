//! How much of the histories is kept, in steps of some thousand rows.

use std::time::Duration;

use sqlx::{Connection as _, Row as _};
use twin_core::Timestamp;

use super::HistoryStore;
use crate::error::StoreError;

/// How much of each history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRetention {
    /// The age up to which samples are kept.
    pub max_age: Duration,
    /// The most samples of one property.
    pub max_rows: u64,
}

impl Default for HistoryRetention {
    /// 365 days, 100 million samples of a property.
    fn default() -> Self {
        Self { max_age: Duration::from_secs(365 * 86_400), max_rows: 100_000_000 }
    }
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryKept {
    /// Samples that are gone.
    pub dropped: u64,
    /// The property to go on after; none at the end of the round.
    pub next: Option<i64>,
}

/// The most properties looked at, and the most samples dropped, in one step.
const PROPERTIES: i64 = 512;
const ROWS: i64 = 4096;
/// Pages that are given back to the file system in one step.
const PAGES: i64 = 1024;

impl HistoryStore {
    /// Looks at the properties after one, and drops what is too old or too much of the first that has such; at the end of
    /// the round gives disk back. To be called now and then, again at once while it names a next.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn keep(
        &self,
        retention: HistoryRetention,
        after: Option<i64>,
        now: Timestamp,
    ) -> Result<HistoryKept, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let writer = writer.as_mut().ok_or(StoreError::Closed)?;
        let age = i64::try_from(retention.max_age.as_millis()).unwrap_or(i64::MAX);
        let before = now.as_millis().saturating_sub(age);
        let most = i64::try_from(retention.max_rows).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT id, samples, (SELECT min(at) FROM samples WHERE property = id) \
             FROM history_properties WHERE id > ?1 ORDER BY id LIMIT ?2",
        )
        .bind(after.unwrap_or(0))
        .bind(PROPERTIES)
        .fetch_all(&mut *writer)
        .await?;
        let mut last = after.unwrap_or(0);
        for row in &rows {
            let (id, samples, oldest): (i64, i64, Option<i64>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let too_many = samples.saturating_sub(most).max(0);
            if oldest.is_some_and(|oldest| oldest < before) || too_many > 0 && oldest.is_some() {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let dropped = sqlx::query(
                    "DELETE FROM samples WHERE property = ?1 AND (at, place) IN ( \
                       SELECT at, place FROM \
                         (SELECT at, place, row_number() OVER (ORDER BY at, place) AS n FROM \
                           (SELECT at, place FROM samples WHERE property = ?1 ORDER BY at, place LIMIT ?4)) \
                       WHERE at < ?2 OR n <= ?3)",
                )
                .bind(id)
                .bind(before)
                .bind(too_many)
                .bind(ROWS)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
                sqlx::query("UPDATE history_properties SET samples = samples - ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(dropped.cast_signed())
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                // The same one again: there may be more of it.
                return Ok(HistoryKept { dropped, next: Some(last) });
            }
            last = id;
        }
        if i64::try_from(rows.len()).is_ok_and(|n| n == PROPERTIES) {
            return Ok(HistoryKept { dropped: 0, next: Some(last) });
        }
        let (all, free): (i64, i64) =
            sqlx::query_as("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count")
                .fetch_one(&mut *writer)
                .await?;
        if free > PAGES.max(all / 8) {
            sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({PAGES})")))
                .fetch_all(&mut *writer)
                .await?;
        }
        Ok(HistoryKept::default())
    }
}
