//! Changes that can be told apart: every value written in a run has a number of its own.

use fastrand::Rng;
use twin_core::{
    Change, Desired, Device, DeviceId, DeviceState, Key, Override, PropertyId, Quality, Reported, Timestamp,
    Value,
};

/// The documents that a run writes.
pub(super) struct Plant {
    devices: Vec<DeviceId>,
    properties: Vec<PropertyId>,
    next_serial: i64,
}

impl Plant {
    pub(super) fn new(devices: usize, properties_each: usize) -> Self {
        let devices: Vec<_> =
            (0..devices).map(|n| DeviceId::new("plant", &format!("pump{n}")).expect("a DNS label")).collect();
        let properties = devices
            .iter()
            .flat_map(|device| {
                (0..properties_each).map(|n| {
                    PropertyId::new(device.clone(), format!("p{n}").parse().expect("a property name"))
                })
            })
            .collect();
        Self { devices, properties, next_serial: 1 }
    }

    /// What the edge writes next: mostly one document, now and then the end of a device with all it has.
    pub(super) fn edge_changes(&mut self, rng: &mut Rng) -> Vec<Change> {
        let device = self.devices[rng.usize(..self.devices.len())].clone();
        let property = self.properties[rng.usize(..self.properties.len())].clone();
        match rng.u8(..24) {
            0 => {
                let mut gone = vec![Change::Device(device.clone(), None)];
                for id in self.properties.iter().filter(|id| id.device == device) {
                    gone.push(Change::Reported(id.clone(), None));
                    gone.push(Change::Override(id.clone(), None));
                }
                gone
            }
            1..=3 => vec![self.device(device)],
            4..=6 => vec![Change::Reported(property, None)],
            7 | 8 => vec![Change::Override(property, None)],
            9..=11 => vec![self.overriding(property)],
            _ => vec![self.reported(property)],
        }
    }

    /// What the cloud writes next.
    pub(super) fn cloud_change(&mut self, rng: &mut Rng) -> Change {
        let property = self.properties[rng.usize(..self.properties.len())].clone();
        if rng.u8(..4) == 0 { Change::Desired(property, None) } else { self.desired(property) }
    }

    pub(super) fn property(&self, n: usize) -> PropertyId {
        self.properties[n].clone()
    }

    fn serial(&mut self) -> i64 {
        self.next_serial += 1;
        self.next_serial
    }

    fn device(&mut self, id: DeviceId) -> Change {
        let state_since = Some(Timestamp::from_millis(self.serial()));
        Change::Device(id, Some(Device { state: DeviceState::Online, state_since, ..Device::default() }))
    }

    pub(super) fn reported(&mut self, id: PropertyId) -> Change {
        let reported = Reported {
            value: Some(Value::Int(self.serial())),
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: None,
        };
        Change::Reported(id, Some(reported))
    }

    fn overriding(&mut self, id: PropertyId) -> Change {
        let value = Value::Int(self.serial());
        let set_at = Timestamp::default();
        Change::Override(id, Some(Override { value, set_by: "operator".into(), set_at, expires_at: None }))
    }

    fn desired(&mut self, id: PropertyId) -> Change {
        let value = Value::Int(self.serial());
        let set_at = Timestamp::default();
        Change::Desired(id, Some(Desired { value, set_by: "planner".into(), set_at, valid_until: None }))
    }
}

/// The number of the value; none for a deletion.
pub(super) fn serial(change: &Change) -> Option<i64> {
    let value = match change {
        Change::Device(_, device) => return device.as_ref()?.state_since.map(Timestamp::as_millis),
        Change::Reported(_, reported) => reported.as_ref()?.value.as_ref()?,
        Change::Override(_, wanted) => &wanted.as_ref()?.value,
        Change::Desired(_, wanted) => &wanted.as_ref()?.value,
        Change::Alarm(_, alarm) => alarm.as_ref()?.value.as_ref()?,
    };
    if let Value::Int(serial) = value { Some(*serial) } else { None }
}

/// A document in a few characters.
pub(super) fn brief(key: &Key) -> String {
    format!("{:?}:{}/{}", key.part(), key.device().name(), key.property())
}
