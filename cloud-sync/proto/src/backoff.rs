//! How long to wait before the next attempt.

use std::time::Duration;

/// Bounds that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a back-off needs 1 ms <= base <= most <= 1 day, not base {base:?} and most {most:?}")]
pub struct InvalidBackoff {
    /// The first bound.
    pub base: Duration,
    /// The last bound.
    pub most: Duration,
}

/// Exponential back-off with full jitter: the wait before attempt n is drawn evenly from 0 to `base * 2^n`, at most
/// `most`. Full jitter spreads many that lost their link at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// A back-off from `base` to `most`, 1 ms <= `base` <= `most` <= 1 day.
    ///
    /// # Errors
    /// [`InvalidBackoff`] when they are not in that order.
    pub fn new(base: Duration, most: Duration) -> Result<Self, InvalidBackoff> {
        if base < Duration::from_millis(1) || base > most || most > Self::LONGEST {
            return Err(InvalidBackoff { base, most });
        }
        Ok(Self { base, most, failures: 0 })
    }

    /// The wait before the next attempt. `random` is any even number of 64 bits; `retry_after` is what the peer asked
    /// for: it is waited out in full (at most one day), and the jitter comes on top.
    pub fn next_wait(&mut self, random: u64, retry_after: Option<Duration>) -> Duration {
        let bound =
            self.base.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(self.most);
        self.failures = (self.failures + 1).min(31);
        let bound_ms = bound.as_millis();
        let jitter_ms = ((bound_ms + 1) * u128::from(random)) >> 64;
        let jitter = Duration::from_millis(u64::try_from(jitter_ms).unwrap_or(u64::MAX));
        retry_after.unwrap_or_default().min(Self::LONGEST) + jitter
    }

    /// An attempt was a lasting success: the next wait starts from the base again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(60);

    #[test]
    fn the_bound_doubles_up_to_the_most_and_starts_again_after_a_reset() {
        let mut backoff = Backoff::new(BASE, MOST).unwrap();
        let bounds: Vec<_> = (0..40).map(|_| backoff.next_wait(u64::MAX, None).as_millis()).collect();
        assert_eq!(bounds[..8], [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000]);
        assert!(bounds[8..].iter().all(|b| *b == 60000));
        backoff.reset();
        assert_eq!(backoff.next_wait(u64::MAX, None), BASE);
    }

    #[test]
    fn bounds_out_of_order_are_refused() {
        assert!(Backoff::new(Duration::ZERO, MOST).is_err());
        assert!(Backoff::new(MOST, BASE).is_err());
        assert!(Backoff::new(BASE, Duration::from_secs(1 << 40)).is_err());
    }

    proptest! {
        #[test]
        fn the_wait_never_undercuts_what_the_peer_asked_for(random in any::<u64>(), asked in 0u64..100_000, n in 0usize..40) {
            let mut backoff = Backoff::new(BASE, MOST).unwrap();
            let asked = Duration::from_millis(asked);
            for _ in 0..n {
                backoff.next_wait(random, None);
            }
            let wait = backoff.next_wait(random, Some(asked));
            prop_assert!(wait >= asked && wait <= asked + MOST);
        }
    }
}
