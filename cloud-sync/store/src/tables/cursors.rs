//! How far each node has been followed, in each stream.

use sqlx::SqliteConnection;
use twin_core::{Cursor, Incarnation, Stream};

use crate::codec;
use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE cursors (
        node TEXT PRIMARY KEY,
        incarnation INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// 16 is the stream of the twins.
pub(crate) const BY_STREAM: &str = "
    CREATE TABLE cursors_by_stream (
        node TEXT NOT NULL,
        stream INTEGER NOT NULL,
        incarnation INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY (node, stream)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO cursors_by_stream SELECT node, 16, incarnation, revision FROM cursors;
    DROP TABLE cursors;
    ALTER TABLE cursors_by_stream RENAME TO cursors;
";

pub(crate) type Row = (String, i64, u64, i64);

pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO cursors (node, stream, incarnation, revision)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
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
    stream: Stream,
) -> Result<Option<Cursor>, sqlx::Error> {
    let sql = "SELECT incarnation, revision FROM cursors WHERE node = ? AND stream = ?";
    let row: Option<(i64, i64)> =
        sqlx::query_as(sql).bind(node).bind(stream as i64).fetch_optional(connection).await?;
    Ok(row.map(|(incarnation, revision)| Cursor {
        incarnation: Incarnation::new(incarnation.cast_unsigned()),
        revision: codec::revision(revision),
    }))
}
