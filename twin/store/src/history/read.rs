//! Questions about the history, beside the writer.

use sqlx::Row as _;
use twin_core::history::{Bucket, Fold, Reading, Run, Sample, SampleRange, Span};
use twin_core::{PropertyId, Timestamp, Value};

use super::columns::{BAD, USABLE, reading, seq_column, seq_of};
use super::{keys, runs};
use crate::{Reader, StoreError};

/// How much history there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistorySize {
    /// Samples.
    pub samples: u64,
    /// The number of the oldest sample; 0 when there is none.
    pub oldest: u64,
    /// The number of the newest sample; 0 when there is none.
    pub newest: u64,
    /// The bytes of the database that are in use, twins among them.
    pub used_bytes: u64,
    /// The bytes of the database.
    pub file_bytes: u64,
}

const KEY: &str = "(SELECT id FROM history_properties WHERE device = ?1 AND property = ?2)";

impl Reader {
    /// Samples of a property, in order of time.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn samples(&self, range: &SampleRange) -> Result<Vec<Sample>, StoreError> {
        let (at, seq) = range.after.unwrap_or((Timestamp::from_millis(i64::MIN), 0));
        let sql = format!(
            "SELECT seq, at, tag, source, value, note FROM samples WHERE property = {KEY} \
             AND at >= ?3 AND at < ?4 AND (at, seq) > (?5, ?6) ORDER BY at, seq LIMIT ?7"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(range.id.device.as_str())
            .bind(range.id.property.as_str())
            .bind(range.from.max(at).as_millis())
            .bind(range.to.as_millis())
            .bind(at.as_millis())
            .bind(seq_column(seq))
            .bind(range.limit)
            .fetch_all(&self.pool.get())
            .await?;
        rows.iter()
            .map(|row| {
                let reading = reading(row)?;
                Ok(Sample { seq: seq_of(row.try_get("seq")?), id: range.id.clone(), reading })
            })
            .collect()
    }

