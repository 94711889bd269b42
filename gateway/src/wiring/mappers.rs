//! The mappers that this program has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config, DeviceConfig, ExternalBroker, Protocol};
use futures_util::future::BoxFuture;
use mapper_sdk::{Assignment, Driver, Mapper, assignment};
use mqtt_link::LinkSettings;
use tokio_util::sync::CancellationToken;

use super::StartError;

type Run = fn(Assignment, LinkSettings, PathBuf, CancellationToken) -> BoxFuture<'static, Result<(), String>>;

/// A mapper that this program has.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    protocol: fn() -> Protocol,
    run: Run,
}

macro_rules! kind {
    ($protocol:path, $driver:expr) => {
        Kind {
            protocol: $protocol,
            run: |devices, mqtt, dir, stop| Box::pin(serve($driver, devices, mqtt, dir, stop)),
        }
    };
}

/// All of them: a new protocol is one line here.
pub(super) fn kinds() -> Vec<Kind> {
    vec![
        kind!(modbus::protocol, |_: &Path| modbus::Modbus::default()),
        #[cfg(feature = "opcua")]
        kind!(opcua::protocol, opcua::OpcUa::new),
        #[cfg(feature = "ble")]
        kind!(ble::protocol, |_: &Path| ble::Ble::default()),
        #[cfg(feature = "zigbee")]
        kind!(zigbee::protocol, zigbee::Zigbee::new),
        #[cfg(feature = "zigbee")]
        kind!(zigbee::zigbee2mqtt::protocol, |_: &Path| zigbee::zigbee2mqtt::Zigbee2Mqtt::default()),
    ]
}

impl Kind {
    /// The one for a protocol.
    pub(super) fn of(protocol: &str) -> Result<Self, StartError> {
        let found = kinds().into_iter().find(|kind| kind.name() == protocol);
        found.ok_or_else(|| {
            let known: Vec<_> = kinds().iter().map(Self::name).collect();
            StartError::NoMapper { protocol: protocol.to_owned(), known: known.join(", ") }
        })
    }

    pub(super) fn name(&self) -> &'static str {
        (self.protocol)().name()
    }

    /// Runs it until `stop`; what it must remember lies in `data_dir`.
    pub(super) fn run(
        &self,
        devices: Assignment,
        mqtt: LinkSettings,
        data_dir: PathBuf,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), String>> {
        (self.run)(devices, mqtt, data_dir, stop)
    }
}

async fn serve<D: Driver>(
    driver: impl FnOnce(&Path) -> D,
    devices: Assignment,
    mqtt: LinkSettings,
    data_dir: PathBuf,
    stop: CancellationToken,
) -> Result<(), String> {
    let mapper = Mapper::assigned(driver(&data_dir), devices, mqtt).map_err(|e| e.to_string())?;
    mapper.run(stop).await.map_err(|e| e.to_string())
}

/// The protocols that a configuration may name.
#[must_use]
pub fn protocols() -> Vec<Protocol> {
    kinds().iter().map(|kind| (kind.protocol)()).collect()
}

/// Runs one mapper alone, against any broker, until `stop`. When `changed` gives a configuration, its devices are served
/// from then on.
///
/// # Errors
/// [`StartError::NoMapper`], or why the mapper ended.
pub async fn run_mapper(
    protocol: &str,
    config: &Config,
    mut changed: tokio::sync::mpsc::Receiver<Config>,
    settings: LinkSettings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let kind = Kind::of(protocol)?;
    let devices = devices_of(config, protocol);
    tracing::info!(protocol, devices = devices.len(), "the mapper is running");
    let (mut assigner, assignment) = assignment(devices);
    let data_dir = config.gateway.data_dir.join(protocol);
    let mapper = kind.run(assignment, settings, data_dir, stop);
    tokio::pin!(mapper);
    loop {
        tokio::select! {
            ended = &mut mapper => return ended.map_err(anyhow::Error::msg),
            Some(config) = changed.recv() => {
                let devices = devices_of(&config, protocol);
                let count = devices.len();
                tokio::select! {
                    ended = &mut mapper => return ended.map_err(anyhow::Error::msg),
                    taken = assigner.assign(devices, std::time::Duration::from_secs(5)) => match taken {
                        Ok(()) => tracing::info!(devices = count, "the configuration is in force"),
                        Err(error) => tracing::warn!(%error, "the mapper is behind"),
                    }
                }
            }
        }
    }
}

/// The devices of a protocol.
fn devices_of(config: &Config, protocol: &str) -> Vec<Arc<DeviceConfig>> {
    config.devices.values().filter(|d| d.protocol.as_deref() == Some(protocol)).cloned().collect()
}

/// How a broker of somebody else is reached.
pub(crate) fn external(broker: &ExternalBroker, client_id: &str) -> Result<LinkSettings, StartError> {
    let mut settings = LinkSettings::new(&broker.url.to_string(), client_id);
    settings.username.clone_from(&broker.username);
    settings.password = broker.password.as_ref().map(|secret| secret.expose().to_owned());
    if let Some(path) = &broker.ca_file {
        let read = std::fs::read_to_string(path);
        let pem = read.map_err(|source| StartError::CaFile { path: path.clone(), source })?;
        settings.ca_pem = Some(pem);
    }
    Ok(settings)
}
