//! What a message says of one property; the same shape in every message.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use twin_core::{Convergence, Part, PropertyName, Quality, Revision, Timestamp, ValueType};

use crate::error::ContractError;
use crate::limits::MAX_VALUE_BYTES;
use crate::outcome::{PART_RULE, WriteOutcome, part_from_word, part_word};
use crate::value::{WireValue, type_from_word, type_word};
use crate::wire::{Entries, WireHeld, WireMetadata, WireProperty, WireTime};

/// The properties of a message by name; `None` deletes one, or says that there is none.
pub type Twin = BTreeMap<PropertyName, Option<PropertyTwin>>;

/// A value and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The value.
    pub value: WireValue,
    /// Its time, where one is given; on the way to the gateway it is the mapper's and only a hint.
    pub timestamp: Option<Timestamp>,
}

/// What a message says of one property. Everything is optional: a message says what it has to say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PropertyTwin {
    /// What the device holds.
    pub actual: Option<Held>,
    /// What it should hold.
    pub expected: Option<Held>,
    /// By whose word `expected` is wanted: [`Part::Desired`] or [`Part::Override`].
    pub part: Option<Part>,
    /// The revision of that part.
    pub revision: Option<Revision>,
    /// Until when it is wanted; none: for good.
    pub until: Option<Timestamp>,
    /// How far `actual` can be believed. Where a value comes without one it is good; see [`Self::quality_of_value`].
    pub quality: Option<Quality>,
    /// The device's own time of the value.
    pub source_time: Option<Timestamp>,
    /// How the last write ended.
    pub outcome: Option<WriteOutcome>,
    /// How far the device has got with what is wanted; from the gateway only, a mapper need not say it.
    pub convergence: Option<Convergence>,
    /// The type of the values, where the message names it.
    pub value_type: Option<ValueType>,
}

impl PropertyTwin {
    /// The quality that the message gives: what it says, or good where a value comes without one; none when it says
    /// nothing of value and quality.
    #[must_use]
    pub fn quality_of_value(&self) -> Option<Quality> {
        self.quality.clone().or_else(|| self.actual.as_ref().map(|_| Quality::Good))
    }

    pub(crate) fn from_wire(wire: WireProperty, property: &PropertyName) -> Result<Self, ContractError> {
        let quality = match (wire.quality, wire.why) {
            (None, _) => None,
            (Some(word), why) => {
                Some(Quality::from_words(&word, why.as_deref()).ok_or_else(|| ContractError::BadQuality {
                    property: property.clone(),
                    found: word.chars().take(80).collect(),
                })?)
            }
        };
        let part =
            match wire.part {
                None => None,
                Some(word) => Some(part_from_word(Some(&word)).ok_or_else(|| ContractError::BadWanted {
                    property: property.clone(),
                    rule: PART_RULE,
                })?),
            };
        let outcome = wire.outcome.map(|outcome| WriteOutcome::from_wire(outcome, property)).transpose()?;
        let read = Self {
            actual: wire.actual.and_then(held_from_wire),
            expected: wire.expected.and_then(held_from_wire),
            part,
            revision: wire.revision.map(Revision::new),
            until: wire.until.map(Timestamp::from_millis),
            quality,
            source_time: wire.source_time.map(Timestamp::from_millis),
            outcome,
            convergence: wire.convergence.and_then(|json| serde_json::from_value(json).ok()),
            value_type: wire
                .metadata
                .and_then(|metadata| metadata.value_type)
                .and_then(|word| type_from_word(&word)),
        };
        let held = [&read.actual, &read.expected].into_iter().flatten().map(|held| &held.value);
        for value in held.chain(read.outcome.as_ref().map(|outcome| &outcome.value)) {
            let bytes = value.bytes();
            // Bytes travel as base64, which is longer by a third.
            if bytes > MAX_VALUE_BYTES / 3 * 4 + 4 {
                return Err(ContractError::ValueTooLarge { property: property.clone(), bytes });
            }
        }
        Ok(read)
    }

