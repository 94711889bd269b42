//! Two clocks: a steady one for whatever is waited for, and the wall clock for whatever has a date. The second may be set.

use std::time::Duration;

use tokio::time::Instant;
use twin_core::Timestamp;

/// A clock may be pulled by so much at a time without having been set.
const PULLED_MS: i64 = 2_000;
/// How long to wait at most for a date, since the clock may be set meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A clock that begins at the wall clock and never jumps.
#[derive(Debug)]
pub(crate) struct Steady {
    wall: Timestamp,
    start: Instant,
    /// By how much the wall clock was ahead when it was last looked at, in milliseconds.
    ahead_ms: i64,
}

impl Steady {
    pub(crate) fn start(wall: Timestamp) -> Self {
        Self { wall, start: Instant::now(), ahead_ms: 0 }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.start.elapsed())
    }

    /// The moment of a steady time.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.start + at.since(self.wall)
    }

    /// When to look whether a date has come.
    pub(crate) fn look_at(date: Timestamp, now: Timestamp) -> Instant {
        Instant::now() + date.since(now).min(LONGEST_WAIT)
    }

    /// By how many milliseconds the wall clock has been set since this was last asked; none when it was not.
    pub(crate) fn was_set(&mut self, wall: Timestamp) -> Option<i64> {
        self.was_set_at(wall, self.now())
    }

    fn was_set_at(&mut self, wall: Timestamp, steady: Timestamp) -> Option<i64> {
        let ahead = wall.as_millis().saturating_sub(steady.as_millis());
        let by = ahead.saturating_sub(self.ahead_ms);
        self.ahead_ms = ahead;
        (by.abs() >= PULLED_MS).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_runs_a_little_wrong() {
        let at = Timestamp::from_millis;
        let (begun, day) = (1_000_000_000, 86_400_000);
        let mut steady = Steady::start(at(begun));
        assert_eq!(steady.was_set_at(at(begun + 100_900), at(begun + 100_000)), None);
        assert_eq!(
            steady.was_set_at(at(begun + 202_800), at(begun + 200_000)),
            None,
            "pulled a little at a time"
        );
        assert_eq!(steady.was_set_at(at(begun + 203_800 - day), at(begun + 201_000)), Some(-day));
        assert_eq!(steady.was_set_at(at(begun + 204_800 - day), at(begun + 202_000)), None, "told once");
    }
}
