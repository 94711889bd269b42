//! The words, each the same as the nouns of `twin-core` use.

use serde::{Deserialize, Serialize};
use twin_core::{Access, Convergence, DeviceState, Part, Quality, ValueType, WriteResult};
use utoipa::ToSchema;

/// The type of a property's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TypeWord {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A finite number.
    Float,
    /// Text.
    String,
    /// Bytes, as base64 text.
    Bytes,
    /// Any JSON.
    Json,
}

impl From<ValueType> for TypeWord {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Bool => Self::Bool,
            ValueType::Int => Self::Int,
            ValueType::Float => Self::Float,
            ValueType::String => Self::String,
            ValueType::Bytes => Self::Bytes,
            ValueType::Json => Self::Json,
        }
    }
}

/// What may be done with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessWord {
    /// It is reported only.
    Read,
    /// It can be wanted but not read back.
    Write,
    /// Both.
    ReadWrite,
}

impl From<Access> for AccessWord {
    fn from(access: Access) -> Self {
        match access {
            Access::Read => Self::Read,
            Access::Write => Self::Write,
            Access::ReadWrite => Self::ReadWrite,
        }
    }
}

/// Whether a device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    /// Nobody has said yet.
    Unknown,
    /// It answers.
    Online,
    /// It does not answer.
    Offline,
}

impl From<DeviceState> for StateWord {
    fn from(state: DeviceState) -> Self {
        match state {
            DeviceState::Unknown => Self::Unknown,
            DeviceState::Online => Self::Online,
            DeviceState::Offline => Self::Offline,
        }
    }
}

impl From<StateWord> for DeviceState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Unknown => Self::Unknown,
            StateWord::Online => Self::Online,
            StateWord::Offline => Self::Offline,
        }
    }
}

/// How far a value can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityWord {
    /// Read from the device as it should be.
    Good,
    /// Read, but there is doubt.
    Uncertain,
    /// Not to be used as the present value.
    Bad,
}

impl QualityWord {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }
}

impl From<&Quality> for QualityWord {
    fn from(quality: &Quality) -> Self {
        match quality {
            Quality::Good => Self::Good,
            Quality::Uncertain(_) => Self::Uncertain,
            Quality::Bad(_) => Self::Bad,
        }
    }
}

/// A part of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartWord {
    /// The device itself.
    Device,
    /// What the device holds.
    Reported,
    /// What a local operator wants.
    Override,
    /// What the cloud wants.
    Desired,
    /// What an alarm's rule has found.
    Alarm,
}

impl From<Part> for PartWord {
    fn from(part: Part) -> Self {
        match part {
            Part::Device => Self::Device,
            Part::Reported => Self::Reported,
            Part::Override => Self::Override,
            Part::Desired => Self::Desired,
            Part::Alarm => Self::Alarm,
        }
    }
}

/// How an attempt to write a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultWord {
    /// The mapper has taken it up.
    Sent,
    /// The device took it.
    Applied,
    /// The device or a guard said no.
    Refused,
    /// The link to the device broke; it is tried again.
    Failed,
}

impl From<&WriteResult> for ResultWord {
    fn from(result: &WriteResult) -> Self {
        match result {
            WriteResult::Sent => Self::Sent,
            WriteResult::Applied => Self::Applied,
            WriteResult::Refused { .. } => Self::Refused,
            WriteResult::Failed { .. } => Self::Failed,
        }
    }
}

/// How far the device has got with what it should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConvergenceWord {
    /// Nothing is wanted.
    None,
    /// The device holds what is wanted.
    InSync,
    /// It has not been sent to the device yet.
    Pending,
    /// It was sent, the answer is not there yet.
    Sent,
    /// The device or a guard said no.
    Refused,
    /// The link to the device broke; it will be tried again.
    Failed,
    /// What was wanted has run out before the device took it.
    Expired,
    /// It was in sync; the device changed by itself.
    Drifted,
}

impl From<&Convergence> for ConvergenceWord {
    fn from(convergence: &Convergence) -> Self {
        match convergence {
            Convergence::None => Self::None,
            Convergence::InSync => Self::InSync,
            Convergence::Pending => Self::Pending,
            Convergence::Sent => Self::Sent,
            Convergence::Refused { .. } => Self::Refused,
            Convergence::Failed { .. } => Self::Failed,
            Convergence::Expired => Self::Expired,
            Convergence::Drifted => Self::Drifted,
        }
    }
}
