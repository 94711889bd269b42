//! A reading as columns. `source` is how far the device's own time lies from `at`.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};
use twin_core::Timestamp;
use twin_core::Value;
use twin_core::history::{Column, Reading, columns};

use crate::StoreError;

/// Whether a row's value can be reckoned with: not of bad quality, and there.
pub(crate) const USABLE: &str = "((tag >> 4) & 1 = 0 AND value IS NOT NULL)";
/// Whether a row is of bad quality.
pub(crate) const BAD: &str = "((tag >> 4) & 1 = 1)";

pub(crate) fn seq_of(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

pub(crate) fn seq_column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds `seq, property, at, tag, source, value, note`.
pub(crate) fn bind<'q>(query: Statement<'q>, seq: u64, property: i64, reading: &'q Reading) -> Statement<'q> {
    let at = reading.at.as_millis();
    let source = reading.source_time.map(|time| time.as_millis().saturating_sub(at));
    let query = query.bind(seq_column(seq)).bind(property).bind(at).bind(columns::tag(reading)).bind(source);
    let query = match columns::column(reading) {
        Column::Null => query.bind(None::<i64>),
        Column::Integer(value) => query.bind(value),
        Column::Real(value) => query.bind(value),
        Column::Text(value) => query.bind(value),
        Column::Blob(value) => query.bind(value),
    };
    query.bind(columns::note(reading))
}

/// Reads `at, tag, source, value, note` back.
pub(crate) fn reading(row: &SqliteRow) -> Result<Reading, StoreError> {
    let at: i64 = row.try_get("at")?;
    let tag: i64 = row.try_get("tag")?;
    let source: Option<i64> = row.try_get("source")?;
    let quality = columns::quality(tag, row.try_get("note")?);
    let value = value(row, columns::kind(tag))?;
    let source_time = source.map(|delta| Timestamp::from_millis(at.saturating_add(delta)));
    Ok(Reading { at: Timestamp::from_millis(at), source_time, quality, value })
}

/// Reads `value`, which is of the type of that number.
pub(crate) fn value(row: &SqliteRow, kind: i64) -> Result<Option<Value>, StoreError> {
    let column = match kind {
        1 | 2 => Column::Integer(row.try_get_unchecked("value")?),
        3 => Column::Real(row.try_get_unchecked("value")?),
        4 | 6 => Column::Text(row.try_get_unchecked("value")?),
        5 => Column::Blob(row.try_get_unchecked("value")?),
        _ => Column::Null,
    };
    columns::value(kind, column).map_err(|e| StoreError::unreadable("a sample", e))
}
