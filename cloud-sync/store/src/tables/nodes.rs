//! The nodes that have ever been heard of.

use sqlx::SqliteConnection;

use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE nodes (
        node TEXT PRIMARY KEY,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Node and moment in milliseconds.
pub(crate) type Row = (String, i64);

pub(crate) async fn seen(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO nodes (node, first_seen, last_seen)
         SELECT value ->> 0, value ->> 1, value ->> 1 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}
