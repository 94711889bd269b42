//! What mappers say.

use std::time::Duration;

use twin_core::{
    Access, Change, DeviceDefinition, DeviceId, DeviceState, PropertyDefinition, PropertyId, PropertyName,
    Quality, Reported, Timestamp, Why,
};

use super::{Changes, Difference, Memory, never_read};
use crate::command::{Report, ReportError, ReportedChange, Update};

impl Memory {
    /// Merges a report into the twins: all of it or nothing.
    ///
    /// # Errors
    /// [`ReportError`] with the first fault.
    pub fn report(
        &mut self,
        report: Report,
        now: Timestamp,
    ) -> Result<(Changes, Vec<Difference>), ReportError> {
        let Report { device, properties } = report;
        let Some(twin) = self.twins.get_mut(&device) else {
            return Err(ReportError::UnknownDevice { device });
        };
        let definition = &mut twin.device.definition;
        let mut defined = Vec::new();
        for (name, update) in &properties {
            check(&device, definition, name, update, &mut defined)?;
        }
        let mut changes = Vec::new();
        if !defined.is_empty() {
            definition.properties.extend(defined);
            changes.push(Change::Device(device.clone(), Some(twin.device.clone())));
        }
        let mut differences = Vec::with_capacity(properties.len());
        for (name, update) in properties {
            let id = PropertyId::new(device.clone(), name.clone());
            let property = twin.properties.entry(name.clone()).or_default();
            let before = property.reported.take();
            let after = match update {
                Update::Changed(change) => {
                    let defined = twin.device.definition.properties.get(&name);
                    if change.value.is_some() {
                        property.clock_set_ms = 0;
                    }
                    let after = merge(before.clone(), change, defined, now);
                    if !property.aging
                        && after.quality.is_good()
                        && let Some(limit) = defined.and_then(|d| d.stale_after_ms)
                    {
                        let read_at = after.gateway_time.unwrap_or(now);
                        property.aging = true;
                        self.ages.insert((read_at.after(Duration::from_millis(limit)), id.clone()));
                    }
                    Some(after)
                }
                Update::Deleted => {
                    if twin.device.definition.protocol.is_empty() {
                        twin.device.definition.properties.remove(&name);
                        changes.push(Change::Device(device.clone(), Some(twin.device.clone())));
                    }
                    if property.override_.take().is_some() {
                        changes.push(Change::Override(id.clone(), None));
                    }
                    None
                }
            };
            property.reported.clone_from(&after);
            if after.is_none() && before.is_none() {
                differences.push((name, None, None));
                continue;
            }
            changes.push(Change::Reported(id, after.clone()));
            differences.push((name, before, after));
        }
        Ok((changes, differences))
    }

    /// Stores whether a device answers. One that does not turns its good properties bad, with their old time.
    ///
    /// # Errors
    /// [`ReportError::UnknownDevice`].
    pub fn state(
        &mut self,
        device: &DeviceId,
        state: DeviceState,
        now: Timestamp,
    ) -> Result<(Changes, Timestamp), ReportError> {
        let Some(twin) = self.twins.get_mut(device) else {
            return Err(ReportError::UnknownDevice { device: device.clone() });
        };
        let mut changes = Vec::new();
        if twin.device.state != state || twin.device.state_since.is_none() {
            twin.device.state = state;
            twin.device.state_since = Some(now);
            changes.push(Change::Device(device.clone(), Some(twin.device.clone())));
        }
        if state == DeviceState::Offline {
            for (name, property) in &mut twin.properties {
                if let Some(reported) = property.reported.as_mut().filter(|r| r.quality.is_good()) {
                    reported.quality = Quality::Bad(Why::DeviceUnreachable);
                    let id = PropertyId::new(device.clone(), name.clone());
                    changes.push(Change::Reported(id, Some(reported.clone())));
                }
            }
        }
        Ok((changes, twin.device.state_since.unwrap_or(now)))
    }
}

/// Checks one property of a report against the definition; a property that is new to a device without a protocol of ours
/// is added to `defined`.
fn check(
    device: &DeviceId,
    definition: &DeviceDefinition,
    name: &PropertyName,
    update: &Update,
    defined: &mut Vec<(PropertyName, PropertyDefinition)>,
) -> Result<(), ReportError> {
    let unknown = || ReportError::UnknownProperty { device: device.clone(), property: name.clone() };
    let Update::Changed(change) = update else {
        return if definition.properties.contains_key(name) { Ok(()) } else { Err(unknown()) };
    };
    let wanted = match definition.properties.get(name) {
        Some(property) => property.value_type,
        None if definition.protocol.is_empty() => {
            let string = || PropertyDefinition::new(twin_core::ValueType::String, Access::ReadWrite);
            let new = change.define.clone().unwrap_or_else(string);
            let value_type = new.value_type;
            defined.push((name.clone(), new));
            value_type
        }
        None => return Err(unknown()),
    };
    match &change.value {
        Some(value) if value.value_type() != wanted => Err(ReportError::Type {
            property: name.clone(),
            mismatch: twin_core::TypeMismatch {
                found: value.to_string().chars().take(80).collect(),
                wanted,
                rule: "the definition of the property says its type",
            },
        }),
        Some(_) | None => Ok(()),
    }
}

/// The new state of a property. A quality without a value leaves value and times as they were: the last value stays,
/// marked, and does not look fresh.
fn merge(
    before: Option<Reported>,
    change: ReportedChange,
    definition: Option<&PropertyDefinition>,
    now: Timestamp,
) -> Reported {
    let mut reported = before.unwrap_or_else(never_read);
    if let Some(value) = change.value {
        let in_range = definition.is_none_or(|d| d.check_value(&value).is_ok());
        reported.value = Some(value);
        reported.source_time = change.source_time;
        reported.gateway_time = Some(change.gateway_time.filter(|t| *t <= now).unwrap_or(now));
        let out_of_range = change.quality.is_good() && !in_range;
        reported.quality = if out_of_range { Quality::Bad(Why::OutOfRange) } else { change.quality };
    } else if !change.quality.is_good() {
        reported.quality = change.quality;
    }
    if change.outcome.is_some() {
        reported.outcome = change.outcome;
    }
    reported
}
