//! Time for the session: begins at the wall clock and then never jumps.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use twin_core::Timestamp;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: wall(), start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.start.elapsed())
    }

    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.start + at.since(self.wall)
    }
}

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
