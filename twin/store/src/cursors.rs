//! Tables `incarnations` (of this author, each with its last revision) and `marks` (the followed cursor, the floor), for
//! each stream.

use sqlx::{Row as _, SqliteConnection};
use twin_core::replica::Forget;
use twin_core::{Cursor, Incarnation, Revision, Stream};

use crate::StoreError;
use crate::documents::{revision_column, revision_of};

pub(crate) const SCHEMA: &str = "
CREATE TABLE incarnations (
    incarnation INTEGER PRIMARY KEY,
    last_revision INTEGER NOT NULL,
    started INTEGER NOT NULL
);
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    incarnation INTEGER,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Incarnations and marks of each stream by itself (16 is the stream of the twins).
pub(crate) const BY_STREAM: &str = "
CREATE TABLE incarnations_by_stream (
    stream INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    last_revision INTEGER NOT NULL,
    started INTEGER NOT NULL,
    PRIMARY KEY (stream, incarnation)
) WITHOUT ROWID;
INSERT INTO incarnations_by_stream SELECT 16, incarnation, last_revision, started FROM incarnations;
DROP TABLE incarnations;
ALTER TABLE incarnations_by_stream RENAME TO incarnations;
CREATE TABLE marks_by_stream (
    stream INTEGER NOT NULL,
    name TEXT NOT NULL,
    incarnation INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;
INSERT INTO marks_by_stream SELECT 16, name, incarnation, revision FROM marks;
DROP TABLE marks;
ALTER TABLE marks_by_stream RENAME TO marks;
";

/// How many past incarnations a peer may still resume from; an older one costs it a reset, nothing else.
const KEPT_INCARNATIONS: i64 = 64;

fn incarnation_column(incarnation: Incarnation) -> i64 {
    i64::try_from(incarnation.get()).unwrap_or(i64::MAX)
}

fn incarnation_of(column: i64) -> Incarnation {
    Incarnation::new(u64::try_from(column).unwrap_or(0))
}

pub(crate) async fn incarnations(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<Vec<Cursor>, StoreError> {
    let rows = sqlx::query("SELECT incarnation, last_revision FROM incarnations WHERE stream = ?1")
        .bind(stream as i64)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Cursor {
                incarnation: incarnation_of(row.try_get(0)?),
                revision: revision_of(row.try_get(1)?),
            })
        })
        .collect()
}

/// Remembers an incarnation with its last revision; the highest one stays.
pub(crate) async fn record(
    connection: &mut SqliteConnection,
    stream: Stream,
    cursor: Cursor,
) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "UPDATE incarnations SET last_revision = max(last_revision, ?3) WHERE stream = ?1 AND incarnation = ?2",
    )
    .bind(stream as i64)
    .bind(incarnation_column(cursor.incarnation))
    .bind(revision_column(cursor.revision))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if changed == 0 {
        sqlx::query(
            "INSERT INTO incarnations (stream, incarnation, last_revision, started) \
             VALUES (?1, ?2, ?3, (SELECT coalesce(max(started), 0) + 1 FROM incarnations WHERE stream = ?1))",
        )
        .bind(stream as i64)
        .bind(incarnation_column(cursor.incarnation))
        .bind(revision_column(cursor.revision))
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM incarnations WHERE stream = ?1 \
             AND started <= (SELECT max(started) FROM incarnations WHERE stream = ?1) - ?2",
        )
        .bind(stream as i64)
        .bind(KEPT_INCARNATIONS)
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(crate) async fn followed(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<Option<Cursor>, StoreError> {
    let row = sqlx::query("SELECT incarnation, revision FROM marks WHERE stream = ?1 AND name = 'followed'")
        .bind(stream as i64)
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Cursor { incarnation: incarnation_of(row.try_get(0)?), revision: revision_of(row.try_get(1)?) })
    })
    .transpose()
}

pub(crate) async fn set_followed(
    connection: &mut SqliteConnection,
    stream: Stream,
    cursor: Cursor,
) -> Result<(), StoreError> {
    let sql =
        "INSERT OR REPLACE INTO marks (stream, name, incarnation, revision) VALUES (?1, 'followed', ?2, ?3)";
    sqlx::query(sql)
        .bind(stream as i64)
        .bind(incarnation_column(cursor.incarnation))
        .bind(revision_column(cursor.revision))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn floor(connection: &mut SqliteConnection, stream: Stream) -> Result<Revision, StoreError> {
    let sql = "SELECT revision FROM marks WHERE stream = ?1 AND name = 'floor'";
    let floor: Option<i64> = sqlx::query_scalar(sql).bind(stream as i64).fetch_optional(connection).await?;
    Ok(floor.map_or(Revision::ZERO, revision_of))
}

pub(crate) async fn raise_floor(
    connection: &mut SqliteConnection,
    stream: Stream,
    forget: Forget,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO marks (stream, name, revision) VALUES (?1, 'floor', ?2) \
         ON CONFLICT (stream, name) DO UPDATE SET revision = max(revision, excluded.revision)",
    )
    .bind(stream as i64)
    .bind(revision_column(forget.floor))
    .execute(connection)
    .await?;
    Ok(())
}
