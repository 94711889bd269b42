//! Copies of databases while somebody else writes them, and what is in one.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use crate::StoreError;
use crate::open::{SCHEMA_VERSION, TwinStore};

/// The databases whose schema has a version, each with the newest that this program knows.
pub const SCHEMAS: [(&str, i64); 1] = [(TwinStore::FILE, SCHEMA_VERSION)];

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether a file that begins so is a database.
#[must_use]
pub fn is_database(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// A table and how many rows it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// Writes what is committed in the database `from`, as of one moment, to the new file `to`. Whoever writes `from`
/// meanwhile goes on and is not waited for.
///
/// # Errors
/// [`StoreError`] when the database cannot be read, or `to` exists or cannot be written.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = open(from).await?;
    let copied =
        sqlx::query("VACUUM INTO ?1").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await;
    connection.close().await?;
    copied?;
    Ok(())
}

/// The version of a database's schema (`PRAGMA user_version`).
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn schema_version(path: &Path) -> Result<i64, StoreError> {
    let mut connection = open(path).await?;
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await;
    connection.close().await?;
    Ok(version?)
}

/// What is wrong with a database; none when it is whole. Reads all of it.
///
/// # Errors
/// [`StoreError`] when it cannot be read at all.
pub async fn damage(path: &Path) -> Result<Option<String>, StoreError> {
    let mut connection = open(path).await?;
    let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
    connection.close().await?;
    let found = found?;
    Ok((found != "ok").then_some(found))
}

/// The tables of a database with their rows.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn tables(path: &Path) -> Result<Vec<Table>, StoreError> {
    let mut connection = open(path).await?;
    let found = count(&mut connection).await;
    connection.close().await?;
    found
}

async fn count(connection: &mut SqliteConnection) -> Result<Vec<Table>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        // A name cannot be bound; a quote in it is doubled.
        let query = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *connection).await?;
        tables.push(Table { name, rows: u64::try_from(rows).unwrap_or(0) });
    }
    Ok(tables)
}

async fn open(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
    Ok(options.connect().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_holds_what_is_committed_while_another_connection_goes_on_writing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _reader) = TwinStore::open(folder.path()).await.unwrap();
        sqlx::raw_sql(
            "INSERT INTO marks (stream, name, revision) VALUES (1, 'a', 1); BEGIN IMMEDIATE; \
             INSERT INTO marks (stream, name, revision) VALUES (1, 'b', 2)",
        )
        .execute(&mut store.connection)
        .await
        .unwrap();
        let (from, to) = (folder.path().join(TwinStore::FILE), folder.path().join("copy.db"));
        copy(&from, &to).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut store.connection).await.unwrap();
        let marks = |tables: Vec<Table>| tables.into_iter().find(|table| table.name == "marks").unwrap().rows;
        assert_eq!(marks(tables(&to).await.unwrap()), 1);
        assert_eq!(marks(tables(&from).await.unwrap()), 2);
        assert_eq!(schema_version(&to).await.unwrap(), SCHEMA_VERSION);
        assert_eq!(damage(&to).await.unwrap(), None);
        assert!(copy(&from, &to).await.is_err(), "a copy replaces nothing");
        assert!(is_database(&std::fs::read(&to).unwrap()));
    }

    #[tokio::test]
    async fn damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.db");
        let (store, _reader) = TwinStore::open(folder.path()).await.unwrap();
        store.close().await.unwrap();
        let mut bytes = std::fs::read(folder.path().join(TwinStore::FILE)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x5A);
        std::fs::write(&path, bytes).unwrap();
        assert!(!matches!(damage(&path).await, Ok(None)));
    }
}
