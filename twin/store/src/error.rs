//! What can go wrong with the database, and what is to be done about it.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// The database said no, or holds what this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed: the disk is full or read-only, or the file is damaged.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row cannot be read as what it should be.
    #[error("the database holds a document that this version cannot read ({place}): {reason}")]
    Unreadable {
        /// Which row.
        place: String,
        /// Why.
        reason: String,
    },
    /// The folder of the database cannot be written.
    #[error("the folder of the database cannot be written: {0}")]
    NotWritable(Trouble),
    /// The log could not be written back whole, since somebody was reading.
    #[error("the log of the database could not be written back: another connection is reading")]
    NotWrittenBack,
    /// The check found what should not be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

/// What keeps the database from taking a commit, and ends by itself or by somebody's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room.
    Full,
    /// The file system may not be written.
    ReadOnly,
    /// The disk does not do what it is asked.
    Failing,
    /// Another process holds the database.
    Busy,
}

impl Trouble {
    /// One word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Failing => "failing",
            Self::Busy => "busy",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            Self::Full => "make room on the disk of `gateway.data_dir`; it goes on by itself then",
            Self::ReadOnly => {
                "have the file system of `gateway.data_dir` checked and mounted for writing; it goes on by itself then"
            }
            Self::Failing => {
                "look at the disk of `gateway.data_dir` (`dmesg`, its cable, its age); it goes on by itself when it works"
            }
            Self::Busy => "end the other program that has the database open",
        }
    }

    /// Why nothing can be written in a folder; none when it can.
    pub(crate) fn of_folder(dir: &Path) -> Option<Self> {
        let probe = dir.join(".probe");
        let written = std::fs::write(&probe, [0; 4096]);
        let _ = std::fs::remove_file(&probe);
        match written.map_err(|error| error.kind()) {
            Ok(()) => None,
            Err(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Some(Self::Full),
            Err(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => Some(Self::ReadOnly),
            Err(_) => Some(Self::Failing),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the disk is full",
            Self::ReadOnly => "the disk is read-only",
            Self::Failing => "the disk fails",
            Self::Busy => "the database is held by another program",
        })
    }
}

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing of it is stored; the same again later.
    Retry(Trouble),
    /// The file is damaged: it is to be moved aside and made anew.
    Rebuild,
    /// A fault of the program or of its settings.
    GiveUp,
}

impl StoreError {
    pub(crate) fn unreadable(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unreadable { place: place.into(), reason: reason.to_string() }
    }

    /// What somebody is to do about it, where that is known.
    #[must_use]
    pub fn mend(&self) -> Option<&'static str> {
        match self.verdict() {
            Verdict::Retry(trouble) => Some(trouble.mend()),
            Verdict::Rebuild | Verdict::GiveUp => None,
        }
    }

    /// What is to be done about it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Database(error) => verdict_of(error),
            Self::NotWritable(trouble) => Verdict::Retry(*trouble),
            Self::NotWrittenBack => Verdict::Retry(Trouble::Busy),
            Self::Unreadable { .. } | Self::Damaged(_) => Verdict::Rebuild,
        }
    }
}

/// The verdict on an error of SQLite (<https://www.sqlite.org/rescode.html>).
pub(crate) fn verdict_of(error: &sqlx::Error) -> Verdict {
    const FULL: i32 = 13;
    const IO: i32 = 10;
    const NO_ROOM_FOR_SHARED_MEMORY: i32 = IO | (19 << 8);
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed) {
        return Verdict::Retry(Trouble::Failing);
    }
    if matches!(error, sqlx::Error::ColumnDecode { .. }) {
        return Verdict::Rebuild;
    }
    let code = error.as_database_error().and_then(|error| error.code());
    let code: i32 = code.and_then(|code| code.parse().ok()).unwrap_or(0);
    match (code, code & 0xff) {
        (NO_ROOM_FOR_SHARED_MEMORY, _) | (_, FULL) => Verdict::Retry(Trouble::Full),
        // BUSY, LOCKED
        (_, 5 | 6) => Verdict::Retry(Trouble::Busy),
        // READONLY
        (_, 8) => Verdict::Retry(Trouble::ReadOnly),
        // IOERR, CANTOPEN
        (_, IO | 14) => Verdict::Retry(Trouble::Failing),
        // CORRUPT, NOTADB
        (_, 11 | 26) => Verdict::Rebuild,
        _ => Verdict::GiveUp,
    }
}

/// The verdict, made exact by what the folder of the database says.
pub(crate) fn verdict_in(verdict: Verdict, dir: &Path) -> Verdict {
    match verdict {
        Verdict::Retry(trouble @ (Trouble::Failing | Trouble::ReadOnly)) => {
            Verdict::Retry(Trouble::of_folder(dir).unwrap_or(trouble))
        }
        Verdict::Retry(Trouble::Full | Trouble::Busy) | Verdict::Rebuild | Verdict::GiveUp => verdict,
    }
}
