//! Which devices there are.

use std::collections::BTreeMap;

use twin_core::{Change, DeviceDefinition, DeviceId, PropertyId, PropertyName, Quality, Why};

use super::{Changes, Memory};

impl Memory {
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
        let twins = &self.twins;
        self.guards
            .retain(|id| twins.get(&id.device).is_some_and(|t| t.properties.contains_key(&id.property)));
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
}
