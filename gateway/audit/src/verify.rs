//! Reading the chain from its first record to its last.

use std::fmt;

use sqlx::{Row as _, SqliteConnection};

use crate::book::{AuditError, Ends};
use crate::chain::{Digest, Head};

/// Records that are read at a time.
const PAGE: i64 = 1000;

/// What came of reading the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many records hold.
    pub records: u64,
    /// The last record that was dropped; the first of those that are there follows on it.
    pub dropped: Head,
    /// The last record.
    pub head: Head,
    /// The first thing that is wrong; none: the chain holds.
    pub broken: Option<Broken>,
}

/// What is wrong with the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// A record is not what it was when it was written, or the one before it is not the one that was there.
    Changed {
        /// Its number.
        seq: i64,
    },
    /// Records are missing.
    Missing {
        /// The first of them.
        first: i64,
        /// The number of the next that is there.
        found: i64,
    },
    /// The last records are missing.
    Cut {
        /// The first of them.
        first: i64,
        /// The number that the last should have.
        head: i64,
    },
    /// There are records after the last one.
    Added {
        /// The first of them.
        seq: i64,
    },
    /// It is another chain than the one whose head was kept.
    NotPinned {
        /// The number of that head.
        seq: i64,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq } => write!(f, "record {seq} is not what was written"),
            Self::Missing { first, found } if first + 1 == *found => write!(f, "record {first} is missing"),
            Self::Missing { first, found } => write!(f, "records {first} to {} are missing", found - 1),
            Self::Cut { first, head } => {
                write!(f, "the end is cut off: records {first} to {head} are missing")
            }
            Self::Added { seq } => write!(f, "record {seq} was added after the end"),
            Self::NotPinned { seq } => {
                write!(f, "record {seq} is not the one whose digest was kept: the audit was written anew")
            }
        }
    }
}

pub(crate) async fn verify(
    connection: &mut SqliteConnection,
    pinned: Option<Head>,
) -> Result<Verified, AuditError> {
    let Ends { dropped, head, .. } = Ends::read(connection).await?;
    let mut walk = Walk { last: dropped, head, pinned, records: 0 };
    let broken = walk.run(connection).await?;
    Ok(Verified { records: walk.records, dropped, head, broken })
}

struct Walk {
    last: Head,
    head: Head,
    pinned: Option<Head>,
    records: u64,
}

impl Walk {
    async fn run(&mut self, connection: &mut SqliteConnection) -> Result<Option<Broken>, AuditError> {
        if let Some(broken) = self.check_pin() {
            return Ok(Some(broken));
        }
        let below = sqlx::query("SELECT min(seq) FROM records").fetch_one(&mut *connection).await?;
        if let Some(seq) = below.try_get::<Option<i64>, _>(0)?.filter(|seq| *seq <= self.last.seq) {
            return Ok(Some(Broken::Changed { seq }));
        }
        loop {
            let rows = sqlx::query(
                "SELECT seq, at, CAST(body AS BLOB) AS body, digest FROM records WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .bind(self.last.seq)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let (seq, at) = (row.try_get("seq")?, row.try_get("at")?);
                let (body, digest): (Vec<u8>, Vec<u8>) = (row.try_get("body")?, row.try_get("digest")?);
                if let Some(broken) = self.step(seq, at, &body, &digest) {
                    return Ok(Some(broken));
                }
            }
        }
        if self.last.seq < self.head.seq {
            return Ok(Some(Broken::Cut { first: self.last.seq + 1, head: self.head.seq }));
        }
        if let Some(pinned) = self.pinned.filter(|pinned| pinned.seq > self.head.seq) {
            return Ok(Some(Broken::Cut { first: self.head.seq + 1, head: pinned.seq }));
        }
        Ok(None)
    }

    fn step(&mut self, seq: i64, at: i64, body: &[u8], digest: &[u8]) -> Option<Broken> {
        let wanted = self.last.seq + 1;
        if seq > self.head.seq {
            let cut = self.last.seq < self.head.seq;
            let missing = Broken::Missing { first: wanted, found: seq };
            return Some(if cut { missing } else { Broken::Added { seq } });
        }
        if seq != wanted {
            return Some(Broken::Missing { first: wanted, found: seq });
        }
        let right = self.last.digest.next(seq, at, body);
        if Digest::from_bytes(digest) != Some(right) {
            return Some(Broken::Changed { seq });
        }
        if seq == self.head.seq && right != self.head.digest {
            return Some(Broken::Changed { seq });
        }
        self.last = Head { seq, digest: right };
        self.records += 1;
        self.check_pin()
    }

    /// Compares with the head that was kept, when it is the record reached. One that was dropped since can no longer be.
    fn check_pin(&self) -> Option<Broken> {
        let pinned = self.pinned.filter(|pinned| pinned.seq == self.last.seq)?;
        (pinned.digest != self.last.digest).then_some(Broken::NotPinned { seq: pinned.seq })
    }
}
