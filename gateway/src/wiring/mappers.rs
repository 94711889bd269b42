//! The mappers that this program has.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::{Config, DeviceConfig, ExternalBroker, Protocol};
use mapper_sdk::Mapper;
use mqtt_link::LinkSettings;
use tokio_util::sync::CancellationToken;

use super::StartError;

/// The protocols that a configuration may name.
#[must_use]
pub fn protocols() -> Vec<Protocol> {
    vec![modbus::protocol()]
}

/// Runs one mapper alone, against any broker, until `stop`.
///
/// # Errors
/// [`StartError::NoMapper`], or why the mapper ended.
pub async fn run_mapper(
    protocol: &str,
    config: &Config,
    settings: LinkSettings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let known = protocols().iter().map(Protocol::name).find(|name| *name == protocol);
    let protocol = known.ok_or_else(|| StartError::NoMapper(protocol.to_owned()))?;
    let devices = devices(config, protocol);
    tracing::info!(protocol, devices = devices.len(), "the mapper is running");
    run(protocol, devices, settings, stop).await.map_err(anyhow::Error::msg)
}

/// The protocols that some device names.
pub(super) fn used(config: &Config) -> BTreeSet<&'static str> {
    let names = protocols();
    let named = |protocol: &&str| config.devices.values().any(|d| d.protocol.as_deref() == Some(protocol));
    names.iter().map(Protocol::name).filter(named).collect()
}

/// The devices of a protocol.
pub(super) fn devices(config: &Config, protocol: &str) -> Vec<Arc<DeviceConfig>> {
    config.devices.values().filter(|d| d.protocol.as_deref() == Some(protocol)).cloned().collect()
}

/// Runs a mapper until `stop`.
pub(super) async fn run(
    protocol: &'static str,
    devices: Vec<Arc<DeviceConfig>>,
    settings: LinkSettings,
    stop: CancellationToken,
) -> Result<(), String> {
    match protocol {
        "modbus" => {
            let mapper =
                Mapper::new(modbus::Modbus::default(), &devices, settings).map_err(|e| e.to_string())?;
            mapper.run(stop).await.map_err(|e| e.to_string())
        }
        other => Err(StartError::NoMapper(other.to_owned()).to_string()),
    }
}

/// How a broker of somebody else is reached.
pub(super) fn external(broker: &ExternalBroker, client_id: &str) -> Result<LinkSettings, StartError> {
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
