//! Everything in memory, for a database that is made anew.

use twin_core::{Change, Entry, Part, PropertyId, Revision};

use super::{Changes, Memory};

impl Memory {
    /// The devices.
    #[must_use]
    pub fn all_devices(&self) -> Changes {
        let device = |(id, twin): (&twin_core::DeviceId, &super::Twin)| {
            Change::Device(id.clone(), Some(twin.device.clone()))
        };
        self.twins.iter().map(device).collect()
    }

    /// What local operators want.
    #[must_use]
    pub fn all_overrides(&self) -> Vec<(PropertyId, twin_core::Override)> {
        self.properties().filter_map(|(id, property)| Some((id, property.override_.clone()?.0))).collect()
    }

    /// What is reported.
    #[must_use]
    pub fn all_reported(&self) -> Changes {
        let reported = |(id, property): (PropertyId, &super::Property)| {
            property.reported.clone().map(|reported| Change::Reported(id, Some(reported)))
        };
        self.properties().filter_map(reported).collect()
    }

    /// What the cloud wants, also of devices that are not declared.
    #[must_use]
    pub fn all_desired(&self) -> Vec<Entry> {
        let known = self.properties().filter_map(|(id, property)| Some((id, property.desired.clone()?)));
        let orphans = self.orphans.iter().map(|(id, desired)| (id.clone(), desired.clone()));
        known
            .chain(orphans)
            .map(|(id, (desired, revision))| Entry { revision, change: Change::Desired(id, Some(desired)) })
            .collect()
    }

    /// Gives an override another revision. What the device has answered to it, it has answered all the same.
    pub fn renumber_override(&mut self, id: &PropertyId, revision: Revision) {
        let property = self.twins.get_mut(&id.device).and_then(|t| t.properties.get_mut(&id.property));
        let Some(property) = property else { return };
        let Some((_, number)) = &mut property.override_ else { return };
        let before = std::mem::replace(number, revision);
        if let Some(outcome) = property.reported.as_mut().and_then(|reported| reported.outcome.as_mut())
            && (outcome.part, outcome.revision) == (Part::Override, before)
        {
            outcome.revision = revision;
        }
    }

    fn properties(&self) -> impl Iterator<Item = (PropertyId, &super::Property)> {
        self.twins.iter().flat_map(|(device, twin)| {
            twin.properties
                .iter()
                .map(|(name, property)| (PropertyId::new(device.clone(), name.clone()), property))
        })
    }
}
