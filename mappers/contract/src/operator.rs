//! `twin/override/update`: a local operator's values. Its result is that of `twin/update`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{PropertyName, Timestamp};

use crate::error::{ContractError, Refusal};
use crate::limits::MAX_VALUE_BYTES;
use crate::value::WireValue;
use crate::wire::{self, Entries};

/// The body of `twin/override/update`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OverrideUpdate {
    /// Echoed in the answer; may be empty.
    pub event_id: String,
    /// Who wants it; empty where nobody is named.
    pub by: String,
    /// What the device should hold, by property; none releases it.
    pub overrides: BTreeMap<PropertyName, Option<OperatorValue>>,
}

/// A local operator's value.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorValue {
    /// The value.
    pub value: WireValue,
    /// When it ends; none: when it is released.
    pub end: Option<End>,
}

/// When a value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// So many milliseconds after it was taken, at least one.
    In(u64),
    /// At this moment.
    At(Timestamp),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, deserialize_with = "wire::text", skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(default, rename = "override")]
    overrides: Option<Entries<WireOverride>>,
}

#[derive(Serialize, Deserialize)]
struct WireOverride {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typed: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "wire::millis")]
    until: Option<i64>,
}

/// The longest name of who wants it, in bytes.
const MAX_BY_BYTES: usize = 256;

impl OverrideUpdate {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] with the event id as far as one can be found.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let Wire { event_id, by, overrides } = wire::read(body)?;
        let event_id = wire::checked_event_id(event_id)?;
        match read(overrides, &by) {
            Ok(overrides) => Ok(Self { event_id, by, overrides }),
            Err(error) => Err(Refusal { event_id, error }),
        }
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let entry = |value: &OperatorValue| WireOverride {
            value: Some(Json::String(value.value.text())),
            typed: value.value.typed().cloned(),
            expires_in_ms: match value.end {
                Some(End::In(ms)) => Some(ms),
                Some(End::At(_)) | None => None,
            },
            until: match value.end {
                Some(End::At(at)) => Some(at.as_millis()),
                Some(End::In(_)) | None => None,
            },
        };
        let entries = self.overrides.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_ref().map(entry)));
        let overrides = Some(entries.collect());
        wire::encode(&Wire { event_id: self.event_id.clone(), by: self.by.clone(), overrides })
    }
}

fn read(
    entries: Option<Entries<WireOverride>>,
    by: &str,
) -> Result<BTreeMap<PropertyName, Option<OperatorValue>>, ContractError> {
    let shape = |reason: &str| ContractError::WrongShape { reason: reason.to_owned() };
    if by.len() > MAX_BY_BYTES {
        return Err(shape("`by` is a name of at most 256 bytes"));
    }
    let entries = entries.ok_or_else(|| {
        shape("the field `override` is missing: write {\"override\": {\"PROPERTY\": {\"value\": 21}, \"OTHER\": null}}")
    })?;
    let mut overrides = BTreeMap::new();
    for (name, entry) in entries.bounded()? {
        let name: PropertyName = name.parse()?;
        let wanted = entry.map(|entry| value(&name, entry)).transpose()?;
        overrides.insert(name, wanted);
    }
    Ok(overrides)
}

fn value(property: &PropertyName, wire: WireOverride) -> Result<OperatorValue, ContractError> {
    let bad = |rule| ContractError::BadWanted { property: property.clone(), rule };
    let value = WireValue::from_parts(wire.value, wire.typed).ok_or_else(|| {
        bad("`value` is what the device should hold; `null` in place of the object releases it")
    })?;
    if value.bytes() > MAX_VALUE_BYTES {
        return Err(ContractError::ValueTooLarge { property: property.clone(), bytes: value.bytes() });
    }
    let end = match (wire.expires_in_ms, wire.until) {
        (None, None) => None,
        (Some(0), None) => return Err(bad("`expires_in_ms` is at least 1")),
        (Some(ms), None) => Some(End::In(ms)),
        (None, Some(at)) => Some(End::At(Timestamp::from_millis(at))),
        (Some(_), Some(_)) => return Err(bad("write one of `expires_in_ms` and `until`")),
    };
    Ok(OperatorValue { value, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::{any_name, any_time};
    use crate::value::tests::any_wire_value;
    use proptest::option;
    use proptest::prelude::*;

    fn any_operator_value() -> impl Strategy<Value = OperatorValue> {
        let end = option::of(prop_oneof![(1u64..).prop_map(End::In), any_time().prop_map(End::At)]);
        (any_wire_value(), end).prop_map(|(value, end)| OperatorValue { value, end })
    }

    proptest! {
        #[test]
        fn an_override_survives_the_wire(
            event_id in ".{0,20}", by in ".{0,20}",
            overrides in proptest::collection::btree_map(any_name(), option::of(any_operator_value()), 0..4)
        ) {
            let update = OverrideUpdate { event_id, by, overrides };
            prop_assert_eq!(OverrideUpdate::parse(&update.encode()).unwrap(), update);
        }

        #[test]
        fn no_bytes_make_an_override_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = OverrideUpdate::parse(&bytes);
        }
    }

    #[test]
    fn what_is_not_complete_is_refused_with_its_event_id() {
        for (body, word) in [
            (r#"{"event_id":"7"}"#, "wrong_shape"),
            (r#"{"event_id":"7","override":{"a":{}}}"#, "bad_wanted"),
            (r#"{"event_id":"7","override":{"a":{"value":1,"expires_in_ms":0}}}"#, "bad_wanted"),
            (r#"{"event_id":"7","override":{"a":{"value":1,"expires_in_ms":5,"until":9}}}"#, "bad_wanted"),
            (r#"{"event_id":"7","override":{"a b":null}}"#, "bad_property_name"),
        ] {
            let refusal = OverrideUpdate::parse(body.as_bytes()).unwrap_err();
            assert_eq!((refusal.event_id.as_str(), refusal.error.word()), ("7", word), "{body}");
        }
    }
}
