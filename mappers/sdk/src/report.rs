//! Which of all that is read is worth reporting.

use config::ReportPolicy;
use twin_core::{Quality, Timestamp, Value};

/// What is known of a property at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The value; none when the quality is bad.
    pub value: Option<Value>,
    /// How far it can be believed.
    pub quality: Quality,
    /// The device's own time of the value.
    pub source_time: Option<Timestamp>,
    /// When the gateway read the value; none where there is none.
    pub gateway_time: Option<Timestamp>,
}

impl Observation {
    /// A good value.
    #[must_use]
    pub fn good(value: Value, at: Timestamp) -> Self {
        Self { value: Some(value), quality: Quality::Good, source_time: None, gateway_time: Some(at) }
    }

    /// No value, and why.
    #[must_use]
    pub fn bad(quality: Quality) -> Self {
        Self { value: None, quality, source_time: None, gateway_time: None }
    }
}

/// Filters the observations of one property.
#[derive(Debug)]
pub struct Reporter {
    policy: ReportPolicy,
    last: Option<(Observation, Timestamp)>,
    held: Option<Observation>,
}

impl Reporter {
    /// A filter that has reported nothing yet.
    #[must_use]
    pub fn new(policy: ReportPolicy) -> Self {
        Self { policy, last: None, held: None }
    }

    /// Takes an observation made at `now`, and gives it back when it is to be reported now.
    pub fn handle_observation(&mut self, observation: Observation, now: Timestamp) -> Option<Observation> {
        self.held = None;
        let Some((last, at)) = &self.last else { return Some(self.report(observation, now)) };
        if last.quality != observation.quality {
            return Some(self.report(observation, now));
        }
        let age = now.since(*at);
        if self.policy.max_silence.is_some_and(|silence| age >= silence) && observation.value.is_some() {
            return Some(self.report(observation, now));
        }
        if !self.differs(last, &observation) {
            return None;
        }
        if age < self.policy.min_interval {
            self.held = Some(observation);
            return None;
        }
        Some(self.report(observation, now))
    }

    /// Takes an observation that is reported whatever the policy says, such as one made right after a write.
    pub fn handle_forced(&mut self, observation: Observation, now: Timestamp) -> Observation {
        self.held = None;
        self.report(observation, now)
    }

    /// The change that had to wait for the minimum interval, once it is over.
    pub fn poll_held(&mut self, now: Timestamp) -> Option<Observation> {
        if self.poll_timeout()? > now {
            return None;
        }
        let held = self.held.take()?;
        Some(self.report(held, now))
    }

