//! The twins as the service knows them, and every decision it takes. Pure: no clock, no store.
//!
//! Bounded by the configuration: one state for each property of each device.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use twin_core::replica::{Commit, Followed};
use twin_core::{
    Access, Change, Convergence, Desired, Device, DeviceDefinition, DeviceId, DeviceState, Effective, Entry,
    Override, PropertyDefinition, PropertyId, PropertyName, Quality, Reported, Revision, Timestamp, Value,
    Why, WriteResult, convergence, effective,
};

use crate::command::{OverrideRequest, Report, ReportError, ReportedChange, Update};

/// Something that is to be written to a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The property.
    pub property: PropertyName,
    /// What it should hold, by whose word and until when.
    pub effective: Effective,
    /// What it holds.
    pub reported: Option<Value>,
}

/// All that is known of one property.
#[derive(Debug, Clone, Default)]
struct Property {
    reported: Option<Reported>,
    override_: Option<(Override, Revision)>,
    desired: Option<(Desired, Revision)>,
}

#[derive(Debug, Clone, Default)]
struct Twin {
    device: Device,
    properties: BTreeMap<PropertyName, Property>,
}

/// The changes that a request makes, for the replica to write.
pub type Changes = Vec<Change>;

/// Before and after of one property.
pub type Difference = (PropertyName, Option<Reported>, Option<Reported>);

/// All twins.
#[derive(Debug, Default)]
pub struct Memory {
    twins: HashMap<DeviceId, Twin>,
    /// When the effective value of a property changes by itself.
    expiries: BTreeSet<(Timestamp, PropertyId)>,
    /// What the cloud wants of devices that are not declared (yet).
    orphans: HashMap<PropertyId, (Desired, Revision)>,
}

