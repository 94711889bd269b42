//! Revisions, incarnations and the cursor made of both.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of a change in its author's history. The first change has 1; 0 is before all changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Before all changes.
    pub const ZERO: Self = Self(0);

    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A random number that an author draws at every start, so that a database restored from a backup is told apart from
/// the one whose changes the peer has already seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The incarnation with this number. SQLite keeps 63 bits: the top bit is dropped.
    #[must_use]
    pub const fn new(random: u64) -> Self {
        Self(random & (u64::MAX >> 1))
    }

    /// Its number, below 2^63.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How far a follower has got in its author's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The author's incarnation in which `revision` was sent.
    pub incarnation: Incarnation,
    /// The last revision that is committed at the follower.
    pub revision: Revision,
}
