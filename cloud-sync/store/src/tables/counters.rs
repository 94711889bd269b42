//! Numbers of the whole database: the place of the last change, and the place before which deletions are forgotten.

use sqlx::SqliteConnection;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO counters VALUES ('seq', 0), ('changes_floor', 0);
";

/// The seq of the last change.
pub(crate) const SEQ: &str = "seq";
/// The highest seq of a deletion that has been purged.
pub(crate) const CHANGES_FLOOR: &str = "changes_floor";

pub(crate) async fn get(connection: &mut SqliteConnection, name: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM counters WHERE name = ?").bind(name).fetch_one(connection).await
}

pub(crate) async fn set(
    connection: &mut SqliteConnection,
    name: &str,
    value: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE counters SET value = ? WHERE name = ?")
        .bind(value)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}
