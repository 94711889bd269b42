//! A driver for devices that exist in memory only, and a broker to run its mapper against.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use config::{Check, DeviceConfig, NoSecrets, Protocol, Source, load};
use mapper_sdk::{Driver, Fault, LaneKey, Sample, Session};
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempDir;
use twin_core::Value;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    name: String,
    #[serde(default)]
    lane: String,
}
impl Check for Link {}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    n: u16,
}
impl Check for Point {}

/// All devices there are.
#[derive(Debug, Default)]
pub struct World {
    pub values: BTreeMap<(String, u16), Value>,
    pub dead: BTreeSet<String>,
    pub panics_at_read: BTreeSet<String>,
    pub panics_at_write: BTreeSet<String>,
    pub writes: Vec<(String, u16, Value)>,
}

#[derive(Clone, Default)]
pub struct Fake {
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A panic of the driver is part of the tests.
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn set(&self, device: &str, n: u16, value: Value) {
        self.world().values.insert((device.into(), n), value);
    }
}

pub struct FakeSession {
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
        Ok(session)
    }
}

impl Session for FakeSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
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

pub fn devices(yaml: &str) -> Vec<Arc<DeviceConfig>> {
    let text = format!("gateway: {{node: test}}\n{yaml}");
    let protocols = [Protocol::of::<Link, Point>("fake")];
    let loaded = load(&[Source::new("test.yaml", text)], &protocols, &NoSecrets);
    loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config.devices.into_values().collect()
}

/// Where mosquitto is; none when the test is to be skipped.
fn mosquitto() -> Option<PathBuf> {
    let names = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let runs = |name: &&str| {
        Command::new(name).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let found = names.into_iter().find(runs);
    if found.is_none() && std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1") {
        println!("skipped: mosquitto is not installed");
        return None;
    }
    Some(found.unwrap_or_else(|| panic!("this test needs mosquitto: apt-get install mosquitto")).into())
}

/// A mosquitto of our own: free port, own folder, ended at the end.
pub struct Broker {
    program: PathBuf,
    child: Option<Child>,
    folder: TempDir,
    pub port: u16,
}

impl Broker {
    pub fn start() -> Option<Self> {
        let program = mosquitto()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { program, child: None, folder, port };
        broker.up();
        Some(broker)
    }

    pub fn up(&mut self) {
        let config = self.folder.path().join("mosquitto.conf");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not listen on {}", self.port);
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
