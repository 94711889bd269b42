//! The database of the records. The last number and digest are read inside each writing transaction, so that the gateway and
//! its command line can both write.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use twin_core::Timestamp;

use crate::chain::{Digest, Head};
use crate::record::{Action, Record};
use crate::verify::{Verified, verify};

/// The version of the schema, kept in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE records (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE TABLE ends (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    dropped_seq INTEGER NOT NULL, dropped_digest BLOB NOT NULL,
    head_seq INTEGER NOT NULL, head_digest BLOB NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO ends VALUES (1, 0, zeroblob(32), 0, zeroblob(32), 0);
CREATE TABLE seen (
    subject TEXT NOT NULL, part TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (subject, part)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
";
/// What a record costs beside its text, in bytes.
const OVERHEAD: i64 = 64;
/// Records that are looked at when old ones are to be dropped.
const DROPPED_AT_A_TIME: i64 = 2000;
/// Of full books so much is dropped, in percent, so that not every record drops one.
const DROPPED_PERCENT: i64 = 10;

/// Why the audit cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be used.
    #[error(
        "cannot use {path}: {source}; name the gateway's data folder with --data-dir, and be its owner or root"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer program has written it.
    #[error(
        "the audit {path} has schema version {found}, this program knows up to {SCHEMA_VERSION}; use the newer program"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// There is none.
    #[error("there is no audit {path}; name the gateway's data folder with --data-dir")]
    NoAudit {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("the database of the audit failed: {0}")]
    Database(#[from] sqlx::Error),
    /// What is stored is no chain.
    #[error("the audit is damaged: {0}; `twinspan audit verify` says where")]
    Damaged(String),
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest record that is kept.
    pub keep: Duration,
    /// The most bytes of all records.
    pub bytes: u64,
}

/// What is known of a wish or an outcome, so that nothing is written down twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenKey {
    /// The property.
    pub subject: String,
    /// Which part of it.
    pub part: &'static str,
}

/// A change of what is known; none: forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Of what.
    pub key: SeenKey,
    /// What, in JSON.
    pub state: Option<String>,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its number.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// Its text: a [`Record`] in JSON.
    pub body: String,
    /// Its digest.
    pub digest: Digest,
}

/// Some records, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// They.
    pub records: Vec<Stored>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Bounds {
    /// Everything is kept: for a process that does not know what is configured.
    pub const NONE: Self = Self { keep: Duration::MAX, bytes: u64::MAX };
}

/// The records; cheap to clone.
#[derive(Debug, Clone)]
pub struct Book {
    pool: SqlitePool,
    /// Of a disk that could not be written at the start.
    meanwhile: Option<SqlitePool>,
}

impl Book {
    /// The name of the database in the data folder.
    pub const FILE: &'static str = "audit.db";

