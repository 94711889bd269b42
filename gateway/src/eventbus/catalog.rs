//! The definitions of the devices, as the bus needs them to read values: a copy, renewed from what is committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;
use twin_core::replica::Commit;
use twin_core::{Change, DeviceDefinition, DeviceId, PropertyDefinition, PropertyName};

#[derive(Debug, Default)]
pub(super) struct Catalog {
    devices: RwLock<HashMap<DeviceId, Arc<DeviceDefinition>>>,
    /// Rings after every commit.
    changed: Notify,
}

impl Catalog {
    pub(super) fn get(&self, device: &DeviceId) -> Option<Arc<DeviceDefinition>> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).get(device).cloned()
    }

    pub(super) fn put(&self, device: DeviceId, definition: DeviceDefinition) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        devices.insert(device, Arc::new(definition));
    }

    /// Adds what a message has defined, so that the next message of the same sender finds it.
    pub(super) fn extend(&self, device: &DeviceId, defined: Vec<(PropertyName, PropertyDefinition)>) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(definition) = devices.get_mut(device) {
            Arc::make_mut(definition).properties.extend(defined);
        }
    }

    pub(super) fn handle_committed(&self, commit: &Commit) {
        for entry in &commit.authored {
            match &entry.change {
                Change::Device(id, Some(device)) => self.put(id.clone(), device.definition.clone()),
                Change::Device(id, None) => {
                    self.devices.write().unwrap_or_else(PoisonError::into_inner).remove(id);
                }
                Change::Reported(..) | Change::Override(..) | Change::Desired(..) | Change::Alarm(..) => {}
            }
        }
        self.changed.notify_waiters();
    }

    /// Takes these for all that there are.
    pub(super) fn renew(&self, devices: impl Iterator<Item = (DeviceId, DeviceDefinition)>) {
        let devices = devices.map(|(id, definition)| (id, Arc::new(definition))).collect();
        *self.devices.write().unwrap_or_else(PoisonError::into_inner) = devices;
        self.changed.notify_waiters();
    }

    /// Returns when these definitions, and no other devices, are known.
    pub(super) async fn until_known(&self, definitions: &BTreeMap<DeviceId, DeviceDefinition>) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.knows(definitions) {
                return;
            }
            changed.await;
        }
    }

    fn knows(&self, definitions: &BTreeMap<DeviceId, DeviceDefinition>) -> bool {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.len() == definitions.len()
            && definitions.iter().all(|(id, wanted)| {
                // To a device of an outside mapper that mapper may have added properties.
                devices.get(id).is_some_and(|known| wanted.protocol.is_empty() || **known == *wanted)
            })
    }
}
