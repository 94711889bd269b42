//! A cloud to test against.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloud_store::CloudStore;
use cloudhub::{Ca, CloudHub, Error, Listen, NodeRegistry, Settings, create_join_token};
use sync_proto::JoinToken;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::{
    Access, Change, Desired, Device, DeviceDefinition, DeviceState, Incarnation, NodeName,
    PropertyDefinition, PropertyId, Quality, Reported, Timestamp, Value, ValueType,
};

pub(crate) struct Cloud {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ca: Arc<Ca>,
    pub(crate) store: CloudStore,
    pub(crate) registry: NodeRegistry,
    pub(crate) tls: SocketAddr,
    pub(crate) plain: SocketAddr,
    stop: CancellationToken,
    task: JoinSet<Result<(), Error>>,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut settings = Settings::new(vec![Listen::Tls(any), Listen::Plain(any)]);
        change(&mut settings);
        Self::open(dir, settings, 1).await
    }

    async fn open(dir: tempfile::TempDir, settings: Settings, incarnation: u64) -> Self {
        let ca = Arc::new(Ca::open_or_create(&dir.path().join("ca")).unwrap());
        let store = CloudStore::open(&dir.path().join("store"), Incarnation::new(incarnation)).await.unwrap();
        let hub = CloudHub::bind(settings, Arc::clone(&ca), store.clone()).await.unwrap();
        let addresses = hub.addresses();
        let (registry, stop, mut task) = (hub.registry(), CancellationToken::new(), JoinSet::new());
        task.spawn(hub.run(stop.clone()));
        Self { dir, ca, store, registry, tls: addresses[0], plain: addresses[1], stop, task }
    }

    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        let ended = timeout(Duration::from_secs(5), self.task.join_next()).await;
        ended.expect("the hub ends within its deadline").unwrap().unwrap().unwrap();
        self.store.close().await;
        self.dir
    }

    /// Stops, and starts anew on the same ports with the same data.
    pub(crate) async fn restart(self) -> Self {
        let settings = Settings::new(vec![Listen::Tls(self.tls), Listen::Plain(self.plain)]);
        let dir = self.stop().await;
        Self::open(dir, settings, 2).await
    }

    pub(crate) async fn token(&self, name: &str) -> JoinToken {
        create_join_token(&self.ca, &self.store, node(name), Duration::from_secs(60)).await.unwrap()
    }

    pub(crate) async fn reported(&self, name: &str, n: usize) -> Option<Value> {
        let id = property(n);
        let rows = self.store.twin(&node(name), &id.device).await.unwrap();
        rows.reported.get(&id.property).and_then(|reported| reported.body.value.clone())
    }

    pub(crate) async fn wish(&self, name: &str, n: usize, value: i64) {
        let desired = Desired {
            value: Value::Int(value),
            set_by: "alice".into(),
            set_at: Timestamp::default(),
            valid_until: None,
        };
        self.store.set_desired(&node(name), vec![(property(n), Some(desired))], None).await.unwrap();
    }
}

pub(crate) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(crate) fn property(n: usize) -> PropertyId {
    PropertyId::new("pump".parse().unwrap(), format!("p{n}").parse().unwrap())
}

pub(crate) fn reported(n: usize, value: Value) -> Change {
    let (source_time, gateway_time) = (None, Some(Timestamp::from_millis(5)));
    let value = Some(value);
    let reported = Reported { value, quality: Quality::Good, source_time, gateway_time, outcome: None };
    Change::Reported(property(n), Some(reported))
}

/// A pump with 1000 properties that can be wanted.
pub(crate) fn pump() -> Change {
    let definition = PropertyDefinition::new(ValueType::Int, Access::ReadWrite);
    let properties = (0..1000).map(|n| (property(n).property, definition.clone())).collect();
    let definition =
        DeviceDefinition { protocol: "modbus".into(), properties, ..DeviceDefinition::default() };
    Change::Device(
        property(0).device,
        Some(Device { definition, state: DeviceState::Online, state_since: None }),
    )
}

/// Waits until `condition` holds; fails with its name after 20 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let hold = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(20), hold).await.is_ok(), "it did not come to pass that {what}");
}
