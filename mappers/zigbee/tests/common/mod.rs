//! A simulated network that runs as long as a test, with devices that have joined.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zigbee::admin::Admin;
use zigbee::sim::{Kind, Mesh, Node, Sim};
use zigbee::{Ieee, Link, Zigbee};

/// A network that runs.
pub(crate) struct Network {
    pub(crate) sim: Sim,
    pub(crate) coordinator: String,
    devices: Vec<(Kind, Ieee)>,
    folder: TempDir,
    stop: CancellationToken,
    _task: JoinSet<()>,
}

impl Network {
    /// Devices of these kinds, whose values stand still, are in it.
    pub(crate) async fn start(kinds: &[Kind]) -> Self {
        let network = Self::start_empty(kinds).await;
        network.admit().await;
        network
    }

    /// They are in range, and nobody has joined.
    pub(crate) async fn start_empty(kinds: &[Kind]) -> Self {
        let mut mesh = Mesh::new(7);
        let devices: Vec<(Kind, Ieee)> = kinds.iter().map(|kind| (*kind, mesh.add(*kind))).collect();
        for (_, ieee) in &devices {
            let node = mesh.node(*ieee).unwrap();
            node.lives = false;
            node.poll_every = node.poll_every.map(|_| Duration::from_millis(200));
        }
        let sim = Sim::new(mesh);
        let (listener, address) = sim.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        let (serving, token) = (sim.clone(), stop.clone());
        task.spawn(async move { serving.run(&listener, token).await.unwrap() });
        let coordinator = format!("tcp://{address}");
        Self { sim, coordinator, devices, folder: tempfile::tempdir().unwrap(), stop, _task: task }
    }

    pub(crate) async fn admin(&self) -> Admin {
        // The task of a host before may still hold the only connection.
        until("the coordinator is free", async || {
            Admin::open(self.coordinator.parse().unwrap(), 15, None, self.data_dir()).await.ok()
        })
        .await
    }

    /// Lets all devices join.
    pub(crate) async fn admit(&self) {
        let admin = self.admin().await;
        let mut seen = 0;
        let told = admin.admit(60, self.devices.len(), |ieee, device| {
            assert!(device.is_ok(), "{ieee}: {device:?}");
            seen += 1;
        });
        told.await.unwrap();
        assert_eq!(seen, self.devices.len(), "all devices must join");
        admin.close(self.data_dir()).await.unwrap();
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn driver(&self) -> Zigbee {
        Zigbee::new(self.data_dir())
    }

    pub(crate) fn ieee(&self, kind: Kind) -> Ieee {
        self.devices.iter().find(|(other, _)| *other == kind).unwrap().1
    }

    pub(crate) fn link(&self, kind: Kind) -> Link {
        Link::new(&self.coordinator, self.ieee(kind)).with_timeout(Duration::from_secs(2))
    }

    /// Looks at a device, or changes it.
    pub(crate) fn node<T>(&self, kind: Kind, act: impl FnOnce(&mut Node) -> T) -> T {
        let ieee = self.ieee(kind);
        self.sim.with(|mesh| act(mesh.node(ieee).unwrap()))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Tries again until there is something; fails after 20 s.
pub(crate) async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
