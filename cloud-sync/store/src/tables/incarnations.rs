//! The incarnations in which the cloud has written for each node in each stream, so that a node's cursor in any of them can
//! be judged.

use sqlx::SqliteConnection;
use twin_core::{Cursor, Incarnation, Revision, Stream};

use crate::codec;
use crate::tables::json_rows;

/// `id` grows, so it tells which are the newest.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE incarnations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        node TEXT NOT NULL,
        incarnation INTEGER NOT NULL,
        last_revision INTEGER NOT NULL,
        UNIQUE (node, incarnation)
    ) STRICT;
";

/// 16 is the stream of the twins.
pub(crate) const BY_STREAM: &str = "
    CREATE TABLE incarnations_by_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        node TEXT NOT NULL,
        stream INTEGER NOT NULL,
        incarnation INTEGER NOT NULL,
        last_revision INTEGER NOT NULL,
        UNIQUE (node, stream, incarnation)
    ) STRICT;
    INSERT INTO incarnations_by_stream (node, stream, incarnation, last_revision)
        SELECT node, 16, incarnation, last_revision FROM incarnations ORDER BY id;
    DROP TABLE incarnations;
    ALTER TABLE incarnations_by_stream RENAME TO incarnations;
";

/// Node, stream, incarnation, last revision.
pub(crate) type Row = (String, i64, u64, i64);

/// Records incarnations, each with its last revision; the higher one stays.
pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO incarnations (node, stream, incarnation, last_revision)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
         ON CONFLICT (node, stream, incarnation) DO UPDATE
         SET last_revision = max(last_revision, excluded.last_revision)",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the newest 64 of these nodes; a cursor in an older one leads to a reset, which is correct and only slower.
pub(crate) async fn prune(connection: &mut SqliteConnection, nodes: &[&str]) -> Result<(), sqlx::Error> {
    if nodes.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM incarnations WHERE id IN (
            SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY node, stream ORDER BY id DESC) AS age
                FROM incarnations WHERE node IN (SELECT value FROM json_each(?))
            ) WHERE age > 64)",
    )
    .bind(json_rows(nodes)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn read(
    connection: &mut SqliteConnection,
    node: &str,
    stream: Stream,
) -> Result<Vec<Cursor>, sqlx::Error> {
    let sql = "SELECT incarnation, last_revision FROM incarnations WHERE node = ? AND stream = ? ORDER BY id";
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(sql).bind(node).bind(stream as i64).fetch_all(connection).await?;
    let cursor = |(incarnation, revision): (i64, i64)| Cursor {
        incarnation: Incarnation::new(incarnation.cast_unsigned()),
        revision: codec::revision(revision),
    };
    Ok(rows.into_iter().map(cursor).collect())
}

/// The last revision that the cloud has given for a node in a stream.
pub(crate) async fn last_revision(
    connection: &mut SqliteConnection,
    node: &str,
    stream: Stream,
) -> Result<Revision, sqlx::Error> {
    let sql = "SELECT max(last_revision) FROM incarnations WHERE node = ? AND stream = ?";
    let last: Option<i64> =
        sqlx::query_scalar(sql).bind(node).bind(stream as i64).fetch_one(connection).await?;
    Ok(codec::revision(last.unwrap_or(0)))
}
