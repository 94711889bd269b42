//! Tables `incarnations` (of this author, each with its last revision) and `marks` (the followed cursor, the floor).

use sqlx::{Row as _, SqliteConnection};
use twin_core::replica::Forget;
use twin_core::{Cursor, Incarnation, Revision};

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

/// How many past incarnations a peer may still resume from; an older one costs it a reset, nothing else.
const KEPT_INCARNATIONS: i64 = 64;

fn incarnation_column(incarnation: Incarnation) -> i64 {
    i64::try_from(incarnation.get()).unwrap_or(i64::MAX)
}

fn incarnation_of(column: i64) -> Incarnation {
    Incarnation::new(u64::try_from(column).unwrap_or(0))
}

pub(crate) async fn incarnations(connection: &mut SqliteConnection) -> Result<Vec<Cursor>, StoreError> {
    let rows =
        sqlx::query("SELECT incarnation, last_revision FROM incarnations").fetch_all(connection).await?;
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
pub(crate) async fn record(connection: &mut SqliteConnection, cursor: Cursor) -> Result<(), StoreError> {
    let changed =
        sqlx::query("UPDATE incarnations SET last_revision = max(last_revision, ?2) WHERE incarnation = ?1")
            .bind(incarnation_column(cursor.incarnation))
            .bind(revision_column(cursor.revision))
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if changed == 0 {
        sqlx::query(
            "INSERT INTO incarnations (incarnation, last_revision, started) \
             VALUES (?1, ?2, (SELECT coalesce(max(started), 0) + 1 FROM incarnations))",
        )
        .bind(incarnation_column(cursor.incarnation))
        .bind(revision_column(cursor.revision))
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM incarnations WHERE started <= (SELECT max(started) FROM incarnations) - ?1")
            .bind(KEPT_INCARNATIONS)
            .execute(connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn followed(connection: &mut SqliteConnection) -> Result<Option<Cursor>, StoreError> {
    let row = sqlx::query("SELECT incarnation, revision FROM marks WHERE name = 'followed'")
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Cursor { incarnation: incarnation_of(row.try_get(0)?), revision: revision_of(row.try_get(1)?) })
    })
    .transpose()
}

pub(crate) async fn set_followed(
    connection: &mut SqliteConnection,
    cursor: Cursor,
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO marks (name, incarnation, revision) VALUES ('followed', ?1, ?2)")
        .bind(incarnation_column(cursor.incarnation))
        .bind(revision_column(cursor.revision))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn floor(connection: &mut SqliteConnection) -> Result<Revision, StoreError> {
    let floor: Option<i64> = sqlx::query_scalar("SELECT revision FROM marks WHERE name = 'floor'")
        .fetch_optional(connection)
        .await?;
    Ok(floor.map_or(Revision::ZERO, revision_of))
}

pub(crate) async fn raise_floor(connection: &mut SqliteConnection, forget: Forget) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO marks (name, revision) VALUES ('floor', ?1) \
         ON CONFLICT (name) DO UPDATE SET revision = max(revision, excluded.revision)",
    )
    .bind(revision_column(forget.floor))
    .execute(connection)
    .await?;
    Ok(())
}
