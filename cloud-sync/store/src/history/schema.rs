//! The file of the histories and its tables.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};

use crate::error::OpenError;
use crate::open;

const FILE: &str = "history.sqlite";
const VERSION: i64 = 1;

/// `samples` lies in the order of property and time: a question about one property reads one stretch of the file.
const SCHEMA: &str = "
    CREATE TABLE history_properties (
        id INTEGER PRIMARY KEY,
        node TEXT NOT NULL,
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        samples INTEGER NOT NULL,
        UNIQUE (node, device, property)
    ) STRICT;
    CREATE TABLE history_runs (
        id INTEGER PRIMARY KEY,
        node TEXT NOT NULL,
        incarnation INTEGER NOT NULL,
        last INTEGER NOT NULL,
        grown INTEGER NOT NULL,
        missed INTEGER NOT NULL DEFAULT 0,
        UNIQUE (node, incarnation)
    ) STRICT;
    CREATE TABLE samples (
        property INTEGER NOT NULL,
        at INTEGER NOT NULL,
        place INTEGER NOT NULL,
        tag INTEGER NOT NULL,
        source INTEGER,
        value ANY,
        note TEXT,
        PRIMARY KEY (property, at, place)
    ) STRICT, WITHOUT ROWID;
";

/// The connection that writes and those that only read.
pub(super) async fn open(dir: &Path) -> Result<(SqliteConnection, SqlitePool), OpenError> {
    let path = open::file(dir, FILE)?;
    let failed = |source| OpenError::Database { path: path.display().to_string(), source };
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864");
    let mut writer = options.clone().connect().await.map_err(failed)?;
    let found: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut writer).await.map_err(failed)?;
    if found > VERSION {
        return Err(OpenError::NewerSchema { path: path.display().to_string(), found, known: VERSION });
    }
    if found < VERSION {
        // Before the first table, so that the file can become smaller again.
        for pragma in ["PRAGMA auto_vacuum = 2", "VACUUM"] {
            sqlx::raw_sql(pragma).execute(&mut writer).await.map_err(failed)?;
        }
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await.map_err(failed)?;
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {VERSION}"));
        sqlx::raw_sql(version).execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options.read_only(true))
        .await
        .map_err(failed)?;
    Ok((writer, readers))
}
