//! Opening: the pragmas, the schema and its version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use twin_core::Revision;
use twin_core::history::Place;
use twin_core::replica::{Commit, Stored};
use twin_core::{Entry, Side, Stream};

use crate::damage::Damage;
use crate::error::{Trouble, Verdict, verdict_in, verdict_of};
use crate::history::{self, Log, NewSample, give_back};
use crate::reader::{Pool, Reader};
use crate::{StoreError, commit, cursors, documents};

/// The version of the schema below, kept in `PRAGMA user_version`: how many of the [`STEPS`] have been taken.
pub(crate) const SCHEMA_VERSION: i64 = 3;

/// The steps from one schema to the next.
const STEPS: [&[&str]; 3] = [
    &[documents::SCHEMA, crate::staging::SCHEMA, cursors::SCHEMA],
    &[cursors::BY_STREAM],
    &[history::SCHEMA],
];

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
    #[error("cannot open the database {path}: {source}{}", mend_of(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// It is damaged, and cannot be moved aside.
    #[error("the database {path} is damaged ({reason}) and cannot be moved aside: {source}")]
    Aside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Why it cannot be moved.
        source: std::io::Error,
    },
}

fn mend_of(error: &sqlx::Error) -> String {
    match verdict_of(error) {
        Verdict::Retry(trouble) => format!("; {}", trouble.mend()),
        Verdict::Rebuild | Verdict::GiveUp => String::new(),
    }
}

/// The one writer of the edge's database.
#[derive(Debug)]
pub struct TwinStore {
    pub(crate) connection: SqliteConnection,
    /// The counter behind [`ChangesToken`](crate::ChangesToken) for what came from the cloud.
    pub(crate) followed_seq: i64,
    /// Where the log of samples ends.
    pub(crate) log: Log,
    pub(crate) path: PathBuf,
    pub(crate) readers: Pool,
    /// It could only be opened for reading; the next commit tries again.
    pub(crate) read_only: bool,
    damage: Option<Damage>,
}

impl TwinStore {
    /// The name of the database in the data folder.
    pub const FILE: &'static str = "twin.db";

    /// Opens the database in `dir`, making both when they are missing, and a pool of readers beside it.
    ///
    /// A database that is damaged is moved aside and made anew ([`take_damage`](Self::take_damage)). One that cannot be
    /// written, since the disk is full or read-only, is opened for reading; a commit tries again.
    ///
    /// # Errors
    /// [`OpenError`] names the file and the mend.
    pub async fn open(dir: &Path) -> Result<(Self, Reader), OpenError> {
        match std::fs::create_dir_all(dir) {
            Err(source) if !dir.is_dir() => return Err(OpenError::Folder { path: dir.to_owned(), source }),
            Ok(()) | Err(_) => {}
        }
        let path = dir.join(Self::FILE);
        let mut damage = None;
        let opened = match Opened::at(&path).await {
            Err(Failure::Sqlite(error)) if verdict_of(&error) == Verdict::Rebuild => {
                damage = Some(Damage::set_aside(&path, error.to_string()).await?);
                Opened::at(&path).await
            }
            Err(Failure::Damaged(reason)) => {
                damage = Some(Damage::set_aside(&path, reason).await?);
                Opened::at(&path).await
            }
            outcome => outcome,
        };
        let opened = match opened {
            Err(Failure::Sqlite(error)) => match Opened::for_reading(&path, &error).await {
                Some(opened) => Ok(opened),
                None => Err(Failure::Sqlite(error)),
            },
            outcome => outcome,
        };
        let opened = opened.map_err(|failure| failure.into_error(&path))?;
        let readers = Pool::new(opened.readers());
        let Opened { connection, followed_seq, log, immutable, .. } = opened;
        let reader = Reader::new(readers.clone());
        let read_only = immutable.is_some();
        Ok((Self { connection, followed_seq, log, path, readers, read_only, damage }, reader))
    }

    /// What was wrong with the database that was found, where one was moved aside; said once.
    pub fn take_damage(&mut self) -> Option<Damage> {
        self.damage.take()
    }

    /// Closes the database, moves its file aside, and goes on with a new one that is empty; gives the file's new place.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be moved or a new one not be made.
    pub async fn rebuild(&mut self, reason: &str) -> Result<PathBuf, OpenError> {
        // A connection that is closed later would delete the log of the new database, which has the same name.
        let closed = self.close_all().await;
        closed.map_err(|source| OpenError::Database { path: self.path.clone(), source })?;
        let moved_to = Damage::move_aside(&self.path, reason)?;
        let opened = Opened::at(&self.path).await.map_err(|failure| failure.into_error(&self.path))?;
        self.readers.set(opened.readers());
        self.connection = opened.connection;
        // Listeners know the counter as it was.
        self.followed_seq = self.followed_seq.max(opened.followed_seq);
        self.log = opened.log.going_on(&self.log);
        self.read_only = false;
        Ok(moved_to)
    }

