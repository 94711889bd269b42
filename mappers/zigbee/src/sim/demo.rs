//! A small flat to try things with: one device of each kind.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Ieee;
use crate::admin::{Admin, AdminFault};
use crate::host::PortPlace;
use crate::sim::serve::SimError;
use crate::sim::{Kind, Mesh, Sim};

/// How long the devices may take to join.
const JOIN_WITHIN: u8 = 60;
/// The channel of the network.
const CHANNEL: u8 = 15;

/// A network of one device of each kind, and how to configure it.
#[derive(Debug)]
pub struct Demo {
    /// The network, to be served.
    pub sim: Sim,
    /// The devices.
    pub devices: Vec<(Kind, Ieee)>,
}

/// A demonstration that listens and can be run.
#[derive(Debug)]
pub struct Running {
    /// The network.
    pub sim: Sim,
    /// The models and devices to read it with; the switches, the level, the blind and the set-point can be written.
    pub yaml: String,
    listener: TcpListener,
}

/// Why the demonstration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The address.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The network.
    #[error(transparent)]
    Admin(#[from] AdminFault),
}

/// Makes the demonstration network; nobody has joined yet.
#[must_use]
pub fn demo(seed: u64) -> Demo {
    let mut mesh = Mesh::new(seed);
    let devices = Kind::ALL.map(|kind| (kind, mesh.add(kind))).to_vec();
    for (_, ieee) in &devices {
        if let Some(node) = mesh.node(*ieee) {
            node.poll_every = node.poll_every.map(|_| Duration::from_millis(500));
        }
    }
    Demo { sim: Sim::new(mesh), devices }
}

/// Makes the demonstration network listen on `address` (port 0: any free one), with all devices joined. What a gateway
/// has to know of the network is put into `data_dir`.
///
/// # Errors
/// [`DemoError`] when the address is not free, or the folder cannot be written.
pub async fn demo_network(address: SocketAddr, seed: u64, data_dir: &Path) -> Result<Running, DemoError> {
    let Demo { sim, devices } = demo(seed);
    let (listener, address) = sim.listen(address).await?;
    let place = PortPlace::Tcp(address.to_string());
    let yaml = devices.iter().fold(
        include_str!("demo.yaml").replace("{COORDINATOR}", &place.to_string()),
        |yaml, (kind, ieee)| yaml.replace(&mark(*kind), &ieee.to_string()),
    );
    let admit = async {
        let admin = Admin::open(place, CHANNEL, None, data_dir).await?;
        admin.admit(JOIN_WITHIN, devices.len(), |_, _| {}).await?;
        admin.close(data_dir).await
    };
    // Served until all have joined; the listener stays for the gateway.
    tokio::select! {
        admitted = admit => admitted?,
        served = sim.run(&listener, CancellationToken::new()) => served?,
    }
    Ok(Running { sim, yaml, listener })
}

/// What stands in the text for the address of a device.
fn mark(kind: Kind) -> String {
    format!("{{{}}}", kind.model().trim_start_matches("SIM-"))
}

impl Running {
    /// Serves until `stop`.
    ///
    /// # Errors
    /// [`SimError`] when nothing can be accepted any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SimError> {
        self.sim.run(&self.listener, stop).await
    }
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use super::*;

    #[tokio::test]
    async fn its_configuration_has_no_fault_and_all_devices_have_joined() {
        let folder = tempfile::tempdir().unwrap();
        let demo = demo_network("127.0.0.1:0".parse().unwrap(), 3, folder.path()).await.unwrap();
        let text = format!("gateway: {{node: demo}}\n{}", demo.yaml);
        let loaded = load(&[Source::new("demo.yaml", &text)], &[crate::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config;
        assert_eq!(config.devices.len(), Kind::ALL.len());
        assert!(demo.sim.with(|mesh| mesh.nodes().iter().all(|node| node.nwk.is_some())));
    }
}
