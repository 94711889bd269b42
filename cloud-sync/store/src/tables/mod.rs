//! One file per table: how it is made and every statement that touches it alone.

pub(crate) mod counters;
pub(crate) mod cursors;
pub(crate) mod documents;
pub(crate) mod floors;
pub(crate) mod heads;
pub(crate) mod incarnations;
pub(crate) mod join_tokens;
pub(crate) mod nodes;
pub(crate) mod staging;

use serde::Serialize;

/// Rows as the JSON array that `json_each` takes apart again: one statement then writes any number of rows.
pub(crate) fn json_rows<T: Serialize>(rows: &[T]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