    /// Closes all connections; there is a database in memory in place of the writer's then.
    pub(crate) async fn close_all(&mut self) -> Result<(), sqlx::Error> {
        let nothing = SqliteConnectOptions::new().in_memory(true).connect().await?;
        drop(std::mem::replace(&mut self.connection, nothing).close().await);
        if tokio::time::timeout(CLOSE_WITHIN, self.readers.get().close()).await.is_err() {
            tracing::warn!("somebody still reads the database");
        }
        Ok(())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The verdict on an error of this store, made exact by what its folder says.
    #[must_use]
    pub fn verdict(&self, error: &StoreError) -> Verdict {
        verdict_in(error.verdict(), self.folder())
    }

    /// What the replica of a stream needs to go on.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn stored(&mut self, stream: Stream) -> Result<Stored, StoreError> {
        Ok(Stored {
            incarnations: cursors::incarnations(&mut self.connection, stream).await?,
            floor: cursors::floor(&mut self.connection, stream).await?,
            tombstones: documents::tombstones(&mut self.connection, stream).await?,
            followed: cursors::followed(&mut self.connection, stream).await?,
        })
    }

    /// Stores a commit as one transaction; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing of the commit is stored then.
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.commit_with(commit, &[]).await.map(|_| ())
    }

    /// Stores a commit as one transaction with the samples that belong to it, and gives the place of the last of them in
    /// the log. Samples need a commit that names its author.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing is stored then.
    pub async fn commit_with(
        &mut self,
        commit: &Commit,
        samples: &[NewSample],
    ) -> Result<Option<Place>, StoreError> {
        if self.read_only {
            self.reopen(true).await?;
        }
        commit::store(self, commit, samples).await
    }

    /// Stores what the cloud last wanted, in a database that was made anew. The cursor of the cloud stays unknown, so it
    /// says everything again, and that takes the place of this.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing of it is stored then.
    pub async fn keep(&mut self, desired: &[Entry]) -> Result<(), StoreError> {
        let mut seq = self.followed_seq;
        let rows = documents::rows_json(desired.iter(), |_| {
            seq += 1;
            seq
        })?;
        documents::upsert(&mut self.connection, rows).await?;
        self.followed_seq = seq;
        Ok(())
    }

    /// The edge's own documents of a stream with `after < revision <= up_to`, in order, tombstones among them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn fetch(
        &mut self,
        stream: Stream,
        after: Revision,
        up_to: Revision,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        documents::by_revision(&mut self.connection, stream, Side::Edge, after, up_to, limit).await
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
        if !self.read_only {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.connection).await?;
        }
        self.connection.close().await?;
        Ok(())
    }
}

/// How long the check at the start may take; a database that is larger than that is checked as far as it goes.
const CHECK_WITHIN: Duration = Duration::from_secs(5);
/// How long readers may take to end when the database is made anew.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// The settings of the writer. A checkpoint stalls the commit that runs into it: with SQLite's 1000 pages that is one
/// commit in a hundred.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
     PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -2048;";
/// How many steps of SQLite's machine lie between two looks at the clock.
const CHECK_STEPS: i32 = 20_000;

pub(crate) enum Failure {
    Sqlite(sqlx::Error),
    TooNew(i64),
    Damaged(String),
}

