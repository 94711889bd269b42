//! Before which revision of the cloud tombstones of a node may be missing, in each stream.

use sqlx::SqliteConnection;
use twin_core::{Revision, Stream};

use crate::codec;
use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE floors (
        node TEXT PRIMARY KEY,
        floor INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// 16 is the stream of the twins.
pub(crate) const BY_STREAM: &str = "
    CREATE TABLE floors_by_stream (
        node TEXT NOT NULL,
        stream INTEGER NOT NULL,
        floor INTEGER NOT NULL,
        PRIMARY KEY (node, stream)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO floors_by_stream SELECT node, 16, floor FROM floors;
    DROP TABLE floors;
    ALTER TABLE floors_by_stream RENAME TO floors;
";

pub(crate) type Row = (String, i64, i64);

/// Raises floors; the higher one stays.
pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO floors (node, stream, floor)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET floor = max(floor, excluded.floor)",
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
) -> Result<Revision, sqlx::Error> {
    let floor: Option<i64> = sqlx::query_scalar("SELECT floor FROM floors WHERE node = ? AND stream = ?")
        .bind(node)
        .bind(stream as i64)
        .fetch_optional(connection)
        .await?;
    Ok(codec::revision(floor.unwrap_or(0)))
}
