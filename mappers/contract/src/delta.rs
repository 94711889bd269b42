//! `twin/update/delta` (retained): what a mapper is to write to the device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twin_core::{Effective, Part, PropertyName, Revision, Timestamp, ValueType};

use crate::error::{ContractError, Refusal};
use crate::outcome::WriteOutcome;
use crate::property::{Held, PropertyTwin, Twin, twin_from_wire, twin_to_wire};
use crate::value::WireValue;
use crate::wire::{self, Entries, WireProperty};

/// A value that is to be written to the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// By whose word: [`Part::Desired`] or [`Part::Override`]. The outcome names it again.
    pub part: Part,
    /// The revision of that part. The outcome names it again; what was answered once is not written again.
    pub revision: Revision,
    /// The value.
    pub value: WireValue,
    /// Until when it is wanted; none: for good. Past it nothing is written.
    pub until: Option<Timestamp>,
    /// Since when it is wanted.
    pub since: Option<Timestamp>,
    /// The type of the property, where it is known.
    pub value_type: Option<ValueType>,
    /// What the device holds now, for KubeEdge's clients.
    pub actual: Option<Held>,
}

/// The body of `twin/update/delta`: everything that is to be written, and nothing else. It replaces the one before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delta {
    /// The gateway's id of this message.
    pub event_id: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What is to be written; empty when nothing is.
    pub wanted: BTreeMap<PropertyName, Wanted>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, deserialize_with = "wire::millis")]
    timestamp: Option<i64>,
    #[serde(default)]
    twin: Option<Entries<WireProperty>>,
    /// KubeEdge's short form of the same; only written.
    #[serde(default, skip_deserializing)]
    delta: BTreeMap<String, String>,
}

impl Wanted {
    /// The value that `effective` asks for.
    #[must_use]
    pub fn new(effective: &Effective, since: Option<Timestamp>) -> Self {
        Self {
            part: effective.part,
            revision: effective.revision,
            value: (&effective.value).into(),
            until: effective.until,
            since,
            value_type: Some(effective.value.value_type()),
            actual: None,
        }
    }

    /// The answer to it.
    #[must_use]
    pub fn outcome(&self, result: twin_core::WriteResult, at: Timestamp) -> WriteOutcome {
        let (part, revision, value) = (self.part, self.revision, self.value.clone());
        WriteOutcome { part, revision, value, result, at: Some(at) }
    }
}

impl Delta {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let twin: Twin = self
            .wanted
            .iter()
            .map(|(name, wanted)| {
                let property = PropertyTwin {
                    expected: Some(Held { value: wanted.value.clone(), timestamp: wanted.since }),
                    part: Some(wanted.part),
                    revision: Some(wanted.revision),
                    until: wanted.until,
                    actual: wanted.actual.clone(),
                    value_type: wanted.value_type,
                    ..PropertyTwin::default()
                };
                (name.clone(), Some(property))
            })
            .collect();
        wire::encode(&Wire {
            event_id: self.event_id.clone(),
            timestamp: Some(self.timestamp.as_millis()),
            twin: Some(twin_to_wire(&twin)),
            delta: self.wanted.iter().map(|(name, w)| (name.as_str().to_owned(), w.value.text())).collect(),
        })
    }

    /// Reads a body. An empty one, which is how a retained message is taken back, wants nothing.
    ///
    /// # Errors
    /// [`Refusal`] when it is no delta, or a wanted value has no revision to answer.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let wire: Wire = wire::read(body)?;
        let event_id = wire::checked_event_id(wire.event_id)?;
        match twin_from_wire(wire.twin.unwrap_or_default()).and_then(wanted) {
            Ok(wanted) => {
                let timestamp = Timestamp::from_millis(wire.timestamp.unwrap_or_default());
                Ok(Self { event_id, timestamp, wanted })
            }
            Err(error) => Err(Refusal { event_id, error }),
        }
    }
}

fn wanted(twin: Twin) -> Result<BTreeMap<PropertyName, Wanted>, ContractError> {
    let mut all = BTreeMap::new();
    for (name, property) in twin {
        let Some(PropertyTwin {
            expected: Some(expected), part, revision, until, actual, value_type, ..
        }) = property
        else {
            continue;
        };
        let bad = |rule| ContractError::BadWanted { property: name.clone(), rule };
        let wanted = Wanted {
            part: part.unwrap_or(Part::Desired),
            revision: revision.ok_or_else(|| bad("`revision` is what the outcome answers"))?,
            value: expected.value,
            until,
            since: expected.timestamp,
            value_type,
            actual,
        };
        all.insert(name, wanted);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::{any_held, any_name, any_time, any_type};
    use crate::value::tests::any_wire_value;
    use proptest::option;
    use proptest::prelude::*;

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        let part = prop_oneof![Just(Part::Desired), Just(Part::Override)];
        (
            (part, any::<u64>(), any_wire_value(), option::of(any_time())),
            (option::of(any_time()), option::of(any_type()), option::of(any_held())),
        )
            .prop_map(|((part, revision, value, until), (since, value_type, actual))| Wanted {
                part,
                revision: Revision::new(revision),
                value,
                until,
                since,
                value_type,
                actual,
            })
    }

    proptest! {
        #[test]
        fn a_delta_survives_the_wire_and_has_kubeedges_short_form(
            event_id in ".{0,20}", timestamp in any_time(),
            wanted in proptest::collection::btree_map(any_name(), any_wanted(), 0..4)
        ) {
            let delta = Delta { event_id, timestamp, wanted };
            let body = delta.encode();
            prop_assert_eq!(Delta::parse(&body).unwrap(), delta.clone());
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            for (name, wanted) in &delta.wanted {
                prop_assert_eq!(&json["delta"][name.as_str()], &wanted.value.text());
            }
        }

        #[test]
        fn no_bytes_make_a_delta_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Delta::parse(&bytes);
        }
    }

    #[test]
    fn an_empty_body_wants_nothing_and_a_wish_without_a_revision_is_refused() {
        assert_eq!(Delta::parse(b"").unwrap(), Delta::default());
        let refusal =
            Delta::parse(br#"{"event_id":"7","twin":{"a":{"expected":{"value":"1"}}}}"#).unwrap_err();
        assert_eq!((refusal.event_id.as_str(), refusal.error.word()), ("7", "bad_wanted"));
    }
}
