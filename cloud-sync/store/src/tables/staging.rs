//! What has come of a reset that is not complete yet.

use sqlx::SqliteConnection;
use twin_core::{Part, Stream};

use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE staging (
        node TEXT NOT NULL,
        part INTEGER NOT NULL,
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        revision INTEGER NOT NULL,
        body TEXT,
        PRIMARY KEY (node, part, device, property)
    ) STRICT, WITHOUT ROWID;
";

/// Node, part, device, property, revision, body.
pub(crate) type Row = (String, i64, String, String, i64, Option<String>);

pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO staging (node, part, device, property, revision, body)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn clear(
    connection: &mut SqliteConnection,
    node: &str,
    stream: Stream,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM staging WHERE node = ? AND part IN (SELECT value FROM json_each(?))")
        .bind(node)
        .bind(parts(stream)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// The parts that a node writes in a stream, as `json_each` takes them.
pub(crate) fn parts(stream: Stream) -> Result<String, sqlx::Error> {
    let theirs = |part: &Part| part.stream() == stream && part.author() == twin_core::Side::Edge;
    let parts: Vec<i64> = Part::ALL.into_iter().filter(theirs).map(|part| part as i64).collect();
    json_rows(&parts)
}