    pub(crate) fn to_wire(&self) -> WireProperty {
        WireProperty {
            expected: self.expected.as_ref().map(held_to_wire),
            part: self.part.map(|part| part_word(part).to_owned()),
            revision: self.revision.map(Revision::get),
            until: self.until.map(Timestamp::as_millis),
            actual: self.actual.as_ref().map(held_to_wire),
            quality: self.quality.as_ref().map(|quality| quality.word().to_owned()),
            why: self.quality.as_ref().and_then(Quality::why).map(|why| why.word().to_owned()),
            source_time: self.source_time.map(Timestamp::as_millis),
            outcome: self.outcome.as_ref().map(WriteOutcome::to_wire),
            convergence: self.convergence.as_ref().and_then(|word| serde_json::to_value(word).ok()),
            // KubeEdge's clients ask whether a property may be deleted; here the configuration rules that.
            optional: Some(true),
            metadata: self.value_type.map(|t| WireMetadata { value_type: Some(type_word(t).to_owned()) }),
        }
    }
}

fn held_from_wire(wire: WireHeld) -> Option<Held> {
    let value = WireValue::from_parts(wire.value, wire.typed)?;
    let timestamp = wire.metadata.and_then(|metadata| metadata.timestamp).map(Timestamp::from_millis);
    Some(Held { value, timestamp })
}

fn held_to_wire(held: &Held) -> WireHeld {
    WireHeld {
        value: Some(Json::String(held.value.text())),
        typed: held.value.typed().cloned(),
        metadata: held.timestamp.map(|at| WireTime { timestamp: Some(at.as_millis()) }),
    }
}

pub(crate) fn twin_from_wire(entries: Entries<WireProperty>) -> Result<Twin, ContractError> {
    entries
        .bounded()?
        .into_iter()
        .map(|(name, wire)| {
            let name: PropertyName = name.parse()?;
            let read = wire.map(|wire| PropertyTwin::from_wire(wire, &name)).transpose()?;
            Ok((name, read))
        })
        .collect()
}

pub(crate) fn twin_to_wire(twin: &Twin) -> Entries<WireProperty> {
    twin.iter()
        .map(|(name, property)| (name.as_str().to_owned(), property.as_ref().map(PropertyTwin::to_wire)))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::outcome::tests::any_outcome;
    use crate::value::tests::any_wire_value;
    use proptest::option;
    use proptest::prelude::*;
    use twin_core::Why;

    pub(crate) fn any_time() -> impl Strategy<Value = Timestamp> {
        any::<i64>().prop_map(Timestamp::from_millis)
    }

    pub(crate) fn any_held() -> impl Strategy<Value = Held> {
        (any_wire_value(), option::of(any_time())).prop_map(|(value, timestamp)| Held { value, timestamp })
    }

    pub(crate) fn any_name() -> impl Strategy<Value = PropertyName> {
        "[-A-Za-z0-9_.,:/@#]{1,20}".prop_map(|name| name.parse().unwrap())
    }

    pub(crate) fn any_type() -> impl Strategy<Value = ValueType> {
        proptest::sample::select(vec![
            ValueType::Bool,
            ValueType::Int,
            ValueType::Float,
            ValueType::String,
            ValueType::Bytes,
            ValueType::Json,
        ])
    }

    pub(crate) fn any_property() -> impl Strategy<Value = PropertyTwin> {
        let quality = prop_oneof![
            Just(Quality::Good),
            Just(Quality::Bad(Why::DeviceUnreachable)),
            "[a-z ]{1,20}".prop_map(|why| Quality::Uncertain(Why::from_word(&why))),
        ];
        let convergence = prop_oneof![
            Just(Convergence::InSync),
            ".{0,20}".prop_map(|reason| Convergence::Refused { reason }),
        ];
        let part = prop_oneof![Just(Part::Desired), Just(Part::Override)];
        (
            (option::of(any_held()), option::of(any_held()), option::of(part), option::of(any::<u64>())),
            (option::of(any_time()), option::of(quality), option::of(any_time())),
            (option::of(any_outcome()), option::of(convergence), option::of(any_type())),
        )
            .prop_map(
                |(
                    (actual, expected, part, revision),
                    (until, quality, source_time),
                    (outcome, convergence, value_type),
                )| {
                    PropertyTwin {
                        actual,
                        expected,
                        part,
                        revision: revision.map(Revision::new),
                        until,
                        quality,
                        source_time,
                        outcome,
                        convergence,
                        value_type,
                    }
                },
            )
    }

    pub(crate) fn any_twin() -> impl Strategy<Value = Twin> {
        proptest::collection::btree_map(any_name(), option::of(any_property()), 0..4)
    }
}
