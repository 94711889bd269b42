//! Table `staging`: what a reset has brought so far, until its last batch swaps it in.

use sqlx::SqliteConnection;

use crate::StoreError;
use crate::documents::{self, COLUMNS, FROM_JSON, UPSERT};

pub(crate) const SCHEMA: &str = "
CREATE TABLE staging (
    part INTEGER NOT NULL,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    author INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (device, property, part)
) WITHOUT ROWID;
";

pub(crate) async fn clear(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM staging").execute(connection).await?;
    Ok(())
}

pub(crate) async fn upsert(connection: &mut SqliteConnection, rows: String) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO staging ({COLUMNS}) {FROM_JSON} {UPSERT}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
    Ok(())
}

/// Replaces everything of the cloud's by what is staged.
pub(crate) async fn swap_in(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    documents::delete_followed(connection).await?;
    let sql = format!(
        "INSERT INTO documents ({COLUMNS}) SELECT {COLUMNS} FROM staging WHERE body IS NOT NULL ORDER BY seq"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await?;
    clear(connection).await
}
