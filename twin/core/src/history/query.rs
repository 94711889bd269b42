//! What is asked of a history, the same at both ends.

use std::fmt;

use crate::id::PropertyId;
use crate::time::Timestamp;
use crate::value::Value;

/// Which samples of one property are asked for, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRange {
    /// The property.
    pub id: PropertyId,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
    /// Only what comes after this place: a time, and a number that orders what has the same time.
    pub after: Option<(Timestamp, u64)>,
    /// The most samples.
    pub limit: u32,
}

/// Which stretches of time are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The property.
    pub id: PropertyId,
    /// From this moment on; the first stretch begins here.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
    /// The length of a stretch in milliseconds, at least 1.
    pub step_ms: u64,
    /// Only stretches from this one on; the first is 0.
    pub first: u64,
    /// The most stretches.
    pub limit: u32,
}

/// What is made of the values of a stretch. What is of bad quality, or no value, is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The lowest number.
    Min,
    /// The highest number.
    Max,
    /// The mean of the samples.
    Mean,
    /// The last value.
    Last,
    /// Nothing: how many there are.
    Count,
}

impl Fold {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Min, Self::Max, Self::Mean, Self::Last, Self::Count];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Last => "last",
            Self::Count => "count",
        }
    }

    /// Whether it needs numbers.
    #[must_use]
    pub fn of_numbers(self) -> bool {
        matches!(self, Self::Min | Self::Max | Self::Mean)
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One stretch of time in which there was a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Its number from the beginning of the span.
    pub number: u64,
    /// What was made of its values; none where none could be used, or only counting was asked for.
    pub value: Option<Value>,
    /// How many values were used.
    pub count: u64,
    /// How many samples were of bad quality.
    pub bad: u64,
}
