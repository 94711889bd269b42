//! Table `staging`: what a reset has brought so far, until its last batch swaps it in.

use sqlx::SqliteConnection;
use twin_core::{Side, Stream};

use crate::StoreError;
use crate::documents::{self, COLUMNS, FROM_JSON, UPSERT, author_number};

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

pub(crate) async fn clear(connection: &mut SqliteConnection, stream: Stream) -> Result<(), StoreError> {
    let author = author_number(stream, Side::Cloud);
    sqlx::query("DELETE FROM staging WHERE author = ?1").bind(author).execute(connection).await?;
    Ok(())
}

pub(crate) async fn upsert(connection: &mut SqliteConnection, rows: String) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO staging ({COLUMNS}) {FROM_JSON} {UPSERT}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
    Ok(())
}

/// Replaces everything of the cloud's in a stream by what is staged.
pub(crate) async fn swap_in(connection: &mut SqliteConnection, stream: Stream) -> Result<(), StoreError> {
    documents::delete_followed(connection, stream).await?;
    let sql = format!(
        "INSERT INTO documents ({COLUMNS}) SELECT {COLUMNS} FROM staging WHERE author = ?1 AND body IS NOT NULL ORDER BY seq"
    );
    let author = author_number(stream, Side::Cloud);
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(author).execute(&mut *connection).await?;
    clear(connection, stream).await
}
