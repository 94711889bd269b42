//! The two clocks: a steady one that plans, and the wall clock that dates.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use twin_core::Timestamp;

/// A clock that never jumps, whatever is done to the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since the start; for planning only.
    pub(crate) fn steady(self) -> Timestamp {
        Timestamp::default().after(self.start.elapsed())
    }

    /// The moment for tokio of a steady time.
    pub(crate) fn instant(self, steady: Timestamp) -> Instant {
        self.start + steady.since(Timestamp::default())
    }

    /// The date of a steady time that lies ahead.
    pub(crate) fn date(self, steady: Timestamp) -> Timestamp {
        wall().after(steady.since(self.steady()))
    }
}

/// The time now, as people have it.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}
