//! Table `configurations`, in a database of its own: every configuration that was in force, the newest last.
//!
//! It is written at most once per change of the configuration, beside the one writer of the twins and never in its way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use twin_core::Timestamp;

use crate::error::verdict_in;
use crate::{Damage, StoreError, Verdict};

const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS configurations (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    applied_at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    note TEXT NOT NULL,
    digest TEXT NOT NULL,
    file_digest TEXT,
    devices INTEGER NOT NULL,
    body TEXT NOT NULL
);
";

/// How many are kept, the one in force among them.
const KEPT: i64 = 50;
/// How many bytes of them are kept besides the one in force.
const KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// A configuration that was in force, without its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConfiguration {
    /// Its number; it only grows.
    pub revision: i64,
    /// When it came into force.
    pub applied_at: Timestamp,
    /// Where it came from: `file`, `rest`, `rollback`.
    pub origin: String,
    /// What whoever applied it said of it.
    pub note: String,
    /// Tells whether two are the same text.
    pub digest: String,
    /// The digest of the configuration file at that moment, where there was one.
    pub file_digest: Option<String>,
    /// How many devices it has.
    pub devices: u32,
}

/// A configuration about to be in force.
#[derive(Debug, Clone, Copy)]
pub struct NewConfiguration<'a> {
    /// When.
    pub applied_at: Timestamp,
    /// See [`StoredConfiguration::origin`].
    pub origin: &'a str,
    /// See [`StoredConfiguration::note`].
    pub note: &'a str,
    /// See [`StoredConfiguration::digest`].
    pub digest: &'a str,
    /// See [`StoredConfiguration::file_digest`].
    pub file_digest: Option<&'a str>,
    /// See [`StoredConfiguration::devices`].
    pub devices: u32,
    /// Its texts, as whoever stores them will read them again.
    pub body: &'a str,
}

/// The database of the configurations.
#[derive(Debug)]
pub struct ConfigStore {
    dir: PathBuf,
    /// None while it cannot be opened: the disk is full or read-only.
    connection: Option<SqliteConnection>,
}

impl ConfigStore {
    /// The name of the database in the data folder.
    pub const FILE: &'static str = "config.db";