impl Failure {
    fn into_error(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Sqlite(source) => OpenError::Database { path, source },
            Self::TooNew(found) => OpenError::TooNew { path, found },
            Self::Damaged(reason) => OpenError::Database { path, source: sqlx::Error::Protocol(reason) },
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => error.into(),
            Failure::Damaged(reason) => Self::Damaged(reason),
            Failure::TooNew(found) => Self::unreadable("the schema", format!("it has version {found}")),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A connection that works, on a schema of this version.
pub(crate) struct Opened {
    path: PathBuf,
    pub(crate) connection: SqliteConnection,
    pub(crate) followed_seq: i64,
    pub(crate) log: Log,
    /// Opened for reading only, and if so, whether as a file that nobody changes.
    immutable: Option<bool>,
}

impl Opened {
    /// Opens it for writing, making it when it is missing.
    pub(crate) async fn at(path: &Path) -> Result<Self, Failure> {
        Self::prepared(path, true).await
    }

    /// Opens it once more, without looking through its pages.
    pub(crate) async fn again(path: &Path) -> Result<Self, Failure> {
        Self::prepared(path, false).await
    }

    async fn prepared(path: &Path, checked: bool) -> Result<Self, Failure> {
        let mut connection = options(path).create_if_missing(true).connect().await?;
        match prepare(&mut connection, checked).await {
            Ok((followed_seq, log)) => {
                Ok(Self { path: path.to_owned(), connection, followed_seq, log, immutable: None })
            }
            Err(failure) => {
                // Closed before anybody moves the file: what it does at its end, it does by name.
                drop(connection.close().await);
                Err(failure)
            }
        }
    }

    /// Opens one that is there and cannot be written now.
    pub(crate) async fn for_reading(path: &Path, why: &sqlx::Error) -> Option<Self> {
        match verdict_of(why) {
            Verdict::Retry(Trouble::Busy) | Verdict::Rebuild | Verdict::GiveUp => return None,
            Verdict::Retry(Trouble::Full | Trouble::ReadOnly | Trouble::Failing) => {}
        }
        // Without a log there is nothing that a file by itself would not show.
        let log = std::fs::metadata(log_of(path)).map_or(0, |log| log.len());
        let immutable = log == 0;
        let mut connection = for_reading(path, immutable).connect().await.ok()?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.ok()?;
        if found != SCHEMA_VERSION {
            return None;
        }
        let followed_seq = documents::last_followed_seq(&mut connection).await.ok()?;
        let log = Log::open(&mut connection).await.ok()?;
        Some(Self { path: path.to_owned(), connection, followed_seq, log, immutable: Some(immutable) })
    }

    /// Readers of the same kind.
    pub(crate) fn readers(&self) -> sqlx::SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(4)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(for_reading(&self.path, self.immutable == Some(true)))
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        // Sorting must not need a disk.
        .pragma("temp_store", "MEMORY")
}

fn for_reading(path: &Path, immutable: bool) -> SqliteConnectOptions {
    options(path).read_only(true).immutable(immutable).pragma("cache_size", "-1024")
}

/// The write-ahead log beside a database.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// What makes the connection the writer's; gives the counter of what came from the cloud.
async fn prepare(connection: &mut SqliteConnection, checked: bool) -> Result<(i64, Log), Failure> {
    sqlx::raw_sql(WRITER).execute(&mut *connection).await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if found > SCHEMA_VERSION {
        return Err(Failure::TooNew(found));
    }
    if found < SCHEMA_VERSION {
        migrate(connection, found).await?;
    } else if checked {
        check(connection).await?;
    }
    if checked {
        give_back(connection).await;
    }
    let log = Log::open(connection).await.map_err(|error| match error {
        StoreError::Database(error) => Failure::Sqlite(error),
        StoreError::Unreadable { .. }
        | StoreError::NotWritable(_)
        | StoreError::NotWrittenBack
        | StoreError::Damaged(_) => Failure::Damaged(error.to_string()),
    })?;
    Ok((documents::last_followed_seq(connection).await?, log))
}

/// Looks through the pages, for as long as that may take.
async fn check(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let until = std::time::Instant::now() + CHECK_WITHIN;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(CHECK_STEPS, move || std::time::Instant::now() < until);
    let found: Result<String, _> =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(what) => Err(Failure::Damaged(what)),
        Err(error) if is_interrupted(&error) => {
            tracing::info!(
                within_ms = u64::try_from(CHECK_WITHIN.as_millis()).unwrap_or(u64::MAX),
                "the database is too large to be checked whole at the start"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn is_interrupted(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "9")
}

/// Brings the schema from version `found` to the present one.
async fn migrate(connection: &mut SqliteConnection, found: i64) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for step in STEPS.get(usize::try_from(found).unwrap_or(0)..).unwrap_or_default() {
        for statement in *step {
            sqlx::raw_sql(*statement).execute(&mut *transaction).await?;
        }
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA_VERSION}")))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Cursor, Incarnation};

    #[tokio::test]
    async fn a_database_of_the_first_schema_keeps_its_place_in_the_stream_of_the_twins() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            SqliteConnectOptions::new().filename(dir.path().join(TwinStore::FILE)).create_if_missing(true);
        let mut old = options.connect().await.unwrap();
        for statement in STEPS[0] {
            sqlx::raw_sql(*statement).execute(&mut old).await.unwrap();
        }
        let rows = "INSERT INTO incarnations VALUES (7, 41, 1); INSERT INTO marks VALUES ('followed', 9, 5);
            INSERT INTO marks (name, revision) VALUES ('floor', 3); PRAGMA user_version = 1";
        sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
        old.close().await.unwrap();

        let (mut store, _) = TwinStore::open(dir.path()).await.unwrap();
        let at = |incarnation, revision| Cursor {
            incarnation: Incarnation::new(incarnation),
            revision: Revision::new(revision),
        };
        let twin = store.stored(Stream::Twin).await.unwrap();
        assert_eq!((twin.incarnations, twin.followed), (vec![at(7, 41)], Some(at(9, 5))));
        assert_eq!(twin.floor, Revision::new(3));
        assert_eq!(store.stored(Stream::Alarm).await.unwrap(), Stored::default());
    }
}