    /// When [`poll_held`](Self::poll_held) has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.held.as_ref()?;
        self.last.as_ref().map(|(_, at)| at.after(self.policy.min_interval))
    }

    fn differs(&self, last: &Observation, new: &Observation) -> bool {
        let number = |o: &Observation| match o.value {
            Some(Value::Int(_) | Value::Float(_)) => o.value.as_ref().and_then(Value::as_number),
            Some(Value::Bool(_) | Value::String(_) | Value::Bytes(_) | Value::Json(_)) | None => None,
        };
        let changed = last.value != new.value;
        match (number(last), number(new)) {
            (Some(old), Some(new)) => {
                let deadband = self.policy.deadband.max(old.abs() * self.policy.deadband_percent / 100.0);
                if deadband > 0.0 { (old - new).abs() > deadband } else { changed }
            }
            _ => changed,
        }
    }

    fn report(&mut self, observation: Observation, now: Timestamp) -> Observation {
        self.last = Some((observation.clone(), now));
        observation
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;
    use twin_core::Why;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn reading(value: f64, ms: i64) -> Observation {
        Observation::good(Value::float(value).unwrap(), at(ms))
    }

    #[test]
    fn a_slow_drift_is_reported_once_it_leaves_the_deadband_of_the_last_report() {
        let mut reporter = Reporter::new(ReportPolicy { deadband: 0.5, ..ReportPolicy::default() });
        let reported: Vec<i64> = (0..20)
            .filter(|n| {
                #[expect(clippy::cast_precision_loss, reason = "small")]
                reporter.handle_observation(reading(*n as f64 * 0.1, *n), at(*n)).is_some()
            })
            .collect();
        assert_eq!(reported, [0, 6, 12, 18]);
    }

    #[test]
    fn a_deadband_in_percent_grows_with_the_value_and_is_none_at_zero() {
        let policy = ReportPolicy { deadband_percent: 10.0, ..ReportPolicy::default() };
        let mut reporter = Reporter::new(policy);
        let values = [100.0, 109.0, 91.0, 111.0, 122.0, 123.0, 0.0, 0.001, -0.001];
        let reported: Vec<f64> = (0..)
            .zip(values)
            .filter(|(n, value)| reporter.handle_observation(reading(*value, *n), at(*n)).is_some())
            .map(|(_, value)| value)
            .collect();
        assert_eq!(reported, [100.0, 111.0, 123.0, 0.0, 0.001, -0.001]);
    }

    #[test]
    fn a_change_of_quality_is_always_reported_and_only_once() {
        let policy = ReportPolicy {
            deadband: 100.0,
            min_interval: Duration::from_secs(60),
            ..ReportPolicy::default()
        };
        let mut reporter = Reporter::new(policy);
        let bad = || Observation::bad(Quality::Bad(Why::DeviceUnreachable));
        assert!(reporter.handle_observation(reading(1.0, 0), at(0)).is_some());
        assert!(reporter.handle_observation(bad(), at(1)).is_some());
        assert!(reporter.handle_observation(bad(), at(2)).is_none());
        assert!(reporter.handle_observation(reading(1.0, 3), at(3)).is_some());
    }

    #[test]
    fn an_unchanged_value_is_reported_again_after_the_longest_silence() {
        let policy = ReportPolicy { max_silence: Some(Duration::from_millis(10)), ..ReportPolicy::default() };
        let mut reporter = Reporter::new(policy);
        let reported: Vec<i64> =
            (0..25).filter(|n| reporter.handle_observation(reading(1.0, *n), at(*n)).is_some()).collect();
        assert_eq!(reported, [0, 10, 20]);
    }

    #[test]
    fn a_change_within_the_minimum_interval_is_held_and_comes_out_at_its_end() {
        let policy = ReportPolicy { min_interval: Duration::from_millis(100), ..ReportPolicy::default() };
        let mut reporter = Reporter::new(policy);
        assert!(reporter.handle_observation(reading(1.0, 0), at(0)).is_some());
        assert!(reporter.handle_observation(reading(2.0, 10), at(10)).is_none());
        assert_eq!(reporter.poll_timeout(), Some(at(100)));
        assert_eq!(reporter.poll_held(at(99)), None);
        assert_eq!(reporter.poll_held(at(100)), Some(reading(2.0, 10)));
        assert_eq!(reporter.poll_timeout(), None);
        assert!(reporter.handle_observation(reading(3.0, 110), at(110)).is_none());
        assert!(reporter.handle_observation(reading(2.0, 120), at(120)).is_none(), "it went back by itself");
        assert_eq!(reporter.poll_timeout(), None);
    }

    proptest! {
        #[test]
        fn what_was_last_reported_is_never_further_away_than_the_deadband(
            deadband in 0.0f64..5.0,
            readings in proptest::collection::vec(-20.0f64..20.0, 1..50),
        ) {
            let policy = ReportPolicy { deadband, ..ReportPolicy::default() };
            let mut reporter = Reporter::new(policy);
            let mut shown = f64::NAN;
            for (n, value) in (0..).zip(readings) {
                if let Some(report) = reporter.handle_observation(reading(value, n), at(n)) {
                    shown = report.value.unwrap().as_number().unwrap();
                }
                prop_assert!((shown - value).abs() <= deadband);
            }
        }
    }
}
