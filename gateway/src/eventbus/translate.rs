//! Between the bodies of the MQTT contract and the service's own words. Pure.

use std::collections::BTreeMap;

use device_twin::memory::Wish;
use device_twin::{Report, ReportError, ReportedChange, Update};
use mapper_contract::property::Held;
use mapper_contract::{ContractError, Delta, PropertyTwin, Twin, TwinUpdate, WireValue, WriteOutcome};
use twin_core::{
    Access, DeviceDefinition, DeviceId, Override, Part, PropertyDefinition, PropertyName, Quality, Reported,
    Timestamp, TypeMismatch, Value, ValueType,
};
use twin_store::StoredTwin;

/// A body of `twin/update` in the service's words.
#[derive(Debug)]
pub struct Translated {
    /// What the mapper reports.
    pub report: Report,
    /// What a local application wants of properties (`expected`).
    pub wanted: Vec<(PropertyName, Value)>,
    /// Properties that the device gets by this message.
    pub defined: Vec<(PropertyName, PropertyDefinition)>,
}

/// Translates a body for a device whose definition is known.
///
/// # Errors
/// [`ContractError`] when it names a property that the device does not have, or a value is not of its type.
pub fn update(
    device: &DeviceId,
    definition: &DeviceDefinition,
    body: TwinUpdate,
    now: Timestamp,
) -> Result<Translated, ContractError> {
    let mut report = Report { device: device.clone(), properties: Vec::with_capacity(body.twin.len()) };
    let (mut wanted, mut defined) = (Vec::new(), Vec::new());
    for (name, property) in body.twin {
        let Some(twin) = property else {
            report.properties.push((name, Update::Deleted));
            continue;
        };
        let (value_type, define) = match definition.properties.get(&name) {
            Some(known) => (known.value_type, None),
            None if definition.protocol.is_empty() => {
                let value_type = twin.value_type.unwrap_or(ValueType::String);
                let new = PropertyDefinition::new(value_type, Access::ReadWrite);
                defined.push((name.clone(), new.clone()));
                (value_type, Some(new))
            }
            None => {
                return Err(ContractError::UnknownProperty { device: device.clone(), property: name });
            }
        };
        let wrong = |mismatch: TypeMismatch| ContractError::WrongType { property: name.clone(), mismatch };
        let quality = twin.quality_of_value();
        let value =
            twin.actual.as_ref().map(|held| held.value.decode(value_type)).transpose().map_err(wrong)?;
        let outcome = twin.outcome.as_ref().map(|o| o.decode(value_type, now)).transpose().map_err(wrong)?;
        if let Some(expected) = &twin.expected {
            wanted.push((name.clone(), expected.value.decode(value_type).map_err(wrong)?));
        }
        if quality.is_none() && outcome.is_none() && define.is_none() {
            continue;
        }
        let change = ReportedChange {
            value,
            quality: quality.unwrap_or(Quality::Good),
            source_time: twin.source_time,
            gateway_time: twin.actual.and_then(|held| held.timestamp),
            outcome,
            define,
        };
        report.properties.push((name, Update::Changed(change)));
    }
    Ok(Translated { report, wanted, defined })
}

/// An error of the service in the contract's words.
pub(super) fn refusal(error: ReportError) -> ContractError {
    match error {
        ReportError::UnknownDevice { device } => ContractError::UnknownDevice { device },
        ReportError::UnknownProperty { device, property } => {
            ContractError::UnknownProperty { device, property }
        }
        ReportError::Type { property, mismatch } => ContractError::WrongType { property, mismatch },
        ReportError::Unacceptable { property, why } => {
            ContractError::NotAcceptable { property, reason: why.to_string() }
        }
        ReportError::Stale { property, .. } => {
            ContractError::NotAcceptable { property, reason: "somebody else has changed it since".to_owned() }
        }
        error @ ReportError::NotStored { .. } => ContractError::Unavailable { reason: error.to_string() },
        ReportError::Stopping => ContractError::Unavailable { reason: "the gateway is stopping".to_owned() },
    }
}

/// What is reported of a property, as the contract shows it.
pub(super) fn shown(reported: &Reported, value_type: Option<ValueType>) -> PropertyTwin {
    PropertyTwin {
        actual: reported.value.as_ref().map(|v| Held { value: v.into(), timestamp: reported.gateway_time }),
        quality: Some(reported.quality.clone()),
        source_time: reported.source_time,
        outcome: reported.outcome.as_ref().map(WriteOutcome::from),
        value_type: value_type.or_else(|| reported.value.as_ref().map(Value::value_type)),
        ..PropertyTwin::default()
    }
}

/// A whole twin, as the contract shows it: every property that has a state.
pub(super) fn whole(stored: &StoredTwin, now: Timestamp) -> Twin {
    let mut twin: BTreeMap<PropertyName, PropertyTwin> = BTreeMap::new();
    let empty = DeviceDefinition::default();
    let definition = stored.device.as_ref().map_or(&empty, |(device, _)| &device.definition);
    let known = |name: &PropertyName| definition.properties.get(name);
    for (name, reported, _) in &stored.reported {
        twin.insert(name.clone(), shown(reported, known(name).map(|d| d.value_type)));
    }
    let names = stored.desired.iter().map(|(n, ..)| n).chain(stored.overrides.iter().map(|(n, ..)| n));
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let desired = stored.desired.iter().find(|(n, ..)| n == name).map(|(_, d, r)| (d, *r));
        let override_ = stored.overrides.iter().find(|(n, ..)| n == name).map(|(_, o, r)| (o, *r));
        let reported = stored.reported.iter().find(|(n, ..)| n == name).map(|(_, r, _)| r);
        let (tolerance, readable) = known(name).map_or((None, true), |d| (d.tolerance, d.access.readable()));
        let wishes = twin_core::Wishes { desired, override_ };
        let (effective, convergence) = wishes.standing(reported, tolerance, readable, now);
        let property = twin.entry(name.clone()).or_default();
        property.convergence = Some(convergence);
        property.value_type = property.value_type.or_else(|| known(name).map(|d| d.value_type));
        let Some(effective) = effective else { continue };
        let since = match effective.part {
            Part::Override => override_.map(|(o, _)| o.set_at),
            Part::Desired | Part::Reported | Part::Device | Part::Alarm => desired.map(|(d, _)| d.set_at),
        };
        property.expected = Some(Held { value: (&effective.value).into(), timestamp: since });
        property.part = Some(effective.part);
        property.revision = Some(effective.revision);
        property.until = effective.until;
    }
    twin.into_iter().map(|(name, property)| (name, Some(property))).collect()
}

/// What is to be written to a device, as its mapper reads it.
pub(super) fn delta(wishes: &[Wish], event_id: String, now: Timestamp) -> Delta {
    let wanted = wishes.iter().map(|wish| {
        let mut wanted = mapper_contract::Wanted::new(&wish.effective, wish.since);
        wanted.actual = wish
            .reported
            .as_ref()
            .map(|value| Held { value: WireValue::from(value), timestamp: wish.reported_at });
        (wish.property.clone(), wanted)
    });
    Delta { event_id, timestamp: now, wanted: wanted.collect() }
}

/// What a local application wants over MQTT is a local operator's override.
pub(super) fn override_of(value: Value, who: &str, now: Timestamp) -> Override {
    Override { value, set_by: who.to_owned(), set_at: now, expires_at: None }
}
