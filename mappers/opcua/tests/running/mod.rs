//! A simulated server that runs as long as this lives.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use opcua::sim::{SimPlant, SimServer, SimVariable};
use opcua::{Link, OpcUa, Point, Security};
use opcua_types::Variant;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const TIME_OUT: Duration = Duration::from_millis(700);

/// One certificate for the drivers of all tests: making one takes seconds.
static DATA: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    opcua::pki::Own::keep(&folder.path().join("own"), 0).unwrap();
    folder
});

pub(crate) fn data_dir() -> &'static Path {
    DATA.path()
}

pub(crate) fn point(name: &str) -> Point {
    Point::node(&SimPlant::node(name))
}

pub(crate) struct Running {
    pub(crate) server: SimServer,
    pub(crate) driver: OpcUa,
    stop: CancellationToken,
    _task: JoinSet<()>,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let plant = SimPlant::default();
        plant.add("A.Int", SimVariable::new(Variant::Int32(0)));
        plant.add("A.Double", SimVariable::new(Variant::Double(0.0)).analogue("°C", 0.0, 100.0));
        plant.add("A.Setpoint", SimVariable::new(Variant::Double(0.0)).writable());
        plant.add("B.Bool", SimVariable::new(Variant::Boolean(false)));
        plant.add("B.Text", SimVariable::new(Variant::String("".into())));
        Self::with(plant, None).await
    }

    /// A server with these variables, which takes at most so many in one request.
    pub(crate) async fn with(plant: SimPlant, most_per_request: Option<usize>) -> Self {
        let mut server = SimServer::bind("127.0.0.1:0".parse().unwrap(), plant).await.unwrap();
        if let Some(most) = most_per_request {
            server = server.with_most_per_request(most);
        }
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        let (running, token) = (server.clone(), stop.clone());
        task.spawn(async move { running.run(token).await.unwrap() });
        server.ready().await;
        Self { server, driver: OpcUa::new(data_dir()), stop, _task: task }
    }

    pub(crate) fn link(&self) -> Link {
        Link::to(&format!("opc.tcp://{}", self.server.address()))
            .with_security(Security::None)
            .with_timeout(TIME_OUT)
    }
}

impl Running {
    /// Waits until so many connections are open.
    pub(crate) async fn connections(&self, wanted: usize) {
        let begun = std::time::Instant::now();
        while self.server.connections() != wanted {
            assert!(begun.elapsed() < Duration::from_secs(10), "{} connections", self.server.connections());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