    /// Where it lies in a data folder.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(Self::FILE)
    }

    /// Opens it in `dir`, making it when it is missing. One that is damaged is moved aside and made anew; one that cannot
    /// be opened now, since the disk is full or read-only, is opened when it is needed.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails for good.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let mut store = Self { dir: dir.to_owned(), connection: None };
        let opened = store.connection().await.map(|_| ());
        match opened.as_ref().map_err(|error| verdict_in(error.verdict(), dir)) {
            Ok(()) => Ok(store),
            Err(Verdict::Retry(trouble)) => {
                tracing::error!(
                    mend = trouble.mend(),
                    "{trouble}: the history of the configurations cannot be written"
                );
                Ok(store)
            }
            Err(Verdict::Rebuild) => {
                let path = Self::path(dir);
                let moved_to =
                    Damage::move_aside(&path, "").map_err(|error| StoreError::Damaged(format!("{error}")))?;
                tracing::error!(
                    moved_to = %moved_to.display(),
                    "the history of the configurations was damaged and begins anew; have the disk checked"
                );
                store.connection().await?;
                Ok(store)
            }
            Err(Verdict::GiveUp) => opened.map(|()| store),
        }
    }

    pub(crate) async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let opened = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = options(&self.dir).create_if_missing(true).connect().await?;
                let prepared = sqlx::raw_sql(WRITER).execute(&mut connection).await;
                let prepared = match prepared {
                    Ok(_) => {
                        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{SCHEMA}{}", crate::pauses::SCHEMA)))
                            .execute(&mut connection)
                            .await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = prepared {
                    // Closed before anybody moves the file: what it does at its end, it does by name.
                    drop(connection.close().await);
                    return Err(error.into());
                }
                connection
            }
        };
        Ok(self.connection.insert(opened))
    }

    /// Opens it for reading; none when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn open_existing(dir: &Path) -> Result<Option<Self>, StoreError> {
        if !Self::path(dir).exists() {
            return Ok(None);
        }
        let dir = dir.to_owned();
        let connection = match options(&dir).connect().await {
            Ok(mut connection) => match sqlx::query("SELECT 1 FROM configurations")
                .execute(&mut connection)
                .await
            {
                Ok(_) => connection,
                Err(error) => {
                    drop(connection.close().await);
                    // On a disk that is full or read-only a file without a log can be read as it is.
                    match StoreError::from(error).verdict() {
                        Verdict::Retry(_) => options(&dir).read_only(true).immutable(true).connect().await?,
                        Verdict::Rebuild | Verdict::GiveUp => options(&dir).connect().await?,
                    }
                }
            },
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self { dir, connection: Some(connection) }))
    }

    /// Stores one, which is then the one in force; gives its revision. What is too old or too much is deleted.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; the one before is in force then.
    pub async fn insert(&mut self, new: NewConfiguration<'_>) -> Result<i64, StoreError> {
        let mut transaction = self.connection().await?.begin().await?;
        let row = sqlx::query(
            "INSERT INTO configurations (applied_at, origin, note, digest, file_digest, devices, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING revision",
        )
        .bind(new.applied_at.as_millis())
        .bind(new.origin)
        .bind(new.note)
        .bind(new.digest)
        .bind(new.file_digest)
        .bind(new.devices)
        .bind(new.body)
        .fetch_one(&mut *transaction)
        .await?;
        let revision: i64 = row.try_get(0)?;
        sqlx::query(
            "DELETE FROM configurations WHERE revision IN (SELECT revision FROM (\
                SELECT revision, row_number() OVER newest AS place, sum(length(body)) OVER newest AS bytes \
                FROM configurations WINDOW newest AS (ORDER BY revision DESC)) \
             WHERE place > ?1 OR (place > 1 AND bytes > ?2))",
        )
        .bind(KEPT)
        .bind(KEPT_BYTES)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Says that the file has been seen as it is now, and that the one in force is meant all the same.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn note_file(&mut self, revision: i64, file_digest: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE configurations SET file_digest = ?2 WHERE revision = ?1")
            .bind(revision)
            .bind(file_digest)
            .execute(self.connection().await?)
            .await?;
        Ok(())
    }

    /// The one in force with its texts.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn newest(&mut self) -> Result<Option<(StoredConfiguration, String)>, StoreError> {
        self.one("ORDER BY revision DESC LIMIT 1", 0).await
    }

    /// One with its texts.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn get(&mut self, revision: i64) -> Result<Option<(StoredConfiguration, String)>, StoreError> {
        self.one("WHERE revision = ?1", revision).await
    }

    /// All that are kept, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn all(&mut self) -> Result<Vec<StoredConfiguration>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM configurations ORDER BY revision DESC");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(self.connection().await?).await?;
        rows.iter().map(stored).collect()
    }

    async fn one(
        &mut self,
        which: &str,
        revision: i64,
    ) -> Result<Option<(StoredConfiguration, String)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, body FROM configurations {which}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(revision);
        let row = query.fetch_optional(self.connection().await?).await?;
        row.map(|row| Ok((stored(&row)?, row.try_get("body")?))).transpose()
    }

    /// Closes it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; what was stored is safe all the same.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(connection) = self.connection {
            connection.close().await?;
        }
        Ok(())
    }
}

const COLUMNS: &str = "revision, applied_at, origin, note, digest, file_digest, devices";

fn options(dir: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(ConfigStore::path(dir)).busy_timeout(Duration::from_secs(5))
}

fn stored(row: &sqlx::sqlite::SqliteRow) -> Result<StoredConfiguration, StoreError> {
    Ok(StoredConfiguration {
        revision: row.try_get("revision")?,
        applied_at: Timestamp::from_millis(row.try_get("applied_at")?),
        origin: row.try_get("origin")?,
        note: row.try_get("note")?,
        digest: row.try_get("digest")?,
        file_digest: row.try_get("file_digest")?,
        devices: row.try_get("devices")?,
    })
}
