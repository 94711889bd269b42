//! A reading as the columns `property, at, place, tag, source, value, note`.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};
use twin_core::history::{Column, Reading, columns};
use twin_core::{Timestamp, Value};

use crate::error::StoreError;

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

pub(super) fn bind<'q>(
    query: Statement<'q>,
    property: i64,
    place: i64,
    reading: &'q Reading,
) -> Statement<'q> {
    let at = reading.at.as_millis();
    let source = reading.source_time.map(|time| time.as_millis().saturating_sub(at));
    let query = query.bind(property).bind(at).bind(place).bind(columns::tag(reading)).bind(source);
    let query = match columns::column(reading) {
        Column::Null => query.bind(None::<i64>),
        Column::Integer(value) => query.bind(value),
        Column::Real(value) => query.bind(value),
        Column::Text(value) => query.bind(value),
        Column::Blob(value) => query.bind(value),
    };
    query.bind(columns::note(reading))
}

pub(super) fn reading(row: &SqliteRow) -> Result<Reading, StoreError> {
    let at: i64 = row.try_get("at")?;
    let tag: i64 = row.try_get("tag")?;
    let source: Option<i64> = row.try_get("source")?;
    let quality = columns::quality(tag, row.try_get("note")?);
    let value = value(row, columns::kind(tag))?;
    let source_time = source.map(|delta| Timestamp::from_millis(at.saturating_add(delta)));
    Ok(Reading { at: Timestamp::from_millis(at), source_time, quality, value })
}

pub(super) fn value(row: &SqliteRow, kind: i64) -> Result<Option<Value>, StoreError> {
    let column = match kind {
        1 | 2 => Column::Integer(row.try_get_unchecked("value")?),
        3 => Column::Real(row.try_get_unchecked("value")?),
        4 | 6 => Column::Text(row.try_get_unchecked("value")?),
        5 => Column::Blob(row.try_get_unchecked("value")?),
        _ => Column::Null,
    };
    columns::value(kind, column)
        .map_err(|e| StoreError::Corrupt { what: "the histories".into(), reason: e.to_string() })
}
