//! The incarnations in which the cloud has written for each node, so that a node's cursor in any of them can be judged.

use sqlx::SqliteConnection;
use twin_core::{Cursor, Incarnation, Revision};

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

pub(crate) type Row = (String, u64, i64);

/// Records incarnations, each with its last revision; the higher one stays.
pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO incarnations (node, incarnation, last_revision)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT (node, incarnation) DO UPDATE
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
                SELECT id, row_number() OVER (PARTITION BY node ORDER BY id DESC) AS age
                FROM incarnations WHERE node IN (SELECT value FROM json_each(?))
            ) WHERE age > 64)",
    )
    .bind(json_rows(nodes)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn read(connection: &mut SqliteConnection, node: &str) -> Result<Vec<Cursor>, sqlx::Error> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT incarnation, last_revision FROM incarnations WHERE node = ? ORDER BY id")
            .bind(node)
            .fetch_all(connection)
            .await?;
    let cursor = |(incarnation, revision): (i64, i64)| Cursor {
        incarnation: Incarnation::new(incarnation.cast_unsigned()),
        revision: codec::revision(revision),
    };
    Ok(rows.into_iter().map(cursor).collect())
}

/// The last revision that the cloud has given for a node.
pub(crate) async fn last_revision(
    connection: &mut SqliteConnection,
    node: &str,
) -> Result<Revision, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(last_revision) FROM incarnations WHERE node = ?")
        .bind(node)
        .fetch_one(connection)
        .await?;
    Ok(codec::revision(last.unwrap_or(0)))
}