    /// What was known of a property just before a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sample_before(
        &self,
        id: &PropertyId,
        moment: Timestamp,
    ) -> Result<Option<Reading>, StoreError> {
        let sql = format!(
            "SELECT at, tag, source, value, note FROM samples WHERE property = {KEY} AND at < ?3 \
             ORDER BY at DESC, seq DESC LIMIT 1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.device.as_str())
            .bind(id.property.as_str())
            .bind(moment.as_millis())
            .fetch_optional(&self.pool.get())
            .await?;
        row.as_ref().map(reading).transpose()
    }

    /// Stretches of time with what their samples come to, reckoned by the database. A stretch without a sample is left out.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn buckets(&self, span: &Span, fold: Fold) -> Result<Vec<Bucket>, StoreError> {
        let step = seq_column(span.step_ms.max(1));
        let begin = span.from.as_millis().saturating_add(step.saturating_mul(seq_column(span.first)));
        let folded = match fold {
            Fold::Min => "min(number)",
            Fold::Max => "max(number)",
            Fold::Mean => "avg(number)",
            // With one max() the other columns are those of the row that has it.
            Fold::Last => "value, max(CASE WHEN usable THEN rank END)",
            Fold::Count => "NULL",
        };
        let rank = match fold {
            Fold::Last => ", row_number() OVER (ORDER BY at, seq) AS rank",
            Fold::Min | Fold::Max | Fold::Mean | Fold::Count => "",
        };
        let sql = format!(
            "SELECT bucket, tag & 15, sum(usable), sum(bad), {folded} FROM (\
               SELECT (at - ?3) / ?4 AS bucket, tag, value, {USABLE} AS usable, {BAD} AS bad, \
                 CASE WHEN {USABLE} THEN value END AS number{rank} \
               FROM samples WHERE property = {KEY} AND at >= ?5 AND at < ?6) \
             GROUP BY bucket ORDER BY bucket LIMIT ?7"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(span.id.device.as_str())
            .bind(span.id.property.as_str())
            .bind(span.from.as_millis())
            .bind(step)
            .bind(begin)
            .bind(span.to.as_millis())
            .bind(span.limit)
            .fetch_all(&self.pool.get())
            .await?;
        rows.iter().map(|row| bucket(row, fold)).collect()
    }

    /// Samples of the whole log after a number, in order, at most `limit` and about so many bytes (at least one).
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log(&self, after: u64, up_to: u64, limit: u32) -> Result<Vec<Sample>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.seq, s.at, s.tag, s.source, s.value, s.note, p.device, p.property \
             FROM (SELECT * FROM samples WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3) AS s \
             JOIN history_properties AS p ON p.id = s.property ORDER BY s.seq",
        )
        .bind(seq_column(after))
        .bind(seq_column(up_to))
        .bind(limit)
        .fetch_all(&self.pool.get())
        .await?;
        rows.iter()
            .map(|row| {
                let (device, property): (String, String) = (row.try_get("device")?, row.try_get("property")?);
                Ok(Sample {
                    seq: seq_of(row.try_get("seq")?),
                    id: keys::id_of(&device, &property)?,
                    reading: reading(row)?,
                })
            })
            .collect()
    }

    /// What each start of the process has logged, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let mut connection = self.pool.get().acquire().await?;
        runs::all(&mut connection).await
    }

    /// How much history there is.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn history_size(&self) -> Result<HistorySize, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM samples_fresh) + (SELECT coalesce(sum(settled), 0) FROM history_properties), \
             min(coalesce((SELECT min(seq) FROM samples_fresh), (SELECT min(seq) FROM samples_settled)), \
                 coalesce((SELECT min(seq) FROM samples_settled), (SELECT min(seq) FROM samples_fresh))), \
             max(coalesce((SELECT max(seq) FROM samples_fresh), 0), \
                 coalesce((SELECT max(seq) FROM samples_settled), 0)), \
             (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count), \
             (SELECT page_size FROM pragma_page_size)",
        )
        .fetch_one(&self.pool.get())
        .await?;
        let number = |index: usize| -> Result<u64, sqlx::Error> {
            Ok(row.try_get::<Option<i64>, _>(index)?.map_or(0, seq_of))
        };
        let (pages, free, bytes) = (number(3)?, number(4)?, number(5)?);
        Ok(HistorySize {
            samples: number(0)?,
            oldest: number(1)?,
            newest: number(2)?,
            used_bytes: pages.saturating_sub(free).saturating_mul(bytes),
            file_bytes: pages.saturating_mul(bytes),
        })
    }
}

fn bucket(row: &sqlx::sqlite::SqliteRow, fold: Fold) -> Result<Bucket, StoreError> {
    let kind: i64 = row.try_get(1)?;
    let count: i64 = row.try_get(2)?;
    let number = seq_of(row.try_get(0)?);
    let float = |number: f64| {
        Value::float(number).map_err(|_| StoreError::unreadable("a stretch", "its value is not finite"))
    };
    let value = match fold {
        Fold::Count => None,
        Fold::Min | Fold::Max | Fold::Mean | Fold::Last if count == 0 => None,
        Fold::Mean => Some(float(row.try_get_unchecked(4)?)?),
        Fold::Last => Some(columns_value(row, kind)?),
        // Columns beside one min() or max() are those of the row that has it.
        Fold::Min | Fold::Max if kind == 3 => Some(float(row.try_get_unchecked(4)?)?),
        Fold::Min | Fold::Max => Some(Value::Int(row.try_get_unchecked(4)?)),
    };
    Ok(Bucket { number, value, count: seq_of(count), bad: seq_of(row.try_get(3)?) })
}

fn columns_value(row: &sqlx::sqlite::SqliteRow, kind: i64) -> Result<Value, StoreError> {
    super::columns::value(row, kind)?
        .ok_or_else(|| StoreError::unreadable("a stretch", "its last value is of no type"))
}
