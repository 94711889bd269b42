//! What is done to the history when there is nothing else to do, in steps of some thousand rows: fresh samples settle,
//! what is too old or too much goes, and the disk is given back.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{Connection as _, Row as _, SqliteConnection};
use twin_core::history::HistoryPolicy;
use twin_core::{PropertyId, Timestamp};

use super::columns::{seq_column, seq_of};
use super::{Log, runs};
use crate::{StoreError, TwinStore};

/// The bounds of all histories together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryBounds {
    /// How large the database may grow by histories, in bytes; then the oldest samples go.
    pub max_bytes: u64,
    /// The age up to which any history is kept.
    pub max_age: Duration,
}

impl Default for HistoryBounds {
    /// 1 GiB, 365 days.
    fn default() -> Self {
        Self { max_bytes: 1 << 30, max_age: Duration::from_secs(365 * 86_400) }
    }
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tended {
    /// Samples that have settled.
    pub settled: u64,
    /// Samples that were too old or too many and are gone.
    pub dropped: u64,
    /// Pages of 4 KiB given back to the file system.
    pub freed_pages: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// So many fresh samples settle at once: the more, the fewer pages are written for each.
const SETTLE_FROM: u64 = 16_384;
/// Fresh samples settle after this time however few they are.
const SETTLE_EVERY: Duration = Duration::from_secs(3600);
/// How often all properties are looked over for what is too old.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// The most rows of one step.
const STEP: u32 = 4096;
/// The most properties looked over in one step.
const PROPERTIES: i64 = 256;
/// Pages are given back when so many are free, and more than an eighth: a page that is given back and taken again is
/// written for nothing.
const SLACK_PAGES: i64 = 1024;

/// Where the work stands.
#[derive(Debug, Default)]
pub(crate) struct Tending {
    settled_at: Option<Timestamp>,
    /// Fresh samples up to this number are settling.
    settling: Option<u64>,
    looked_at: Option<Timestamp>,
    /// The last property looked over in the round that goes on.
    looking: Option<i64>,
}

/// How far it lies back; a clock that was set back counts as long ago.
fn due(last: Option<Timestamp>, every: Duration, now: Timestamp) -> bool {
    last.is_none_or(|last| now < last || now.since(last) >= every)
}

impl TwinStore {
    /// Does one step of what the history needs: some thousand rows at most. To be called when there is nothing else to do,
    /// again at once while there is more.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn tend_history(
        &mut self,
        policies: &HashMap<PropertyId, HistoryPolicy>,
        bounds: HistoryBounds,
        now: Timestamp,
    ) -> Result<Tended, StoreError> {
        if self.read_only {
            return Ok(Tended::default());
        }
        tend(&mut self.log, &mut self.connection, policies, bounds, now).await
    }
}

async fn tend(
    log: &mut Log,
    connection: &mut SqliteConnection,
    policies: &HashMap<PropertyId, HistoryPolicy>,
    bounds: HistoryBounds,
    now: Timestamp,
) -> Result<Tended, StoreError> {
    let fresh = log.next.saturating_sub(log.fresh_from);
    let settled_at = *log.tending.settled_at.get_or_insert(now);
    if log.tending.settling.is_none()
        && (fresh >= SETTLE_FROM || fresh > 0 && due(Some(settled_at), SETTLE_EVERY, now))
    {
        log.tending.settling = Some(log.next - 1);
    }
    if let Some(up_to) = log.tending.settling {
        let (settled, more) = settle(connection, up_to).await?;
        if !more {
            log.tending.settling = None;
            log.tending.settled_at = Some(now);
            log.fresh_from = up_to + 1;
        }
        return Ok(Tended { settled, more: true, ..Tended::default() });
    }
    if log.tending.looking.is_some() || due(log.tending.looked_at, LOOK_EVERY, now) {
        let after = log.tending.looking.unwrap_or(i64::MIN);
        let (dropped, next) = look_over(log, connection, policies, bounds, after, now).await?;
        log.tending.looking = next;
        if next.is_none() {
            log.tending.looked_at = Some(now);
        }
        return Ok(Tended { dropped, more: true, ..Tended::default() });
    }
    let pages = Pages::of(connection).await?;
    if pages.used_bytes() > bounds.max_bytes {
        let dropped = drop_oldest(log, connection).await?;
        if dropped > 0 {
            return Ok(Tended { dropped, more: true, ..Tended::default() });
        }
    }
    if pages.free > SLACK_PAGES.max(pages.all / 8) {
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({SLACK_PAGES})")))
            .fetch_all(&mut *connection)
            .await?;
        let freed = pages.all - Pages::of(connection).await?.all;
        let freed_pages = u64::try_from(freed).unwrap_or(0);
        return Ok(Tended { freed_pages, more: freed_pages > 0, ..Tended::default() });
    }
    Ok(Tended::default())
}

/// The pages of the database.
struct Pages {
    all: i64,
    free: i64,
    bytes: i64,
}

impl Pages {
    async fn of(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT page_count FROM pragma_page_count), \
             (SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self { all: row.try_get(0)?, free: row.try_get(1)?, bytes: row.try_get(2)? })
    }

    fn used_bytes(&self) -> u64 {
        u64::try_from((self.all - self.free).saturating_mul(self.bytes)).unwrap_or(0)
    }
}

