//! What guards a property against a write that is of the right type and range, and still wrong now.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::Reported;
use crate::quality::Quality;
use crate::time::Timestamp;
use crate::value::Value;

/// The guards of one property.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Guard {
    /// The most that one write may change, in the property's unit, against the last good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// The most that writes may change within a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The interlock: an expression that must hold just before the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What is said, for people, when the interlock does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The most that writes may change a property within a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// All changes together, up or down, in the property's unit.
    pub most: f64,
    /// The time, in milliseconds.
    pub per_ms: u64,
}

/// Why a guard says no.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Guarded {
    /// One write would change too much.
    #[error("a change of {change} from {from} in one write is more than the {most} that are allowed")]
    Step {
        /// The last good value.
        from: f64,
        /// How much would change.
        change: f64,
        /// How much may.
        most: f64,
    },
    /// The writes within a time would change too much.
    #[error("a change of {change} is too much now: {most} are allowed within {} s, and {used} are used", Duration::from_millis(*per_ms).as_secs_f64())]
    Rate {
        /// How much would change.
        change: f64,
        /// How much is used.
        used: f64,
        /// How much may change.
        most: f64,
        /// Within how many milliseconds.
        per_ms: u64,
    },
    /// The present value is not known, so that it cannot be said how much would change.
    #[error("how much would change cannot be said: the present value is not known ({quality})")]
    Unknown {
        /// What is known of it.
        quality: String,
    },
}

/// What a sum of floats may be off by.
const ROUNDING: f64 = 1e-9;

impl Guard {
    /// Checks the step of a write against what is reported, where that is known; it is checked again before the write.
    ///
    /// # Errors
    /// [`Guarded::Step`].
    pub fn check_step_if_known(&self, wanted: &Value, reported: Option<&Reported>) -> Result<(), Guarded> {
        match self.check_step(wanted, reported) {
            Err(step @ Guarded::Step { .. }) => Err(step),
            Ok(()) | Err(Guarded::Unknown { .. } | Guarded::Rate { .. }) => Ok(()),
        }
    }

    /// Checks the step of a write against what is reported.
    ///
    /// # Errors
    /// [`Guarded`] when it is too large, or the present value is not known.
    pub fn check_step(&self, wanted: &Value, reported: Option<&Reported>) -> Result<(), Guarded> {
        let (Some(most), Some(wanted)) = (self.step, wanted.as_number()) else { return Ok(()) };
        let from = good_number(reported)?;
        let change = (wanted - from).abs();
        if change > most + ROUNDING * most.max(change) {
            return Err(Guarded::Step { from, change, most });
        }
        Ok(())
    }
}

/// The present value of a property as a number.
///
/// # Errors
/// [`Guarded::Unknown`] when it was never read, or is not good.
pub fn good_number(reported: Option<&Reported>) -> Result<f64, Guarded> {
    let unknown = |quality: &str| Guarded::Unknown { quality: quality.to_owned() };
    match reported {
        Some(Reported { value: Some(value), quality: Quality::Good, .. }) => {
            value.as_number().ok_or_else(|| unknown("not a number"))
        }
        Some(Reported { quality, .. }) => Err(unknown(&quality.to_string())),
        None => Err(unknown("never read")),
    }
}

/// What was changed lately by writes to one property. It is not stored: it begins anew with the gateway.
#[derive(Debug, Clone, Default)]
pub struct Travel {
    /// When and how much, the oldest first.
    moves: VecDeque<(Timestamp, f64)>,
}

impl Travel {
    /// So many moves are told apart; above it the two oldest count as one, at the later time.
    const MOST_MOVES: usize = 64;

    /// Counts a change at `now`, unless it is too much.
    ///
    /// # Errors
    /// [`Guarded::Rate`]; nothing is counted then.
    pub fn take(&mut self, change: f64, rate: Rate, now: Timestamp) -> Result<(), Guarded> {
        let per = Duration::from_millis(rate.per_ms);
        while self.moves.front().is_some_and(|(at, _)| at.after(per) <= now) {
            self.moves.pop_front();
        }
        let used: f64 = self.moves.iter().map(|(_, change)| change).sum();
        if used + change > rate.most + ROUNDING * rate.most.max(change) {
            return Err(Guarded::Rate { change, used, most: rate.most, per_ms: rate.per_ms });
        }
        if change > 0.0 {
            self.moves.push_back((now, change));
        }
        if self.moves.len() > Self::MOST_MOVES
            && let Some((_, oldest)) = self.moves.pop_front()
            && let Some((_, next)) = self.moves.front_mut()
        {
            *next += oldest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Why;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn reported(value: i64, quality: Quality) -> Reported {
        Reported {
            value: Some(Value::Int(value)),
            quality,
            source_time: None,
            gateway_time: Some(at(1)),
            outcome: None,
        }
    }

    #[test]
    fn a_step_is_judged_against_the_last_good_value() {
        let guard = Guard { step: Some(0.5), ..Guard::default() };
        let good = reported(10, Quality::Good);
        let float = |number| Value::float(number).unwrap();
        assert_eq!(guard.check_step(&float(10.5), Some(&good)), Ok(()));
        assert_eq!(guard.check_step(&float(9.5), Some(&good)), Ok(()));
        let error = guard.check_step(&float(10.6), Some(&good)).unwrap_err();
        assert!(error.to_string().contains("more than the 0.5"), "{error}");
        let gone = reported(10, Quality::Bad(Why::DeviceUnreachable));
        let error = guard.check_step(&float(10.0), Some(&gone)).unwrap_err();
        assert!(error.to_string().contains("device_unreachable"), "{error}");
        assert!(matches!(guard.check_step(&float(10.0), None), Err(Guarded::Unknown { .. })));
        assert_eq!(guard.check_step_if_known(&float(99.0), None), Ok(()));
        assert!(guard.check_step_if_known(&float(99.0), Some(&good)).is_err());
        assert_eq!(Guard::default().check_step(&float(99.0), None), Ok(()));
    }

    #[test]
    fn a_rate_counts_all_changes_of_a_time_whichever_way() {
        let rate = Rate { most: 2.0, per_ms: 1000 };
        let mut travel = Travel::default();
        assert_eq!(travel.take(1.5, rate, at(0)), Ok(()));
        let error = travel.take(1.0, rate, at(999)).unwrap_err();
        assert!(error.to_string().contains("2 are allowed within 1 s, and 1.5 are used"), "{error}");
        assert_eq!(travel.take(0.5, rate, at(999)), Ok(()));
        assert_eq!(travel.take(1.5, rate, at(1000)), Ok(()));
        assert!(travel.take(0.1, rate, at(1500)).is_err());
    }

    proptest! {
        #[test]
        fn no_time_sees_more_than_the_rate(moves in proptest::collection::vec((0i64..50, 0.0f64..1.0), 0..300)) {
            let rate = Rate { most: 2.0, per_ms: 100 };
            let mut travel = Travel::default();
            let mut now = 0;
            let mut taken: Vec<(i64, f64)> = Vec::new();
            for (wait, change) in moves {
                now += wait;
                if travel.take(change, rate, at(now)).is_ok() {
                    taken.push((now, change));
                }
                let within: f64 = taken.iter().filter(|(t, _)| now - t < 100).map(|(_, c)| c).sum();
                prop_assert!(within <= 2.0 + 1e-6, "{} at {}", within, now);
                prop_assert!(travel.moves.len() <= Travel::MOST_MOVES);
            }
        }
    }
}
