//! A commit that failed, once more. It may have reached the disk all the same, and must not be applied twice.

use sqlx::{Connection as _, Row as _};
use twin_core::history::Place;
use twin_core::replica::{Commit, Followed};

use crate::error::{Trouble, Verdict};
use crate::open::{Failure, Opened};
use crate::{NewSample, StoreError, TwinStore, commit, cursors};

impl TwinStore {
    /// Tries a commit once more with the same samples, after it failed with `error`; gives the place of the last of them.
    ///
    /// The database is opened anew, for a connection whose commit failed is in no known state. Then its log is written back
    /// into it. On a full disk that may be all the room that is needed. When the disk itself failed it is needed: what the
    /// system holds in memory is no proof of what is on the disk, since a failed `fsync` is told once, and the next one
    /// succeeds without having written anything; this writes every page again. Only then is looked whether the commit is
    /// there.
    ///
    /// # Errors
    /// [`StoreError`] when it fails again; nothing of the commit may be taken to be stored then.
    pub async fn commit_again(
        &mut self,
        commit: &Commit,
        samples: &[NewSample],
        error: &StoreError,
    ) -> Result<Option<Place>, StoreError> {
        let all = matches!(error.verdict(), Verdict::Retry(Trouble::ReadOnly));
        self.reopen(all).await?;
        let written = self.write_back().await;
        match error.verdict() {
            // A commit may fit where the whole log does not.
            Verdict::Retry(Trouble::Full | Trouble::Busy) => drop(written),
            Verdict::Retry(Trouble::Failing | Trouble::ReadOnly) | Verdict::Rebuild | Verdict::GiveUp => {
                written?
            }
        }
        if self.is_stored(commit).await? {
            return Ok(self.log.end().filter(|_| !samples.is_empty()));
        }
        commit::store(self, commit, samples).await
    }

    /// Opens the database anew for writing. With `all` the readers too: what was opened for reading only, the memory that
    /// connections share among it, stays so as long as anybody has it open.
    pub(crate) async fn reopen(&mut self, all: bool) -> Result<(), StoreError> {
        if all || self.read_only {
            return self.reopen_all().await;
        }
        let opened = Opened::again(&self.path).await?;
        self.followed_seq = opened.followed_seq;
        self.log = opened.log.going_on(&self.log);
        let before = std::mem::replace(&mut self.connection, opened.connection);
        // It has nothing to say any more; that it cannot be closed in order is no news.
        drop(before.close().await);
        Ok(())
    }

    async fn reopen_all(&mut self) -> Result<(), StoreError> {
        // Nothing that still can be read is closed for nothing.
        if let Some(trouble) = Trouble::of_folder(self.folder()) {
            return Err(StoreError::NotWritable(trouble));
        }
        self.close_all().await?;
        self.read_only = true;
        let (opened, outcome) = match Opened::again(&self.path).await {
            Ok(opened) => (opened, Ok(())),
            Err(Failure::Sqlite(error)) => match Opened::for_reading(&self.path, &error).await {
                Some(opened) => (opened, Err(error.into())),
                None => return Err(error.into()),
            },
            Err(failure) => return Err(failure.into()),
        };
        self.readers.set(opened.readers());
        self.read_only = outcome.is_err();
        self.followed_seq = self.followed_seq.max(opened.followed_seq);
        self.log = opened.log.going_on(&self.log);
        self.connection = opened.connection;
        outcome
    }

    /// Writes the whole log back into the database and begins it anew.
    async fn write_back(&mut self) -> Result<(), StoreError> {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut self.connection).await?;
        let busy: i64 = row.try_get(0)?;
        if busy == 0 { Ok(()) } else { Err(StoreError::NotWrittenBack) }
    }

    /// Whether the commit is in the database. One of which this cannot be told changes nothing when it is applied again.
    async fn is_stored(&mut self, commit: &Commit) -> Result<bool, StoreError> {
        if let Some(author) = commit.author.filter(|_| !commit.authored.is_empty()) {
            let known = cursors::incarnations(&mut self.connection, commit.stream).await?;
            return Ok(known
                .iter()
                .any(|k| k.incarnation == author.incarnation && k.revision >= author.revision));
        }
        let last = commit.followed.iter().rev().find_map(|step| match step {
            Followed::Apply { cursor, .. } | Followed::ResetEnd { cursor } => Some(*cursor),
            Followed::ResetBegin | Followed::Stage { .. } => None,
        });
        match last {
            Some(cursor) => Ok(cursors::followed(&mut self.connection, commit.stream).await? == Some(cursor)),
            None => Ok(false),
        }
    }
}