/// Moves fresh samples, property by property, so that each page of the settled is written once for many of them.
async fn settle(connection: &mut SqliteConnection, up_to: u64) -> Result<(u64, bool), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let border = sqlx::query(
        "SELECT property, seq FROM samples_fresh WHERE seq <= ?1 ORDER BY property, seq LIMIT 1 OFFSET ?2",
    )
    .bind(seq_column(up_to))
    .bind(STEP)
    .fetch_optional(&mut *transaction)
    .await?;
    let (property, seq): (i64, i64) = match &border {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (i64::MAX, i64::MAX),
    };
    sqlx::query(
        "UPDATE history_properties SET settled = settled + moved.n FROM \
         (SELECT property AS key, count(*) AS n FROM samples_fresh \
          WHERE seq <= ?1 AND (property, seq) < (?2, ?3) GROUP BY property) AS moved \
         WHERE history_properties.id = moved.key",
    )
    .bind(seq_column(up_to))
    .bind(property)
    .bind(seq)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO samples_settled (property, at, seq, tag, source, value, note) \
         SELECT property, at, seq, tag, source, value, note FROM samples_fresh \
         WHERE seq <= ?1 AND (property, seq) < (?2, ?3) ORDER BY property, at, seq",
    )
    .bind(seq_column(up_to))
    .bind(property)
    .bind(seq)
    .execute(&mut *transaction)
    .await?;
    let moved = sqlx::query("DELETE FROM samples_fresh WHERE seq <= ?1 AND (property, seq) < (?2, ?3)")
        .bind(seq_column(up_to))
        .bind(property)
        .bind(seq)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    runs::extend(&mut transaction, up_to).await?;
    transaction.commit().await?;
    Ok((moved, border.is_some()))
}

/// Looks at the next properties, and drops what is too old or too many of the first that has such. Gives how many went
/// and the property to go on after; none at the end of the round.
async fn look_over(
    log: &Log,
    connection: &mut SqliteConnection,
    policies: &HashMap<PropertyId, HistoryPolicy>,
    bounds: HistoryBounds,
    after: i64,
    now: Timestamp,
) -> Result<(u64, Option<i64>), StoreError> {
    let by_key: HashMap<i64, HistoryPolicy> =
        policies.iter().filter_map(|(id, policy)| Some((*log.keys.get(id)?, *policy))).collect();
    let rows = sqlx::query(
        "SELECT id, settled, (SELECT min(at) FROM samples_settled WHERE property = id) \
         FROM history_properties WHERE id > ?1 ORDER BY id LIMIT ?2",
    )
    .bind(after)
    .bind(PROPERTIES)
    .fetch_all(&mut *connection)
    .await?;
    let mut last = after;
    for row in &rows {
        let (key, settled, oldest): (i64, i64, Option<i64>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let policy = by_key.get(&key).copied().unwrap_or_default();
        let most_ms = u64::try_from(bounds.max_age.as_millis()).unwrap_or(u64::MAX);
        let age = i64::try_from(policy.for_ms.map_or(most_ms, |ms| ms.min(most_ms))).unwrap_or(i64::MAX);
        let too_old_before = now.as_millis().saturating_sub(age);
        let too_many = policy.rows.map_or(0, |rows| settled.saturating_sub(seq_column(rows)));
        if oldest.is_some_and(|oldest| oldest < too_old_before) || too_many > 0 {
            let dropped = drop_of(connection, key, too_old_before, too_many).await?;
            // The same one again: there may be more of it.
            return Ok((dropped, Some(last)));
        }
        last = key;
    }
    let more = i64::try_from(rows.len()).is_ok_and(|n| n == PROPERTIES);
    Ok((0, more.then_some(last)))
}

/// Drops the oldest samples of a property: those before a moment, and so many more.
async fn drop_of(
    connection: &mut SqliteConnection,
    key: i64,
    before: i64,
    too_many: i64,
) -> Result<u64, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // The last that goes: of the oldest rows, at most a step, the last one that is too old or too many.
    let border = sqlx::query(
        "SELECT at, seq FROM (SELECT at, seq, row_number() OVER (ORDER BY at, seq) AS n FROM \
           (SELECT at, seq FROM samples_settled WHERE property = ?1 ORDER BY at, seq LIMIT ?4)) \
         WHERE at < ?2 OR n <= ?3 ORDER BY at DESC, seq DESC LIMIT 1",
    )
    .bind(key)
    .bind(before)
    .bind(too_many)
    .bind(STEP)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(border) = border else { return Ok(0) };
    let (at, seq): (i64, i64) = (border.try_get(0)?, border.try_get(1)?);
    let dropped = sqlx::query("DELETE FROM samples_settled WHERE property = ?1 AND (at, seq) <= (?2, ?3)")
        .bind(key)
        .bind(at)
        .bind(seq)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    sqlx::query("UPDATE history_properties SET settled = settled - ?2 WHERE id = ?1")
        .bind(key)
        .bind(seq_column(dropped))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(dropped)
}

/// Drops the oldest samples of the whole log.
async fn drop_oldest(log: &mut Log, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let up_to: Option<i64> =
        sqlx::query_scalar("SELECT max(seq) FROM (SELECT seq FROM samples ORDER BY seq LIMIT ?1)")
            .bind(STEP)
            .fetch_one(&mut *transaction)
            .await?;
    let Some(up_to) = up_to else { return Ok(0) };
    sqlx::query(
        "UPDATE history_properties SET settled = settled - gone.n FROM \
         (SELECT property AS key, count(*) AS n FROM samples_settled WHERE seq <= ?1 GROUP BY property) AS gone \
         WHERE history_properties.id = gone.key",
    )
    .bind(up_to)
    .execute(&mut *transaction)
    .await?;
    let mut dropped = 0;
    for sql in ["DELETE FROM samples_settled WHERE seq <= ?1", "DELETE FROM samples_fresh WHERE seq <= ?1"] {
        dropped += sqlx::query(sql).bind(up_to).execute(&mut *transaction).await?.rows_affected();
    }
    runs::extend(&mut transaction, seq_of(up_to)).await?;
    transaction.commit().await?;
    log.fresh_from = log.fresh_from.max(seq_of(up_to) + 1);
    Ok(dropped)
}
