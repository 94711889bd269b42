//! A driver for devices that exist in memory only, and a broker to run its mapper against.

pub(crate) mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use config::{Check, DeviceConfig, NoSecrets, Protocol, Source, load};
use mapper_sdk::{Driver, Fault, LaneKey, Sample, Session};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::Value;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    name: String,
    #[serde(default)]
    lane: String,
}
impl Check for Link {}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Point {
    n: u16,
}
impl Check for Point {}

/// All devices there are.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) values: BTreeMap<(String, u16), Value>,
    pub(crate) dead: BTreeSet<String>,
    pub(crate) panics_at_read: BTreeSet<String>,
    pub(crate) panics_at_write: BTreeSet<String>,
    pub(crate) writes: Vec<(String, u16, Value)>,
    /// How often each device was connected.
    pub(crate) connections: BTreeMap<String, u32>,
    /// How often each device was read.
    pub(crate) reads: BTreeMap<String, u32>,
}

impl World {
    /// How often a device was connected or read.
    pub(crate) fn asked(&self, device: &str) -> u32 {
        [&self.connections, &self.reads].into_iter().filter_map(|counts| counts.get(device)).sum()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Fake {
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A panic of the driver is part of the tests.
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set(&self, device: &str, n: u16, value: Value) {
        self.world().values.insert((device.into(), n), value);
    }
}

pub(crate) struct FakeSession {
    name: String,
    fake: Fake,
}

impl FakeSession {
    async fn answers(&self) -> Result<(), Fault> {
        if self.fake.world().dead.contains(&self.name) {
            let time_out = Duration::from_millis(20);
            tokio::time::sleep(time_out).await;
            return Err(Fault::TimedOut(time_out));
        }
        Ok(())
    }
}

impl Driver for Fake {
    const PROTOCOL: &'static str = "fake";
    type Link = Link;
    type Point = Point;
    type Session = FakeSession;

    fn lane(&self, link: &Link) -> LaneKey {
        LaneKey::new(if link.lane.is_empty() { &link.name } else { &link.lane })
    }

    async fn connect(&self, link: &Link) -> Result<FakeSession, Fault> {
        let session = FakeSession { name: link.name.clone(), fake: self.clone() };
        session.answers().await?;
        *self.world().connections.entry(link.name.clone()).or_default() += 1;
        Ok(session)
    }
}

impl Session for FakeSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        *self.fake.world().reads.entry(self.name.clone()).or_default() += 1;
        self.answers().await?;
        let panics = self.fake.world().panics_at_read.contains(&self.name);
        assert!(!panics, "a driver with a fault");
        let world = self.fake.world();
        let missing = || Fault::Refused("there is no such point".into());
        let value = |p: &Point| world.values.get(&(self.name.clone(), p.n)).cloned().ok_or_else(missing);
        Ok(points.iter().map(|point| Sample::new(point, value(point))).collect())
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        self.answers().await?;
        let panics = self.fake.world().panics_at_write.contains(&self.name);
        assert!(!panics, "a driver with a fault");
        let mut world = self.fake.world();
        world.writes.push((self.name.clone(), point.n, value.clone()));
        world.values.insert((self.name.clone(), point.n), value.clone());
        Ok(())
    }

    async fn close(self) {}
}

pub(crate) fn devices(yaml: &str) -> Vec<Arc<DeviceConfig>> {
    let text = format!("gateway: {{node: test}}\n{yaml}");
    let protocols = [Protocol::of::<Link, Point>("fake")];
    let loaded = load(&[Source::new("test.yaml", text)], &protocols, &NoSecrets);
    loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config.devices.into_values().collect()
}
