//! How far each node has been followed.

use sqlx::SqliteConnection;
use twin_core::{Cursor, Incarnation};

use crate::codec;
use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE cursors (
        node TEXT PRIMARY KEY,
        incarnation INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

pub(crate) type Row = (String, u64, i64);

pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO cursors (node, incarnation, revision)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, revision = excluded.revision",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn read(
    connection: &mut SqliteConnection,
    node: &str,
) -> Result<Option<Cursor>, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT incarnation, revision FROM cursors WHERE node = ?")
        .bind(node)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(incarnation, revision)| Cursor {
        incarnation: Incarnation::new(incarnation.cast_unsigned()),
        revision: codec::revision(revision),
    }))
}
