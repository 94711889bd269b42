//! What is wanted of devices: overrides, and what is to be written.

use twin_core::{
    Change, Convergence, DeviceId, Effective, Override, Part, PropertyId, PropertyName, Revision, Timestamp,
    WriteResult, convergence,
};

use super::{Changes, Memory, Wish, never_read};
use crate::command::{OverrideRequest, ReportError};

impl Memory {
    /// Checks that an override may be set or released; gives the change, or none when nothing would change.
    ///
    /// # Errors
    /// [`ReportError`] when the device, the property, the value or the expected revision is wrong.
    pub fn check_override(&self, request: &OverrideRequest) -> Result<Option<Change>, ReportError> {
        let PropertyId { device, property } = &request.id;
        let Some(twin) = self.twins.get(device) else {
            return Err(ReportError::UnknownDevice { device: device.clone() });
        };
        let Some(definition) = twin.device.definition.properties.get(property) else {
            return Err(ReportError::UnknownProperty { device: device.clone(), property: property.clone() });
        };
        if let Some(set) = &request.set {
            let refuse = |why| ReportError::Unacceptable { property: property.clone(), why };
            definition.check_wanted(&set.value).map_err(refuse)?;
            if let Some(guard) = &definition.guard {
                let reported = twin.properties.get(property).and_then(|p| p.reported.as_ref());
                guard.check_step_if_known(&set.value, reported).map_err(|no| refuse(no.into()))?;
            }
        }
        let there = twin.properties.get(property).and_then(|p| p.override_.as_ref());
        let found = there.map_or(Revision::ZERO, |(_, revision)| *revision);
        if let Some(expected) = request.if_match
            && expected != found
        {
            return Err(ReportError::Stale { property: property.clone(), expected, found });
        }
        let changes = request.set.is_some() || there.is_some();
        Ok(changes.then(|| Change::Override(request.id.clone(), request.set.clone())))
    }

    /// Takes note of the revision that an override has been given.
    pub fn note_override(&mut self, id: &PropertyId, set: Option<Override>, revision: Revision) {
        if let Some(until) = set.as_ref().and_then(|o| o.expires_at) {
            self.expiries.insert((until, id.clone()));
        }
        if let Some(twin) = self.twins.get_mut(&id.device) {
            twin.properties.entry(id.property.clone()).or_default().override_ = set.map(|o| (o, revision));
        }
    }

    /// What is to be written to a device at `now`: what it should hold, does not, and has not answered for good.
    #[must_use]
    pub fn wishes(&self, device: &DeviceId, now: Timestamp) -> Vec<Wish> {
        let Some(twin) = self.twins.get(device) else { return Vec::new() };
        twin.properties
            .iter()
            .filter_map(|(name, property)| {
                let definition = twin.device.definition.properties.get(name)?;
                let effective = property.effective(now)?;
                let converged = convergence(
                    Some(&effective),
                    property.reported.as_ref(),
                    definition.tolerance,
                    definition.access.readable(),
                );
                let open = match converged {
                    Convergence::Pending | Convergence::Sent | Convergence::Failed { .. } => true,
                    Convergence::None
                    | Convergence::InSync
                    | Convergence::Refused { .. }
                    | Convergence::Expired
                    | Convergence::Drifted => false,
                };
                let open = open && (definition.guard.is_none() || self.is_let_out(device, name, &effective));
                let since = match effective.part {
                    Part::Override => property.override_.as_ref().map(|(o, _)| o.set_at),
                    Part::Desired | Part::Reported | Part::Device | Part::Alarm => {
                        property.desired.as_ref().map(|(d, _)| d.set_at)
                    }
                };
                let reported = property.reported.as_ref().and_then(|r| r.value.clone());
                let reported_at = property.reported.as_ref().and_then(|r| r.gateway_time);
                open.then(|| Wish { property: name.clone(), effective, since, reported, reported_at })
            })
            .collect()
    }

    fn is_let_out(&self, device: &DeviceId, name: &PropertyName, effective: &Effective) -> bool {
        self.guards.is_out(&PropertyId::new(device.clone(), name.clone()), effective)
    }

    /// Whether a change of what is reported can change what is to be written: only where something is wanted.
    #[must_use]
    pub fn is_wanted(&self, device: &DeviceId) -> bool {
        self.twins
            .get(device)
            .is_some_and(|t| t.properties.values().any(|p| p.desired.is_some() || p.override_.is_some()))
    }

    /// Refuses, in the device's name, what the cloud wants and the edge's definition does not allow: the definition may
    /// have changed after the cloud checked it.
    pub fn refuse_unacceptable(&mut self, device: &DeviceId, now: Timestamp) -> Changes {
        let Some(twin) = self.twins.get_mut(device) else { return Vec::new() };
        let mut changes = Vec::new();
        for (name, property) in &mut twin.properties {
            let Some(effective) = property.effective(now) else { continue };
            let why = match twin.device.definition.properties.get(name) {
                Some(definition) => match definition.check_wanted(&effective.value) {
                    Ok(()) => continue,
                    Err(why) => why.to_string(),
                },
                None => format!("device {device} has no property {name}"),
            };
            let answered = property.reported.as_ref().and_then(|r| r.outcome.as_ref()).is_some_and(|o| {
                (o.part, o.revision) == (effective.part, effective.revision) && o.value == effective.value
            });
            if answered {
                continue;
            }
            let mut reported = property.reported.clone().unwrap_or_else(never_read);
            reported.outcome = Some(twin_core::Outcome {
                part: effective.part,
                revision: effective.revision,
                value: effective.value,
                result: WriteResult::Refused { reason: why },
                at: now,
            });
            property.reported = Some(reported.clone());
            changes.push(Change::Reported(PropertyId::new(device.clone(), name.clone()), Some(reported)));
        }
        changes
    }
}
