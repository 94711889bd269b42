//! The outcome of a write, as a mapper tells it.

use serde_json::Value as Json;
use twin_core::{Outcome, Part, PropertyName, Revision, Timestamp, TypeMismatch, ValueType, WriteResult};

use crate::error::ContractError;
use crate::limits::MAX_REASON_CHARS;
use crate::value::WireValue;
use crate::wire::WireOutcome;

/// The answer to one wanted value, which it names by part, revision and value: [`twin_core::Outcome`] before the type
/// of the value is known.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOutcome {
    /// [`Part::Desired`] or [`Part::Override`].
    pub part: Part,
    /// The revision that it answers.
    pub revision: Revision,
    /// The value that was to be written.
    pub value: WireValue,
    /// How it ended.
    pub result: WriteResult,
    /// When, if the mapper says so.
    pub at: Option<Timestamp>,
}

impl WriteOutcome {
    /// The outcome for the twin; `now` stands in where the mapper gave no time.
    ///
    /// # Errors
    /// [`TypeMismatch`] when the value is not of the property's type.
    pub fn decode(&self, value_type: ValueType, now: Timestamp) -> Result<Outcome, TypeMismatch> {
        Ok(Outcome {
            part: self.part,
            revision: self.revision,
            value: self.value.decode(value_type)?,
            result: self.result.clone(),
            at: self.at.unwrap_or(now),
        })
    }

    pub(crate) fn from_wire(wire: WireOutcome, property: &PropertyName) -> Result<Self, ContractError> {
        let bad = |rule| ContractError::BadOutcome { property: property.clone(), rule };
        let reason =
            || wire.reason.as_deref().unwrap_or("no reason given").chars().take(MAX_REASON_CHARS).collect();
        let part = part_from_word(wire.part.as_deref()).ok_or_else(|| bad(PART_RULE))?;
        let revision = wire.revision.ok_or_else(|| bad("`revision` is the revision that it answers"))?;
        let result = match wire.result.as_deref() {
            Some("sent") => WriteResult::Sent,
            Some("applied") => WriteResult::Applied,
            Some("refused") => WriteResult::Refused { reason: reason() },
            Some("failed") => {
                WriteResult::Failed { reason: reason(), retry_at: wire.retry_at.map(Timestamp::from_millis) }
            }
            Some(_) | None => return Err(bad("`result` is sent, applied, refused or failed")),
        };
        let value = WireValue::from_parts(wire.value, wire.typed)
            .ok_or_else(|| bad("`value` is the value that was to be written"))?;
        Ok(Self {
            part,
            revision: Revision::new(revision),
            value,
            result,
            at: wire.at.map(Timestamp::from_millis),
        })
    }

    pub(crate) fn to_wire(&self) -> WireOutcome {
        let (result, reason, retry_at) = match &self.result {
            WriteResult::Sent => ("sent", None, None),
            WriteResult::Applied => ("applied", None, None),
            WriteResult::Refused { reason } => ("refused", Some(reason), None),
            WriteResult::Failed { reason, retry_at } => ("failed", Some(reason), *retry_at),
        };
        WireOutcome {
            part: Some(part_word(self.part).to_owned()),
            revision: Some(self.revision.get()),
            value: Some(Json::String(self.value.text())),
            typed: self.value.typed().cloned(),
            result: Some(result.to_owned()),
            reason: reason.cloned(),
            retry_at: retry_at.map(Timestamp::as_millis),
            at: self.at.map(Timestamp::as_millis),
        }
    }
}

impl From<&Outcome> for WriteOutcome {
    fn from(outcome: &Outcome) -> Self {
        Self {
            part: outcome.part,
            revision: outcome.revision,
            value: (&outcome.value).into(),
            result: outcome.result.clone(),
            at: Some(outcome.at),
        }
    }
}

pub(crate) const PART_RULE: &str = "`part` is desired or override, as in the delta";

/// The word of a part that can want something.
pub(crate) fn part_word(part: Part) -> &'static str {
    match part {
        Part::Device => "device",
        Part::Reported => "reported",
        Part::Override => "override",
        Part::Desired => "desired",
        Part::Alarm => "alarm",
    }
}

/// The part that wants something; `desired` where none is named, as with KubeEdge's own clients.
pub(crate) fn part_from_word(word: Option<&str>) -> Option<Part> {
    match word {
        None | Some("desired") => Some(Part::Desired),
        Some("override") => Some(Part::Override),
        Some(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::value::tests::any_wire_value;
    use proptest::prelude::*;

    pub(crate) fn any_outcome() -> impl Strategy<Value = WriteOutcome> {
        let time = || proptest::option::of(any::<i64>().prop_map(Timestamp::from_millis));
        let result = prop_oneof![
            Just(WriteResult::Sent),
            Just(WriteResult::Applied),
            ".{0,40}".prop_map(|reason| WriteResult::Refused { reason }),
            (".{0,40}", time()).prop_map(|(reason, retry_at)| WriteResult::Failed { reason, retry_at }),
        ];
        let part = prop_oneof![Just(Part::Desired), Just(Part::Override)];
        (part, any::<u64>(), any_wire_value(), result, time()).prop_map(
            |(part, revision, value, result, at)| WriteOutcome {
                part,
                revision: Revision::new(revision),
                value,
                result,
                at,
            },
        )
    }

    proptest! {
        #[test]
        fn an_outcome_survives_the_wire(outcome in any_outcome()) {
            let wire: WireOutcome = serde_json::from_slice(&serde_json::to_vec(&outcome.to_wire()).unwrap()).unwrap();
            prop_assert_eq!(WriteOutcome::from_wire(wire, &"p".parse().unwrap()).unwrap(), outcome);
        }
    }
}
