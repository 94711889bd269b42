//! Opening the database: its file, its settings, its schema.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};

use crate::error::OpenError;
use crate::tables::{counters, cursors, documents, floors, heads, incarnations, join_tokens, nodes, staging};

/// The steps from one schema to the next; the schema's number is how many have been taken.
const MIGRATIONS: &[&[&str]] = &[
    &[
        documents::SCHEMA,
        staging::SCHEMA,
        cursors::SCHEMA,
        incarnations::SCHEMA,
        floors::SCHEMA,
        heads::SCHEMA,
        nodes::SCHEMA,
        join_tokens::SCHEMA,
        counters::SCHEMA,
    ],
    &[cursors::BY_STREAM, incarnations::BY_STREAM, floors::BY_STREAM],
];

const FILE: &str = "cloud.sqlite";

/// The connection that writes and those that only read.
pub(crate) async fn open(dir: &Path) -> Result<(SqliteConnection, SqlitePool), OpenError> {
    let path = file(dir, FILE)?;
    let failed = |source| OpenError::Database { path: path.display().to_string(), source };
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // A checkpoint stalls the commit that runs into it: with SQLite's 1000 pages that is one commit in a hundred.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864");
    let mut writer = options.clone().connect().await.map_err(failed)?;
    migrate(&mut writer, &path).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options.read_only(true))
        .await
        .map_err(failed)?;
    Ok((writer, readers))
}

/// Makes the folder and the file so that only their owner can read them; SQLite gives its other files the same mode.
pub(crate) fn file(dir: &Path, name: &str) -> Result<PathBuf, OpenError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        |source| OpenError::File { path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
    let path = dir.join(name);
    OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed(&path))?;
    Ok(path)
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.display().to_string(), source };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(failed)?;
    if found > known {
        return Err(OpenError::NewerSchema { path: path.display().to_string(), found, known });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        for table in *step {
            sqlx::raw_sql(*table).execute(&mut *transaction).await.map_err(failed)?;
        }
    }
    if found < known {
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}"));
        sqlx::raw_sql(version).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
