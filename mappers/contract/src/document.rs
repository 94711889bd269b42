//! `twin/update/document`: before and after of a change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twin_core::{PropertyName, Timestamp};

use crate::error::{ContractError, Refusal};
use crate::property::PropertyTwin;
use crate::wire::{self, Entries, WireProperty};

/// A property before and after.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwinChange {
    /// Before; none when it is new.
    pub last: Option<PropertyTwin>,
    /// After; none when it is gone.
    pub current: Option<PropertyTwin>,
}

/// The body of `twin/update/document`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwinDocument {
    /// The event id of the update that made the change.
    pub event_id: String,
    /// When it was made.
    pub timestamp: Timestamp,
    /// The properties that changed.
    pub twin: BTreeMap<PropertyName, TwinChange>,
}

#[derive(Serialize, Deserialize)]
struct WireChange {
    #[serde(default)]
    last: Option<WireProperty>,
    #[serde(default)]
    current: Option<WireProperty>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, deserialize_with = "wire::millis")]
    timestamp: Option<i64>,
    #[serde(default)]
    twin: Entries<WireChange>,
}

impl TwinDocument {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let side = |property: &Option<PropertyTwin>| property.as_ref().map(PropertyTwin::to_wire);
        let change =
            |change: &TwinChange| WireChange { last: side(&change.last), current: side(&change.current) };
        wire::encode(&Wire {
            event_id: self.event_id.clone(),
            timestamp: Some(self.timestamp.as_millis()),
            twin: self.twin.iter().map(|(name, c)| (name.as_str().to_owned(), Some(change(c)))).collect(),
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] when it is no such document.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = wire::read(body)?;
        let event_id = wire::checked_event_id(wire.event_id)?;
        match changes(wire.twin) {
            Ok(twin) => {
                let timestamp = Timestamp::from_millis(wire.timestamp.unwrap_or_default());
                Ok(Self { event_id, timestamp, twin })
            }
            Err(error) => Err(Refusal { event_id, error }),
        }
    }
}

fn changes(entries: Entries<WireChange>) -> Result<BTreeMap<PropertyName, TwinChange>, ContractError> {
    let mut all = BTreeMap::new();
    for (name, change) in entries.bounded()? {
        let name: PropertyName = name.parse()?;
        let side = |wire: Option<WireProperty>| wire.map(|w| PropertyTwin::from_wire(w, &name)).transpose();
        let change = match change {
            Some(change) => TwinChange { last: side(change.last)?, current: side(change.current)? },
            None => TwinChange::default(),
        };
        all.insert(name, change);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::{any_name, any_property, any_time};
    use proptest::option;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_document_survives_the_wire(
            event_id in ".{0,20}", timestamp in any_time(),
            twin in proptest::collection::btree_map(
                any_name(),
                (option::of(any_property()), option::of(any_property())).prop_map(|(last, current)| TwinChange { last, current }),
                0..3,
            )
        ) {
            let document = TwinDocument { event_id, timestamp, twin };
            prop_assert_eq!(TwinDocument::parse(&document.encode()).unwrap(), document);
        }

        #[test]
        fn no_bytes_make_a_document_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TwinDocument::parse(&bytes);
        }
    }
}
