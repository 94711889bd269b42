//! What can be wrong with a message, by name, and the answer that says so.

use serde::{Deserialize, Serialize};
use twin_core::{DeviceId, InvalidId, PropertyName, Timestamp, TypeMismatch};

use crate::limits::{MAX_BODY_BYTES, MAX_EVENT_ID_BYTES, MAX_PROPERTIES, MAX_REASON_CHARS, MAX_VALUE_BYTES};
use crate::topic::InvalidTopic;
use crate::wire;

/// What is wrong with a message. `code` and `word` are stable; the text is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ContractError {
    /// The body is not JSON, or nested too deeply.
    #[error("the body is not JSON: {reason}")]
    NotJson {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A field is not of the type it should be.
    #[error("the body has a field of the wrong kind: {reason}")]
    WrongShape {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The body is too long.
    #[error("the body has {bytes} bytes; at most {MAX_BODY_BYTES} are taken")]
    TooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// The event id is too long to be echoed.
    #[error("the event_id has {bytes} bytes; at most {MAX_EVENT_ID_BYTES} are taken")]
    EventIdTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The topic is none of the contract's.
    #[error(transparent)]
    BadTopic(#[from] InvalidTopic),
    /// `twin` is not there.
    #[error(
        "the field `twin` is missing: write {{\"twin\": {{\"PROPERTY\": {{\"actual\": {{\"value\": \"21\"}}}}}}}}"
    )]
    TwinMissing,
    /// Too many properties.
    #[error("the message names {count} properties; at most {MAX_PROPERTIES} are taken")]
    TooManyProperties {
        /// How many there are.
        count: usize,
    },
    /// The name of a property breaks the rule for names.
    #[error(transparent)]
    BadPropertyName(#[from] InvalidId),
    /// A value is too long.
    #[error("the value of `{property}` has {bytes} bytes; at most {MAX_VALUE_BYTES} are taken")]
    ValueTooLarge {
        /// Whose value.
        property: PropertyName,
        /// How long it is.
        bytes: usize,
    },
    /// The quality is none of the words.
    #[error(
        "`{property}` has the quality `{found}`: write good, uncertain or bad, with `why` beside the last two"
    )]
    BadQuality {
        /// Whose quality.
        property: PropertyName,
        /// The word that came, cut at 80 characters.
        found: String,
    },
    /// The outcome of a write does not say what it must.
    #[error("the outcome of `{property}` is not complete: {rule}")]
    BadOutcome {
        /// Whose outcome.
        property: PropertyName,
        /// What it should say.
        rule: &'static str,
    },
    /// A wanted value does not say by whose word and revision.
    #[error("the wanted value of `{property}` is not complete: {rule}")]
    BadWanted {
        /// Whose value.
        property: PropertyName,
        /// What it should say.
        rule: &'static str,
    },
    /// The state is none of the words.
    #[error("the state is `{found}`: write online, offline or unknown")]
    BadState {
        /// The word that came, cut at 80 characters.
        found: String,
    },
    /// A value is not of its property's type.
    #[error("`{property}`: {mismatch}")]
    WrongType {
        /// Whose value.
        property: PropertyName,
        /// What came and what should have come.
        mismatch: TypeMismatch,
    },
    /// The value is of the type, but may not be taken: access, range or enumeration.
    #[error("`{property}`: {reason}")]
    NotAcceptable {
        /// Whose value.
        property: PropertyName,
        /// The rule that it breaks.
        reason: String,
    },
    /// The gateway has no such device.
    #[error("there is no device {device} at this gateway: add it to the configuration")]
    UnknownDevice {
        /// The device of the topic.
        device: DeviceId,
    },
    /// The device has no such property.
    #[error("{device} has no property `{property}`: add it to the configuration")]
    UnknownProperty {
        /// The device of the topic.
        device: DeviceId,
        /// The name that came.
        property: PropertyName,
    },
    /// The sender may not say this.
    #[error("not allowed: {reason}")]
    Forbidden {
        /// What is not allowed, and to whom.
        reason: String,
    },
    /// The gateway cannot take it at the moment.
    #[error("the gateway cannot take it now: {reason}; send it again later")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The gateway failed.
    #[error("the gateway failed: {reason}")]
    Internal {
        /// At what.
        reason: String,
    },
}