impl Memory {
    /// Takes what the store holds at the start.
    pub fn restore(&mut self, entries: Vec<Entry>) {
        let (devices, others): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|e| matches!(e.change, Change::Device(..)));
        for entry in devices.into_iter().chain(others) {
            self.take(entry);
        }
    }

    fn take(&mut self, Entry { revision, change }: Entry) {
        match change {
            Change::Device(id, Some(device)) => self.twins.entry(id).or_default().device = device,
            Change::Device(id, None) => drop(self.twins.remove(&id)),
            Change::Reported(id, body) => {
                if let Some(twin) = self.twins.get_mut(&id.device) {
                    twin.properties.entry(id.property).or_default().reported = body;
                }
            }
            Change::Override(id, body) => {
                if let Some(until) = body.as_ref().and_then(|o| o.expires_at) {
                    self.expiries.insert((until, id.clone()));
                }
                if let Some(twin) = self.twins.get_mut(&id.device) {
                    twin.properties.entry(id.property).or_default().override_ = body.map(|o| (o, revision));
                }
            }
            Change::Desired(id, body) => {
                if let Some(until) = body.as_ref().and_then(|d| d.valid_until) {
                    self.expiries.insert((until, id.clone()));
                }
                match self.twins.get_mut(&id.device) {
                    Some(twin) => {
                        twin.properties.entry(id.property).or_default().desired = body.map(|d| (d, revision));
                    }
                    None => match body {
                        Some(desired) => drop(self.orphans.insert(id, (desired, revision))),
                        None => drop(self.orphans.remove(&id)),
                    },
                }
            }
        }
    }

    /// Takes what came from the cloud; gives the devices it touches.
    pub fn handle_followed(&mut self, commit: &Commit, staged: &[Entry]) -> BTreeSet<DeviceId> {
        let mut touched = BTreeSet::new();
        for step in &commit.followed {
            match step {
                Followed::Apply { entries, .. } => {
                    for entry in entries {
                        touched.insert(entry.change.key().device().clone());
                        self.take(entry.clone());
                    }
                }
                Followed::ResetBegin | Followed::Stage { .. } => {}
                Followed::ResetEnd { .. } => {
                    self.orphans.clear();
                    for (id, twin) in &mut self.twins {
                        touched.insert(id.clone());
                        for property in twin.properties.values_mut() {
                            property.desired = None;
                        }
                    }
                    for entry in staged {
                        self.take(entry.clone());
                    }
                }
            }
        }
        touched
    }

    /// Says which devices there are. New ones begin as unknown; those no longer named are deleted with all they hold;
    /// what is not there any more in a definition is deleted too.
    pub fn declare(&mut self, devices: BTreeMap<DeviceId, DeviceDefinition>) -> Changes {
        let mut changes = Vec::new();
        let gone: Vec<DeviceId> =
            self.twins.keys().filter(|id| !devices.contains_key(*id)).cloned().collect();
        for id in gone {
            let twin = self.twins.remove(&id).unwrap_or_default();
            for (name, property) in twin.properties {
                let pid = PropertyId::new(id.clone(), name);
                if property.reported.is_some() {
                    changes.push(Change::Reported(pid.clone(), None));
                }
                if property.override_.is_some() {
                    changes.push(Change::Override(pid.clone(), None));
                }
                if let Some(desired) = property.desired {
                    self.orphans.insert(pid, desired);
                }
            }
            changes.push(Change::Device(id, None));
        }
        for (id, mut definition) in devices {
            let known = self.twins.contains_key(&id);
            let twin = self.twins.entry(id.clone()).or_default();
            if definition.protocol.is_empty() {
                // Properties that an outside mapper has brought stay, unless the configuration now says otherwise.
                for (name, dynamic) in &twin.device.definition.properties {
                    definition.properties.entry(name.clone()).or_insert_with(|| dynamic.clone());
                }
            }
            let undefined: Vec<PropertyName> = twin
                .properties
                .keys()
                .filter(|name| !definition.properties.contains_key(*name))
                .cloned()
                .collect();
            for name in undefined {
                let Some(property) = twin.properties.remove(&name) else { continue };
                let pid = PropertyId::new(id.clone(), name);
                if property.reported.is_some() {
                    changes.push(Change::Reported(pid.clone(), None));
                }
                if property.override_.is_some() {
                    changes.push(Change::Override(pid.clone(), None));
                }
                if let Some(desired) = property.desired {
                    self.orphans.insert(pid, desired);
                }
            }
            if !known || twin.device.definition != definition {
                twin.device.definition = definition;
                changes.push(Change::Device(id.clone(), Some(twin.device.clone())));
            }
        }
        self.adopt_orphans();
        changes
    }

    /// Gives desired values that came before their device to it.
    fn adopt_orphans(&mut self) {
        let found: Vec<PropertyId> =
            self.orphans.keys().filter(|id| self.twins.contains_key(&id.device)).cloned().collect();
        for id in found {
            if let (Some(desired), Some(twin)) = (self.orphans.remove(&id), self.twins.get_mut(&id.device)) {
                twin.properties.entry(id.property).or_default().desired = Some(desired);
            }
        }
    }

    /// At the start nothing that was read before is known to hold still: good values become uncertain until their
    /// mapper reads them again.
    pub fn doubt_everything(&mut self) -> Changes {
        let mut changes = Vec::new();
        for (id, twin) in &mut self.twins {
            for (name, property) in &mut twin.properties {
                if let Some(reported) = property.reported.as_mut().filter(|r| r.quality.is_good()) {
                    reported.quality = Quality::Uncertain(Why::NotReadYet);
                    let id = PropertyId::new(id.clone(), name.clone());
                    changes.push(Change::Reported(id, Some(reported.clone())));
                }
            }
        }
        changes
    }

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
                    let range = twin.device.definition.properties.get(&name);
                    Some(merge(before.clone(), change, range, now))
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

    /// Sets or releases an override.
    ///
    /// # Errors
    /// [`ReportError`] when the device, the property, the value or the expected revision is wrong.
    pub fn set_override(&mut self, request: &OverrideRequest) -> Result<Changes, ReportError> {
        let PropertyId { device, property } = &request.id;
        let Some(twin) = self.twins.get_mut(device) else {
            return Err(ReportError::UnknownDevice { device: device.clone() });
        };
        let Some(definition) = twin.device.definition.properties.get(property) else {
            return Err(ReportError::UnknownProperty { device: device.clone(), property: property.clone() });
        };
        if let Some(set) = &request.set {
            let refuse = |why| ReportError::Unacceptable { property: property.clone(), why };
            definition.check_wanted(&set.value).map_err(refuse)?;
        }
        let state = twin.properties.entry(property.clone()).or_default();
        let found = state.override_.as_ref().map_or(Revision::ZERO, |(_, revision)| *revision);
        if let Some(expected) = request.if_match
            && expected != found
        {
            return Err(ReportError::Stale { property: property.clone(), expected, found });
        }
        if request.set.is_none() && state.override_.is_none() {
            return Ok(Vec::new());
        }
        if let Some(until) = request.set.as_ref().and_then(|o| o.expires_at) {
            self.expiries.insert((until, request.id.clone()));
        }
        Ok(vec![Change::Override(request.id.clone(), request.set.clone())])
    }

    /// Takes note of the revision that an override has been given.
    pub fn note_override(&mut self, id: &PropertyId, set: Option<Override>, revision: Revision) {
        if let Some(twin) = self.twins.get_mut(&id.device) {
            twin.properties.entry(id.property.clone()).or_default().override_ = set.map(|o| (o, revision));
        }
    }

    /// When something expires next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Lets what has run out at `now` expire: an override is deleted, for it is the edge's own. Gives the devices whose
    /// effective values may have changed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> (Changes, BTreeSet<DeviceId>) {
        let mut changes = Vec::new();
        let mut touched = BTreeSet::new();
        while let Some((at, id)) = self.expiries.pop_first() {
            if at > now {
                self.expiries.insert((at, id));
                break;
            }
            touched.insert(id.device.clone());
            let property = self.twins.get_mut(&id.device).and_then(|t| t.properties.get_mut(&id.property));
            if let Some(property) = property
                && property.override_.as_ref().is_some_and(|(o, _)| o.expires_at.is_some_and(|at| at <= now))
            {
                property.override_ = None;
                changes.push(Change::Override(id, None));
            }
        }
        (changes, touched)
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
                let reported = property.reported.as_ref().and_then(|r| r.value.clone());
                open.then(|| Wish { property: name.clone(), effective, reported })
            })
            .collect()
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

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.twins.keys()
    }
}

impl Property {
    fn effective(&self, now: Timestamp) -> Option<Effective> {
        let desired = self.desired.as_ref().map(|(d, r)| (d, *r));
        let override_ = self.override_.as_ref().map(|(o, r)| (o, *r));
        effective(desired, override_, now)
    }
}

fn never_read() -> Reported {
    Reported {
        value: None,
        quality: Quality::Bad(Why::NotReadYet),
        source_time: None,
        gateway_time: None,
        outcome: None,
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
