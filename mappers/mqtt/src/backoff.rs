//! How long to wait before the next attempt to connect.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that held this long was a good one: the next break begins with the shortest wait again.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// Exponential back-off from 100 ms to 30 s with full jitter.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after a failure of a connection that had been up for `held`; `random` is any number.
    pub(crate) fn next(&mut self, held: Duration, random: u32) -> Duration {
        if held >= GOOD_AFTER {
            self.failures = 0;
        }
        let ceiling =
            SHORTEST.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1).min(16);
        let share = f64::from(random) / f64::from(u32::MAX);
        SHORTEST.max(ceiling.mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_thirty_seconds_and_begins_again_after_a_connection_that_held() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.next(Duration::ZERO, u32::MAX).as_millis()).collect();
        assert_eq!(waits[..4], [100, 200, 400, 800]);
        assert_eq!(waits[9..], [30_000, 30_000, 30_000]);
        assert_eq!(backoff.next(GOOD_AFTER, u32::MAX), SHORTEST);
    }

    #[test]
    fn the_wait_is_never_shorter_than_a_tenth_of_a_second_and_never_longer_than_its_ceiling() {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            let mut backoff = Backoff::default();
            for _ in 0..100 {
                let wait = backoff.next(Duration::ZERO, random);
                assert!((SHORTEST..=LONGEST).contains(&wait), "{wait:?}");
            }
        }
    }
}
