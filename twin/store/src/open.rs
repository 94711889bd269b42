//! Opening: the pragmas, the schema and its version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use twin_core::Revision;
use twin_core::replica::{Commit, Stored};
use twin_core::{Entry, Side};

use crate::reader::Reader;
use crate::{StoreError, commit, cursors, documents};

/// The version of the schema below, kept in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 1;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error(
        "cannot make the data folder {path}: {source}; give another `data_dir` or its owner the right to write"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer program has written it.
    #[error(
        "the database {path} has schema version {found}, this program knows up to {SCHEMA_VERSION}; start the newer program"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// SQLite failed.
    #[error("cannot open the database {path}: {source}")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
}

/// The one writer of the edge's database.
#[derive(Debug)]
pub struct TwinStore {
    pub(crate) connection: SqliteConnection,
    /// The counter behind [`ChangesToken`](crate::ChangesToken) for what came from the cloud.
    pub(crate) followed_seq: i64,
}

impl TwinStore {
    /// The name of the database in the data folder.
    pub const FILE: &'static str = "twin.db";

    /// Opens the database in `dir`, making both when they are missing, and a pool of readers beside it.
    ///
    /// # Errors
    /// [`OpenError`] names the file and the mend.
    pub async fn open(dir: &Path) -> Result<(Self, Reader), OpenError> {
        std::fs::create_dir_all(dir).map_err(|source| OpenError::Folder { path: dir.to_owned(), source })?;
        let path = dir.join(Self::FILE);
        let failed = |source| OpenError::Database { path: path.clone(), source };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            // A checkpoint stalls the commit that runs into it: with SQLite's 1000 pages that is one commit in a hundred.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "33554432")
            .pragma("cache_size", "-2048");
        let mut connection = options.connect().await.map_err(failed)?;
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
        if found > SCHEMA_VERSION {
            return Err(OpenError::TooNew { path, found });
        }
        if found < SCHEMA_VERSION {
            create(&mut connection).await.map_err(failed)?;
        }
        let followed_seq = documents::last_followed_seq(&mut connection).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(options.read_only(true).pragma("cache_size", "-1024"));
        Ok((Self { connection, followed_seq }, Reader::new(readers)))
    }

    /// What a replica needs to go on.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn stored(&mut self) -> Result<Stored, StoreError> {
        Ok(Stored {
            incarnations: cursors::incarnations(&mut self.connection).await?,
            floor: cursors::floor(&mut self.connection).await?,
            tombstones: documents::tombstones(&mut self.connection).await?,
            followed: cursors::followed(&mut self.connection).await?,
        })
    }

    /// Stores a commit as one transaction; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing of the commit is stored then.
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        commit::store(self, commit).await
    }

    /// The edge's own documents with `after < revision <= up_to`, in order, tombstones among them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn fetch(
        &mut self,
        after: Revision,
        up_to: Revision,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        documents::by_revision(&mut self.connection, Side::Edge, after, up_to, limit).await
    }

    /// Everything that is not a tombstone, for the service's start.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn all(&mut self) -> Result<Vec<Entry>, StoreError> {
        documents::all(&mut self.connection).await
    }

    /// Writes the log back into the database and closes it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; what was committed is safe all the same.
    pub async fn close(mut self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.connection).await?;
        self.connection.close().await?;
        Ok(())
    }
}

async fn create(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for statement in [documents::SCHEMA, crate::staging::SCHEMA, cursors::SCHEMA] {
        sqlx::raw_sql(statement).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA_VERSION}")))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
