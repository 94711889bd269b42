//! Before which revision of the cloud tombstones of a node may be missing.

use sqlx::SqliteConnection;
use twin_core::Revision;

use crate::codec;
use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE floors (
        node TEXT PRIMARY KEY,
        floor INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

pub(crate) type Row = (String, i64);

/// Raises floors; the higher one stays.
pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO floors (node, floor)
         SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET floor = max(floor, excluded.floor)",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn read(connection: &mut SqliteConnection, node: &str) -> Result<Revision, sqlx::Error> {
    let floor: Option<i64> = sqlx::query_scalar("SELECT floor FROM floors WHERE node = ?")
        .bind(node)
        .fetch_optional(connection)
        .await?;
    Ok(codec::revision(floor.unwrap_or(0)))
}
