//! Questions about the histories.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use twin_core::history::{Bucket, Fold, Reading, SampleRange, Span, columns as kinds};
use twin_core::{NodeName, PropertyId, Timestamp, Value};

use super::{HistoryStore, columns};
use crate::error::StoreError;

/// How much of a node's history is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeHistory {
    /// Samples that are kept.
    pub samples: u64,
    /// Samples that the node had dropped before it could send them.
    pub missed: u64,
}

const KEY: &str = "(SELECT id FROM history_properties WHERE node = ?1 AND device = ?2 AND property = ?3)";
const USABLE: &str = "((tag >> 4) & 1 = 0 AND value IS NOT NULL)";

impl HistoryStore {
    /// Samples of a property of a node in order of time, each with the number that orders those of the same time.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn samples(
        &self,
        node: &NodeName,
        range: &SampleRange,
    ) -> Result<Vec<(u64, Reading)>, StoreError> {
        let (at, place) = range.after.unwrap_or((Timestamp::from_millis(i64::MIN), 0));
        let sql = format!(
            "SELECT place, at, tag, source, value, note FROM samples WHERE property = {KEY} \
             AND at >= ?4 AND at < ?5 AND (at, place) > (?6, ?7) ORDER BY at, place LIMIT ?8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(node.as_str())
            .bind(range.id.device.as_str())
            .bind(range.id.property.as_str())
            .bind(range.from.max(at).as_millis())
            .bind(range.to.as_millis())
            .bind(at.as_millis())
            .bind(place.cast_signed())
            .bind(range.limit)
            .fetch_all(&self.inner.readers)
            .await?;
        let read =
            |row: &SqliteRow| Ok((row.try_get::<i64, _>("place")?.cast_unsigned(), columns::reading(row)?));
        rows.iter().map(read).collect()
    }

    /// What was known of a property just before a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sample_before(
        &self,
        node: &NodeName,
        id: &PropertyId,
        moment: Timestamp,
    ) -> Result<Option<Reading>, StoreError> {
        let sql = format!(
            "SELECT at, tag, source, value, note FROM samples WHERE property = {KEY} AND at < ?4 \
             ORDER BY at DESC, place DESC LIMIT 1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(node.as_str())
            .bind(id.device.as_str())
            .bind(id.property.as_str())
            .bind(moment.as_millis())
            .fetch_optional(&self.inner.readers)
            .await?;
        row.as_ref().map(columns::reading).transpose()
    }

    /// Stretches of time with what their samples come to, reckoned by the database. A stretch without a sample is left out.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn buckets(&self, node: &NodeName, span: &Span, fold: Fold) -> Result<Vec<Bucket>, StoreError> {
        let step = span.step_ms.max(1).cast_signed();
        let begin = span.from.as_millis().saturating_add(step.saturating_mul(span.first.cast_signed()));
        let folded = match fold {
            Fold::Min => "min(number)",
            Fold::Max => "max(number)",
            Fold::Mean => "avg(number)",
            // With one max() the other columns are those of the row that has it.
            Fold::Last => "value, max(CASE WHEN usable THEN rank END)",
            Fold::Count => "NULL",
        };
        let rank = match fold {
            Fold::Last => ", row_number() OVER (ORDER BY at, place) AS rank",
            Fold::Min | Fold::Max | Fold::Mean | Fold::Count => "",
        };
        let sql = format!(
            "SELECT bucket, tag & 15, sum(usable), sum(bad), {folded} FROM (\
               SELECT (at - ?4) / ?5 AS bucket, tag, value, {USABLE} AS usable, ((tag >> 4) & 1 = 1) AS bad, \
                 CASE WHEN {USABLE} THEN value END AS number{rank} \
               FROM samples WHERE property = {KEY} AND at >= ?6 AND at < ?7) \
             GROUP BY bucket ORDER BY bucket LIMIT ?8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(node.as_str())
            .bind(span.id.device.as_str())
            .bind(span.id.property.as_str())
            .bind(span.from.as_millis())
            .bind(step)
            .bind(begin)
            .bind(span.to.as_millis())
            .bind(span.limit)
            .fetch_all(&self.inner.readers)
            .await?;
        rows.iter().map(|row| bucket(row, fold)).collect()
    }

    /// How much of a node's history is here, and how much never came.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn of_node(&self, node: &NodeName) -> Result<NodeHistory, StoreError> {
        let (samples, missed): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(sum(samples), 0) FROM history_properties WHERE node = ?1), \
             (SELECT coalesce(sum(missed), 0) FROM history_runs WHERE node = ?1)",
        )
        .bind(node.as_str())
        .fetch_one(&self.inner.readers)
        .await?;
        Ok(NodeHistory { samples: samples.cast_unsigned(), missed: missed.cast_unsigned() })
    }
}

fn bucket(row: &SqliteRow, fold: Fold) -> Result<Bucket, StoreError> {
    let kind = kinds::kind(row.try_get(1)?);
    let count: i64 = row.try_get(2)?;
    let corrupt = || StoreError::Corrupt { what: "the histories".into(), reason: "a wrong number".into() };
    let float = |number: f64| Value::float(number).map_err(|_| corrupt());
    let value = match fold {
        Fold::Count => None,
        Fold::Min | Fold::Max | Fold::Mean | Fold::Last if count == 0 => None,
        Fold::Mean => Some(float(row.try_get_unchecked(4)?)?),
        Fold::Last => columns::value(row, kind)?,
        // Columns beside one min() or max() are those of the row that has it.
        Fold::Min | Fold::Max if kind == 3 => Some(float(row.try_get_unchecked(4)?)?),
        Fold::Min | Fold::Max => Some(Value::Int(row.try_get_unchecked(4)?)),
    };
    let number = row.try_get::<i64, _>(0)?.cast_unsigned();
    let bad = row.try_get::<i64, _>(3)?.cast_unsigned();
    Ok(Bucket { number, value, count: count.cast_unsigned(), bad })
}
