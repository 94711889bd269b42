mod crash;
mod desired;
mod model;
mod pages;
mod reads;

use std::sync::Arc;

use twin_core::replica::{Commit, Effect, Followed, Limits, Replica, Stored};
use twin_core::{
    Access, Change, Cursor, Desired, Device, DeviceDefinition, DeviceId, DeviceState, Entry, Incarnation,
    NodeName, PropertyDefinition, PropertyId, Quality, Range, Reported, Revision, Side, Timestamp, Value,
    ValueType,
};

use crate::CloudStore;

async fn open(dir: &tempfile::TempDir) -> CloudStore {
    CloudStore::open(dir.path(), Incarnation::new(77)).await.unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn device(n: usize) -> DeviceId {
    format!("pump-{n}").parse().unwrap()
}

fn property(n: usize) -> PropertyId {
    PropertyId::new(device(n / 3), ["speed", "pressure", "mode"][n % 3].parse().unwrap())
}

fn cursor(incarnation: u64, revision: u64) -> Cursor {
    Cursor { incarnation: Incarnation::new(incarnation), revision: Revision::new(revision) }
}

fn entry(revision: u64, change: Change) -> Entry {
    Entry { revision: Revision::new(revision), change }
}

/// A commit with what a test wants in it: only a replica makes tokens.
fn commit(followed: Vec<Followed>) -> Commit {
    let mut replica = Replica::new(Side::Cloud, Incarnation::new(77), &Stored::default(), Limits::default());
    let Some(Effect::Commit(commit)) = replica.poll_effect() else { panic!("a new replica records itself") };
    Commit { followed, ..commit.as_ref().clone() }
}

fn apply(entries: Vec<Entry>, to: u64) -> Arc<Commit> {
    Arc::new(commit(vec![Followed::Apply { entries, cursor: cursor(5, to) }]))
}

fn pump(n: usize, state: DeviceState) -> Change {
    let mut speed = PropertyDefinition::new(ValueType::Int, Access::ReadWrite);
    speed.range = Some(Range { min: 0.0, max: 100.0 });
    let mut mode = PropertyDefinition::new(ValueType::String, Access::ReadWrite);
    mode.one_of = vec![Value::String("auto".into()), Value::String("manual".into())];
    let pressure = PropertyDefinition::new(ValueType::Float, Access::Read);
    let definition = DeviceDefinition {
        protocol: if n == 0 { "modbus" } else { "opcua" }.into(),
        labels: [("line.1".to_owned(), format!("\"{n}\""))].into(),
        properties: [("speed", speed), ("mode", mode), ("pressure", pressure)]
            .into_iter()
            .map(|(name, definition)| (name.parse().unwrap(), definition))
            .collect(),
        ..DeviceDefinition::default()
    };
    Change::Device(device(n), Some(Device { definition, state, state_since: None }))
}

fn reported(n: usize, value: i64, quality: Quality) -> Change {
    let reported = Reported {
        value: Some(Value::Int(value)),
        quality,
        source_time: None,
        gateway_time: None,
        outcome: None,
    };
    Change::Reported(property(n), Some(reported))
}

fn wish(value: Value) -> Desired {
    Desired { value, set_by: "alice".into(), set_at: Timestamp::default(), valid_until: None }
}
