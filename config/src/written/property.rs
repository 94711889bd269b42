//! A property, in a model or in a device.

use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{Access, ValueType};

use super::guard::GuardWritten;
use crate::duration::{AnyDuration, BoundedDuration};

/// How often a property may be read: 10 ms to 24 h.
pub(crate) type PollInterval = BoundedDuration<10, 86_400_000>;

/// One property. Next to these keys stands that of the protocol, which says where the property lives.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PropertyWritten {
    /// The type of its values.
    #[serde(rename = "type")]
    pub(crate) value_type: TypeWord,
    /// What may be done with it. Default: read
    #[serde(default)]
    pub(crate) access: AccessWord,
    /// The unit, as people write it: bar, °C
    pub(crate) unit: Option<String>,
    /// A line for people.
    pub(crate) description: Option<String>,
    /// The lowest and the highest number allowed.
    pub(crate) range: Option<(f64, f64)>,
    /// How far a float read back may lie from the one written, in the property's unit. Default: one part in a million
    pub(crate) tolerance: Option<f64>,
    /// How often it is read. Default: 1s
    pub(crate) every: Option<PollInterval>,
    /// When a value that was read is passed on. Default: when it changed
    pub(crate) report: Option<ReportWritten>,
    /// How old a value may be before it counts as stale. Default: any age
    pub(crate) stale_after: Option<AnyDuration>,
    /// What guards it against a write that is wrong now.
    pub(crate) guard: Option<GuardWritten>,
}

/// When a value that was read is passed on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ReportWritten {
    /// How far a number must move from the one last passed on, in the property's unit. Default: 0, every change
    pub(crate) deadband: Option<f64>,
    /// How far a number must move, in percent of the one last passed on, above 0 to 100. In place of `deadband`
    pub(crate) deadband_percent: Option<f64>,
    /// How far a number must move, in percent of the property's range, above 0 to 100. In place of `deadband`
    pub(crate) deadband_span_percent: Option<f64>,
    /// After how long an unchanged value is passed on again. Default: never
    pub(crate) max_silence: Option<BoundedDuration<10, { 30 * 86_400_000 }>>,
    /// The shortest time between two values. Default: 0s
    pub(crate) min_interval: Option<BoundedDuration<0, 86_400_000>>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeWord {
    /// On or off.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number.
    Float,
    /// Text.
    String,
    /// Raw bytes.
    Bytes,
    /// Anything structured.
    Json,
}

impl From<TypeWord> for ValueType {
    fn from(word: TypeWord) -> Self {
        match word {
            TypeWord::Bool => Self::Bool,
            TypeWord::Int => Self::Int,
            TypeWord::Float => Self::Float,
            TypeWord::String => Self::String,
            TypeWord::Bytes => Self::Bytes,
            TypeWord::Json => Self::Json,
        }
    }
}

/// What may be done with a property.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessWord {
    /// It is reported only.
    #[default]
    Read,
    /// It can be wanted but not read back.
    Write,
    /// Both.
    ReadWrite,
}

impl From<AccessWord> for Access {
    fn from(word: AccessWord) -> Self {
        match word {
            AccessWord::Read => Self::Read,
            AccessWord::Write => Self::Write,
            AccessWord::ReadWrite => Self::ReadWrite,
        }
    }
}