impl ContractError {
    /// The number in the answer, in the sense of HTTP's.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::NotJson { .. }
            | Self::WrongShape { .. }
            | Self::EventIdTooLong { .. }
            | Self::BadTopic(_)
            | Self::TwinMissing
            | Self::BadPropertyName(_)
            | Self::BadQuality { .. }
            | Self::BadOutcome { .. }
            | Self::BadWanted { .. }
            | Self::BadState { .. }
            | Self::WrongType { .. } => 400,
            Self::Forbidden { .. } => 403,
            Self::UnknownDevice { .. } | Self::UnknownProperty { .. } => 404,
            Self::TooLarge { .. } | Self::TooManyProperties { .. } | Self::ValueTooLarge { .. } => 413,
            Self::NotAcceptable { .. } => 422,
            Self::Internal { .. } => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// The stable word in the answer, for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not_json",
            Self::WrongShape { .. } => "wrong_shape",
            Self::TooLarge { .. } => "too_large",
            Self::EventIdTooLong { .. } => "event_id_too_long",
            Self::BadTopic(_) => "bad_topic",
            Self::TwinMissing => "twin_missing",
            Self::TooManyProperties { .. } => "too_many_properties",
            Self::BadPropertyName(_) => "bad_property_name",
            Self::ValueTooLarge { .. } => "value_too_large",
            Self::BadQuality { .. } => "bad_quality",
            Self::BadOutcome { .. } => "bad_outcome",
            Self::BadWanted { .. } => "bad_wanted",
            Self::BadState { .. } => "bad_state",
            Self::WrongType { .. } => "wrong_type",
            Self::NotAcceptable { .. } => "not_acceptable",
            Self::UnknownDevice { .. } => "unknown_device",
            Self::UnknownProperty { .. } => "unknown_property",
            Self::Forbidden { .. } => "forbidden",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal { .. } => "internal",
        }
    }
}

/// A message that was not taken, with the event id it is answered by.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// The event id of the message; empty where none could be found.
    pub event_id: String,
    /// What is wrong with it.
    pub error: ContractError,
}

impl Refusal {
    /// Refuses a message that was not parsed, because its topic or its sender is at fault; its event id is looked for.
    #[must_use]
    pub fn unread(body: &[u8], error: ContractError) -> Self {
        wire::refuse(body, error)
    }

    /// The answer that says so.
    #[must_use]
    pub fn answer(&self, now: Timestamp) -> ErrorAnswer {
        ErrorAnswer::new(&self.event_id, &self.error, now)
    }
}

/// The body on `.../result` when a message was not taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// The event id of the message; empty where none could be found.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// When it was answered.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// A number in the sense of HTTP's: 400, 403, 404, 413, 422, 500 or 503.
    pub code: u16,
    /// The stable word, see [`ContractError::word`]; empty from a gateway that is not ours.
    #[serde(default)]
    pub error: String,
    /// What is wrong and how it is put right, for people, at most 500 characters.
    #[serde(default)]
    pub reason: String,
}

impl ErrorAnswer {
    /// The answer to the message `event_id`.
    #[must_use]
    pub fn new(event_id: &str, error: &ContractError, now: Timestamp) -> Self {
        Self {
            event_id: event_id.to_owned(),
            timestamp: now,
            code: error.code(),
            error: error.word().to_owned(),
            reason: error.to_string().chars().take(MAX_REASON_CHARS).collect(),
        }
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] when it is not such an answer.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        wire::read(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_on_a_bad_topic_is_answered_with_its_event_id() {
        let error = "$hw/events/device/PUMP/twin/update".parse::<crate::topic::Topic>().unwrap_err();
        let refusal = Refusal::unread(br#"{"event_id":"7","twin":{}}"#, error.into());
        let answer = refusal.answer(Timestamp::from_millis(1));
        assert_eq!((answer.event_id.as_str(), answer.code, answer.error.as_str()), ("7", 400, "bad_topic"));
    }

    proptest! {
        #[test]
        fn an_error_answer_survives_being_written_and_read(id in ".{0,40}", reason in ".{0,600}", now in any::<i64>()) {
            let answer = ErrorAnswer::new(&id, &ContractError::Internal { reason }, Timestamp::from_millis(now));
            prop_assert!(answer.reason.chars().count() <= MAX_REASON_CHARS);
            prop_assert_eq!(ErrorAnswer::parse(&answer.encode()).unwrap(), answer);
        }
    }
}
