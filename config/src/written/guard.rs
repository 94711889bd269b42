//! What guards a property, and what is told of it as an alarm.

use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::Severity;

use crate::duration::BoundedDuration;

/// What guards a property against a write that is of the right type and range, and still wrong now.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct GuardWritten {
    /// The most that one write may change, in the property's unit, against the last good value.
    pub(crate) step: Option<f64>,
    /// The most that writes may change within a time.
    pub(crate) rate: Option<RateWritten>,
    /// The interlock: an expression over properties that must hold just before the write, such as `pressure < 5.0`.
    pub(crate) when: Option<String>,
    /// What is said, for people, when the interlock does not hold.
    pub(crate) message: Option<String>,
}

/// The most that writes may change a property within a time.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RateWritten {
    /// All changes together, up or down, in the property's unit.
    pub(crate) most: f64,
    /// The time, 1s to 24h.
    pub(crate) per: BoundedDuration<1_000, 86_400_000>,
}

/// One rule that gives an alarm: exactly one of `high`, `low`, `equals` and `stale`, and what goes with it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct AlarmWritten {
    /// Raised when the value is above this number.
    pub(crate) high: Option<f64>,
    /// Raised when the value is below this number.
    pub(crate) low: Option<f64>,
    /// Raised when no value was read for this long, 1s to 30d.
    pub(crate) stale: Option<BoundedDuration<1_000, { 30 * 86_400_000 }>>,
    /// How far the value must come back from `high` or `low` before the alarm is cleared, in the property's unit. Default: 0
    pub(crate) hysteresis: Option<f64>,
    /// How long the rule must be broken before the alarm is raised, up to 24h. Default: 0s
    pub(crate) delay: Option<BoundedDuration<0, 86_400_000>>,
    /// How bad it is. Default: warning
    #[serde(default)]
    pub(crate) severity: SeverityWord,
    /// What is wrong, for people. Default: a line made of the rule
    pub(crate) message: Option<String>,
}

/// How bad an alarm is.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeverityWord {
    /// To be known.
    Info,
    /// To be looked at.
    #[default]
    Warning,
    /// To be acted on at once.
    Critical,
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Info => Self::Info,
            SeverityWord::Warning => Self::Warning,
            SeverityWord::Critical => Self::Critical,
        }
    }
}