    /// Opens it in the data folder `dir`, which must be there.
    ///
    /// # Errors
    /// [`AuditError`] names the file and the mend.
    pub async fn open(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join(Self::FILE);
        match rights::private_file(dir, &path) {
            Err(source) if !rights::is_disk(&source) => return Err(AuditError::File { path, source }),
            Ok(()) | Err(_) => {}
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-512");
        let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        match prepare(&pool).await {
            Ok(found) if found > SCHEMA_VERSION => Err(AuditError::TooNew { path, found }),
            Ok(_) => Ok(Self { pool, meanwhile: None }),
            Err(error) if rights::is_unwritable(&error) => {
                let meanwhile = for_reading(&path);
                let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&meanwhile).await?;
                if found != SCHEMA_VERSION {
                    return Err(error.into());
                }
                tracing::error!(%error, "the audit cannot be written until the disk can be");
                Ok(Self { pool, meanwhile: Some(meanwhile) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where to read from: a disk that is full or read-only lets a file be read that cannot be opened for writing.
    async fn reader(&self) -> &SqlitePool {
        match &self.meanwhile {
            Some(meanwhile) if self.pool.acquire().await.is_err() => meanwhile,
            Some(_) | None => &self.pool,
        }
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`AuditError::NoAudit`] when there is none; otherwise as [`open`](Self::open).
    pub async fn open_existing(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join(Self::FILE);
        if path.exists() { Self::open(dir).await } else { Err(AuditError::NoAudit { path }) }
    }

    /// Writes records, all or none, and what is known from then on; they are on the disk when this returns. Gives the number
    /// of the first and the new head. What is too old or too much is dropped, which is a record too.
    ///
    /// # Errors
    /// [`AuditError`] when nothing was written.
    pub async fn append(
        &self,
        records: &[Record],
        seen: &[Seen],
        now: Timestamp,
        bounds: Bounds,
    ) -> Result<(i64, Head), AuditError> {
        let mut connection = self.pool.acquire().await?;
        match append_on(&mut connection, records, seen, now, bounds).await {
            Ok(appended) => Ok(appended),
            Err(error) => {
                // A connection whose commit failed is in no known state.
                drop(connection.close().await);
                Err(error)
            }
        }
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be read.
    pub async fn head(&self) -> Result<Head, AuditError> {
        let mut connection = self.reader().await.acquire().await?;
        Ok(Ends::read(&mut connection).await?.head)
    }

    /// Records before the number `before` and not older than `since`, the newest first.
    ///
    /// # Errors
    /// [`AuditError`] when they cannot be read.
    pub async fn page(
        &self,
        before: Option<i64>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Page, AuditError> {
        let rows = sqlx::query(
            "SELECT seq, at, CAST(body AS BLOB) AS body, digest FROM records WHERE seq < ?1 AND at >= ?2 \
             ORDER BY seq DESC LIMIT ?3",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(since.map_or(i64::MIN, Timestamp::as_millis))
        .bind(i64::from(limit) + 1)
        .fetch_all(self.reader().await)
        .await?;
        let more = rows.len() > limit as usize;
        let records = rows.iter().take(limit as usize).map(stored).collect::<Result<_, _>>()?;
        Ok(Page { records, more })
    }

    /// What is known of wishes and outcomes.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be read.
    pub async fn seen(&self) -> Result<Vec<(String, String, String)>, AuditError> {
        let rows =
            sqlx::query("SELECT subject, part, state FROM seen").fetch_all(self.reader().await).await?;
        let of = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        rows.iter().map(of).collect()
    }

    /// Reads the whole chain; finds what was changed, removed, put elsewhere or cut off. `pinned` is a head that was kept
    /// somewhere else.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be read at all.
    pub async fn verify(&self, pinned: Option<Head>) -> Result<Verified, AuditError> {
        let mut connection = self.pool.acquire().await?;
        verify(&mut connection, pinned).await
    }

    /// Closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the schema where it is missing; gives the version that was there.
async fn prepare(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    if found == 0 {
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(found)
}

/// A file that cannot be written, with its log where there is one.
fn for_reading(path: &Path) -> SqlitePool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let no_log = std::fs::metadata(log).map_or(0, |log| log.len()) == 0;
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(no_log);
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

async fn append_on(
    connection: &mut SqliteConnection,
    records: &[Record],
    seen: &[Seen],
    now: Timestamp,
    bounds: Bounds,
) -> Result<(i64, Head), AuditError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut ends = Ends::read(&mut transaction).await?;
    let first = ends.head.seq + 1;
    for record in records {
        ends.add(&mut transaction, record, now).await?;
    }
    for Seen { key, state } in seen {
        let sql = match state {
            Some(_) => {
                "INSERT INTO seen (subject, part, state) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (subject, part) DO UPDATE SET state = excluded.state"
            }
            None => "DELETE FROM seen WHERE subject = ?1 AND part = ?2",
        };
        let query = sqlx::query(sql).bind(&key.subject).bind(key.part).bind(state);
        query.execute(&mut *transaction).await?;
    }
    let dropped = ends.drop_old(&mut transaction, now, bounds).await?;
    ends.store(&mut transaction).await?;
    transaction.commit().await?;
    if dropped {
        // Gives the room back to the disk; without it nothing is lost but room.
        let _ = sqlx::raw_sql("PRAGMA incremental_vacuum").execute(connection).await;
    }
    Ok((first, ends.head))
}

/// The two ends of the chain.
pub(crate) struct Ends {
    /// The last record that was dropped.
    pub(crate) dropped: Head,
    /// The last record.
    pub(crate) head: Head,
    bytes: i64,
}

impl Ends {
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, AuditError> {
        let sql = "SELECT dropped_seq, dropped_digest, head_seq, head_digest, bytes FROM ends WHERE id = 1";
        let row = sqlx::query(sql).fetch_optional(connection).await?;
        let row =
            row.ok_or_else(|| AuditError::Damaged("nothing says where it begins and ends".to_owned()))?;
        let end = |seq: &str, digest: &str| {
            let bytes: Vec<u8> = row.try_get(digest)?;
            let digest = Digest::from_bytes(&bytes)
                .ok_or_else(|| AuditError::Damaged("an end of it has no digest".to_owned()))?;
            Ok::<_, AuditError>(Head { seq: row.try_get(seq)?, digest })
        };
        let (dropped, head) = (end("dropped_seq", "dropped_digest")?, end("head_seq", "head_digest")?);
        Ok(Self { dropped, head, bytes: row.try_get("bytes")? })
    }

    async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        record: &Record,
        now: Timestamp,
    ) -> Result<(), AuditError> {
        let body = record.body();
        let (seq, at) = (self.head.seq + 1, now.as_millis());
        let digest = self.head.digest.next(seq, at, body.as_bytes());
        sqlx::query("INSERT INTO records (seq, at, body, digest) VALUES (?1, ?2, ?3, ?4)")
            .bind(seq)
            .bind(at)
            .bind(&body)
            .bind(digest.0.as_slice())
            .execute(connection)
            .await?;
        self.head = Head { seq, digest };
        self.bytes = self.bytes.saturating_add(cost(body.len()));
        Ok(())
    }

    /// Drops the oldest records, if they are too old or too many; the chain goes on from the last of them.
    async fn drop_old(
        &mut self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        bounds: Bounds,
    ) -> Result<bool, AuditError> {
        let most = i64::try_from(bounds.bytes).unwrap_or(i64::MAX);
        let wanted = if self.bytes > most { most / 100 * (100 - DROPPED_PERCENT) } else { i64::MAX };
        let sql =
            "SELECT seq, at, length(CAST(body AS BLOB)) AS bytes, digest FROM records ORDER BY seq LIMIT ?1";
        let oldest = sqlx::query(sql).bind(if wanted == i64::MAX { 1 } else { DROPPED_AT_A_TIME });
        let mut rows = oldest.fetch_all(&mut *connection).await?;
        let is_old = |row: &SqliteRow| {
            Ok::<_, sqlx::Error>(now.since(Timestamp::from_millis(row.try_get("at")?)) > bounds.keep)
        };
        if wanted == i64::MAX {
            match rows.first() {
                Some(row) if is_old(row)? => {
                    rows = sqlx::query(sql).bind(DROPPED_AT_A_TIME).fetch_all(&mut *connection).await?;
                }
                Some(_) | None => return Ok(false),
            }
        }
        let (mut last, mut count, mut bytes) = (None, 0u64, self.bytes);
        for row in &rows {
            let seq: i64 = row.try_get("seq")?;
            // The newest is never dropped: the chain would have no text left that tells of it.
            if seq >= self.head.seq || (bytes <= wanted && !is_old(row)?) {
                break;
            }
            let digest: Vec<u8> = row.try_get("digest")?;
            let digest = Digest::from_bytes(&digest)
                .ok_or_else(|| AuditError::Damaged(format!("record {seq} has no digest")))?;
            bytes -= cost(usize::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(0));
            (last, count) = (Some(Head { seq, digest }), count + 1);
        }
        let Some(last) = last else { return Ok(false) };
        sqlx::query("DELETE FROM records WHERE seq <= ?1").bind(last.seq).execute(&mut *connection).await?;
        (self.dropped, self.bytes) = (last, bytes.max(0));
        let mut record = Record::new(Action::Dropped);
        record.subject = Some(format!("up to {last}"));
        record.note = Some(format!("{count} records were older or more than is kept"));
        self.add(connection, &record, now).await?;
        Ok(true)
    }

    async fn store(&self, connection: &mut SqliteConnection) -> Result<(), AuditError> {
        sqlx::query(
            "UPDATE ends SET dropped_seq = ?1, dropped_digest = ?2, head_seq = ?3, head_digest = ?4, bytes = ?5",
        )
        .bind(self.dropped.seq)
        .bind(self.dropped.digest.0.as_slice())
        .bind(self.head.seq)
        .bind(self.head.digest.0.as_slice())
        .bind(self.bytes)
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn cost(body_bytes: usize) -> i64 {
    i64::try_from(body_bytes).unwrap_or(i64::MAX - OVERHEAD) + OVERHEAD
}

fn stored(row: &SqliteRow) -> Result<Stored, AuditError> {
    let seq = row.try_get("seq")?;
    let body: Vec<u8> = row.try_get("body")?;
    let digest: Vec<u8> = row.try_get("digest")?;
    Ok(Stored {
        seq,
        at: Timestamp::from_millis(row.try_get("at")?),
        body: String::from_utf8_lossy(&body).into_owned(),
        digest: Digest::from_bytes(&digest).unwrap_or_default(),
    })
}
