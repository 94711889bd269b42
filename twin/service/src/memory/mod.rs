//! The twins as the service knows them, and every decision it takes. Pure: no clock, no store.
//!
//! Bounded by the configuration: one state for each property of each device.

mod ages;
mod alarms;
mod anew;
mod declare;
mod guards;
mod report;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use twin_core::replica::{Commit, Followed};
use twin_core::{
    Change, Desired, Device, DeviceId, Effective, Entry, Override, PropertyId, PropertyName, Quality,
    Reported, Revision, Timestamp, Value, Why, effective,
};

/// Something that is to be written to a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The property.
    pub property: PropertyName,
    /// What it should hold, by whose word and until when.
    pub effective: Effective,
    /// Since when that is wanted.
    pub since: Option<Timestamp>,
    /// What it holds.
    pub reported: Option<Value>,
    /// When the gateway took that.
    pub reported_at: Option<Timestamp>,
}

/// All that is known of one property.
#[derive(Debug, Clone, Default)]
struct Property {
    reported: Option<Reported>,
    override_: Option<(Override, Revision)>,
    desired: Option<(Desired, Revision)>,
    /// Whether `Memory::ages` holds a moment for it.
    aging: bool,
    /// By how much the clock was set since it was read, in milliseconds.
    clock_set_ms: i64,
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
    /// When the age of a value is to be looked at next: at most one moment for each property that can get stale. A fresh
    /// value does not move it; it is looked at, found fresh, and set anew.
    ages: BTreeSet<(Timestamp, PropertyId)>,
    /// What the cloud wants of devices that are not declared (yet).
    orphans: HashMap<PropertyId, (Desired, Revision)>,
    guards: guards::Guards,
    alarms: alarms::Alarms,
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
            Change::Alarm(id, body) => self.alarms.take(id, body),
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
