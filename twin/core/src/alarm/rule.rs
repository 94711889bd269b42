//! What makes an alarm.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Severity;
use crate::document::Reported;
use crate::quality::{Quality, Why};
use crate::time::Timestamp;
use crate::value::Value;

/// When a rule is broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The value is above a limit; kept again at `limit - hysteresis` or below.
    High {
        /// The highest number that is still right.
        limit: f64,
        /// How far it must come back, in the property's unit.
        hysteresis: f64,
    },
    /// The value is below a limit; kept again at `limit + hysteresis` or above.
    Low {
        /// The lowest number that is still right.
        limit: f64,
        /// How far it must come back, in the property's unit.
        hysteresis: f64,
    },
    /// The value is this one.
    Equals {
        /// The value that is wrong.
        value: Value,
    },
    /// No value was read for this long, in milliseconds.
    Stale {
        /// The longest time between two values, at least 1 ms.
        after_ms: u64,
    },
}

/// One rule of a property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmRule {
    /// When it is broken.
    pub condition: Condition,
    /// How long it must be broken before the alarm is raised, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// How bad that is.
    #[serde(default)]
    pub severity: Severity,
    /// What is wrong, for people; none: a line made of the condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a rule says of what is reported.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It is broken.
    Broken,
    /// It is kept.
    Kept,
    /// Neither: the value lies within the hysteresis.
    Between,
    /// It cannot be said.
    Unknown(Why),
}

impl AlarmRule {
    /// A rule without delay, of severity warning.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self { condition, delay_ms: 0, severity: Severity::default(), message: None }
    }

    /// What is wrong when it is broken, for people.
    #[must_use]
    pub fn words(&self, property: &str, unit: Option<&str>) -> String {
        if let Some(message) = &self.message {
            return message.clone();
        }
        let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        match &self.condition {
            Condition::High { limit, .. } => format!("{property} is above {limit}{unit}"),
            Condition::Low { limit, .. } => format!("{property} is below {limit}{unit}"),
            Condition::Equals { value } => {
                let value: String = value.to_string().chars().take(80).collect();
                format!("{property} is {value}")
            }
            Condition::Stale { after_ms } => {
                format!("{property} was not read for {} s", Duration::from_millis(*after_ms).as_secs_f64())
            }
        }
    }

    /// Judges what is reported, for every condition but [`Condition::Stale`], which is a matter of time.
    ///
    /// A bad value says nothing; neither does one of an earlier run that was not read since.
    pub(super) fn judge(&self, reported: Option<&Reported>) -> Verdict {
        let Some(Reported { value: Some(value), quality, .. }) = reported else {
            return Verdict::Unknown(Why::NotReadYet);
        };
        match quality {
            Quality::Bad(why) | Quality::Uncertain(why @ (Why::NotReadYet | Why::Stale)) => {
                return Verdict::Unknown(why.clone());
            }
            Quality::Good | Quality::Uncertain(_) => {}
        }
        let beyond = |by: f64, hysteresis: f64| match by {
            by if by > 0.0 => Verdict::Broken,
            by if by <= -hysteresis => Verdict::Kept,
            _ => Verdict::Between,
        };
        match (&self.condition, value.as_number()) {
            (Condition::High { limit, hysteresis }, Some(number)) => beyond(number - limit, *hysteresis),
            (Condition::Low { limit, hysteresis }, Some(number)) => beyond(limit - number, *hysteresis),
            (Condition::High { .. } | Condition::Low { .. }, None) => Verdict::Unknown(Why::WrongType),
            (Condition::Equals { value: wrong }, _) if value.matches(wrong, None) => Verdict::Broken,
            (Condition::Equals { .. }, _) => Verdict::Kept,
            (Condition::Stale { .. }, _) => Verdict::Between,
        }
    }

    /// When the value gets stale that was read at `read_at`; none for a rule of another kind.
    pub(super) fn stale_at(&self, read_at: Timestamp) -> Option<Timestamp> {
        match &self.condition {
            // One millisecond more: at the very end of its time a value is still fresh.
            Condition::Stale { after_ms } => {
                Some(read_at.after(Duration::from_millis(after_ms.saturating_add(1))))
            }
            Condition::High { .. } | Condition::Low { .. } | Condition::Equals { .. } => None,
        }
    }
}
