//! What is to be done to bring a configuration into force: decided here, done by the keeper.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Config, DeviceConfig, Diff, Gateway};
use twin_core::DeviceId;

pub(super) type Devices = BTreeMap<DeviceId, Arc<DeviceConfig>>;

/// The way from the configuration in force to the next.
pub(super) struct Steps {
    /// What differs.
    pub(super) diff: Diff,
    /// The devices that are the same in both: first these alone are served, so that nobody says the value of an old
    /// definition when the new one is declared.
    pub(super) same: Devices,
    /// All devices.
    pub(super) all: Devices,
}

/// Plans the way from `now` to `next`. The gateway's own settings are compared with those that it was `started` with.
pub(super) fn steps(started: &Gateway, now: &Devices, next: Config) -> Steps {
    let Config { gateway, devices } = next;
    let old = Config { gateway: started.clone(), devices: now.clone() };
    let new = Config { gateway, devices };
    let diff = Diff::between(&old, &new);
    let mut same = Devices::new();
    let mut all = Devices::new();
    for (id, device) in new.devices {
        // What is the same stays the same object, so that whoever compares needs not look inside.
        let device = match now.get(&id) {
            Some(old) if *old == device => {
                same.insert(id.clone(), Arc::clone(old));
                Arc::clone(old)
            }
            Some(_) | None => device,
        };
        all.insert(id, device);
    }
    Steps { diff, same, all }
}
