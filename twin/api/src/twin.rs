//! A device with all its properties.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twin_core::{Desired, Device, DeviceId, Override, PropertyName, Reported, Revision, Timestamp};
use utoipa::ToSchema;

use crate::device::DeviceView;
use crate::property::{PropertyParts, PropertyView, Stored};

/// A device with all its properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TwinView {
    /// The device.
    pub device: DeviceView,
    /// The revision of the last change of any desired value of this device; 0 when there never was one. It is the
    /// `ETag`, and what `If-Match` is compared with.
    pub desired_revision: u64,
    /// All properties: those the device has, and those of which something is still stored.
    pub properties: BTreeMap<String, PropertyView>,
}

/// What a store holds of one device.
#[derive(Debug)]
pub struct TwinParts<'a> {
    /// Its name.
    pub id: &'a DeviceId,
    /// What its edge says of it.
    pub device: Stored<'a, Device>,
    /// What was reported of each property.
    pub reported: BTreeMap<&'a PropertyName, Stored<'a, Reported>>,
    /// What local operators want.
    pub overrides: BTreeMap<&'a PropertyName, Stored<'a, Override>>,
    /// What the cloud wants.
    pub desired: BTreeMap<&'a PropertyName, Stored<'a, Desired>>,
    /// The revision of the last change of any desired value.
    pub desired_revision: Revision,
}

impl TwinParts<'_> {
    /// What they amount to at `now`.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> TwinView {
        let defined = &self.device.body.definition.properties;
        let names: BTreeSet<&PropertyName> = defined
            .keys()
            .chain(self.reported.keys().copied())
            .chain(self.overrides.keys().copied())
            .chain(self.desired.keys().copied())
            .collect();
        let properties: BTreeMap<String, PropertyView> = names
            .into_iter()
            .map(|name| {
                let parts = PropertyParts {
                    definition: defined.get(name),
                    reported: self.reported.get(name).copied(),
                    override_: self.overrides.get(name).copied(),
                    desired: self.desired.get(name).copied(),
                };
                (name.to_string(), parts.view(now))
            })
            .collect();
        let not_good = self.reported.values().filter(|r| !r.body.quality.is_good()).count();
        let not_good = Some(u64::try_from(not_good).unwrap_or(u64::MAX));
        TwinView {
            device: DeviceView::new(self.id, self.device.body, self.device.revision, not_good),
            desired_revision: self.desired_revision.get(),
            properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{
        Access, DeviceDefinition, DeviceState, Outcome, Part, PropertyDefinition, Quality, Range, Value,
        ValueType, Why, WriteResult,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn stored<T>(body: &T, revision: u64) -> Stored<'_, T> {
        Stored { body, revision: Revision::new(revision), cloud_time: Some(at(30)) }
    }

    fn pump() -> Device {
        let mut speed = PropertyDefinition::new(ValueType::Float, Access::ReadWrite);
        speed.unit = Some("rpm".into());
        speed.range = Some(Range { min: 0.0, max: 3000.0 });
        let definition = DeviceDefinition {
            protocol: "modbus".into(),
            properties: [("speed".parse().unwrap(), speed)].into(),
            ..DeviceDefinition::default()
        };
        Device { definition, state: DeviceState::Online, state_since: Some(at(5)) }
    }

    #[test]
    fn a_twin_shows_every_part_and_what_follows_from_them() {
        let id: DeviceId = "pump".parse().unwrap();
        let device = pump();
        let (speed, gone): (PropertyName, PropertyName) = ("speed".parse().unwrap(), "gone".parse().unwrap());
        let value = |n| Value::float(n).unwrap();
        let desired =
            Desired { value: value(1200.0), set_by: "alice".into(), set_at: at(10), valid_until: None };
        let reported = Reported {
            value: Some(value(900.0)),
            quality: Quality::Bad(Why::DeviceUnreachable),
            source_time: None,
            gateway_time: Some(at(20)),
            outcome: Some(Outcome {
                part: Part::Desired,
                revision: Revision::new(4),
                value: value(1200.0),
                result: WriteResult::Failed { reason: "no answer".into(), retry_at: Some(at(50)) },
                at: at(21),
            }),
        };
        let parts = TwinParts {
            id: &id,
            device: stored(&device, 1),
            reported: [(&speed, stored(&reported, 9))].into(),
            overrides: BTreeMap::new(),
            desired: [(&speed, stored(&desired, 4)), (&gone, stored(&desired, 5))].into(),
            desired_revision: Revision::new(5),
        };
        insta::assert_json_snapshot!(parts.view(at(40)), @r#"
            {
              "device": {
                "id": "default/pump",
                "namespace": "default",
                "name": "pump",
                "protocol": "modbus",
                "state": "online",
                "state_since": 5,
                "properties": 1,
                "not_good": 1,
                "revision": 1
              },
              "desired_revision": 5,
              "properties": {
                "gone": {
                  "desired": {
                    "value": 1200.0,
                    "set_by": "alice",
                    "set_at": 10,
                    "revision": 5
                  },
                  "effective": {
                    "part": "desired",
                    "revision": 5,
                    "value": 1200.0
                  },
                  "convergence": {
                    "state": "pending"
                  }
                },
                "speed": {
                  "definition": {
                    "type": "float",
                    "access": "read_write",
                    "unit": "rpm",
                    "range": {
                      "min": 0.0,
                      "max": 3000.0
                    }
                  },
                  "reported": {
                    "value": 900.0,
                    "quality": "bad",
                    "why": "device_unreachable",
                    "gateway_time": 20,
                    "cloud_time": 30,
                    "revision": 9,
                    "outcome": {
                      "part": "desired",
                      "revision": 4,
                      "value": 1200.0,
                      "result": "failed",
                      "reason": "no answer",
                      "retry_at": 50,
                      "at": 21
                    }
                  },
                  "desired": {
                    "value": 1200.0,
                    "set_by": "alice",
                    "set_at": 10,
                    "revision": 4
                  },
                  "effective": {
                    "part": "desired",
                    "revision": 4,
                    "value": 1200.0
                  },
                  "convergence": {
                    "state": "failed",
                    "reason": "no answer",
                    "retry_at": 50
                  }
                }
              }
            }
            "#);
    }

    #[test]
    fn a_wish_that_ran_out_before_the_device_took_it_is_expired_and_one_that_was_taken_is_not() {
        let desired =
            Desired { value: Value::Int(1), set_by: "a".into(), set_at: at(0), valid_until: Some(at(10)) };
        let word = |result: Option<WriteResult>, now| {
            let reported = Reported {
                value: None,
                quality: Quality::Good,
                source_time: None,
                gateway_time: None,
                outcome: result.map(|result| Outcome {
                    part: Part::Desired,
                    revision: Revision::new(4),
                    value: Value::Int(1),
                    result,
                    at: at(1),
                }),
            };
            let parts = PropertyParts {
                reported: Some(stored(&reported, 2)),
                desired: Some(stored(&desired, 4)),
                ..PropertyParts::default()
            };
            serde_json::to_string(&parts.view(at(now)).convergence.state).unwrap()
        };
        assert_eq!(word(None, 9), "\"pending\"");
        assert_eq!(word(None, 10), "\"expired\"");
        assert_eq!(word(Some(WriteResult::Sent), 10), "\"expired\"");
        assert_eq!(word(Some(WriteResult::Applied), 10), "\"none\"");
    }
}
