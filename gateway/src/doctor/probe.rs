//! Gathering the facts: files, `/proc`, the gateway that runs, the network.

mod machine;
mod network;
mod storage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Mqtt};
use tokio::time::Instant;

use super::gateway::Gateway;
use super::{
    Report, broker, certificates, clock, cloud, configuration, devices, disk, folder, gateway, ports, radio,
    serial,
};
use crate::files;
use crate::wiring::{reach, serial_ports};

pub use network::Remote;

/// How long all devices together may take.
const DEVICES: Duration = Duration::from_secs(20);

/// What is to be looked at.
pub struct Question<'a, R> {
    /// The configuration.
    pub config: &'a Path,
    /// The data folder when no configuration says where it is.
    pub data_dir: &'a Path,
    /// How the gateway that runs is spoken to.
    pub remote: &'a R,
}

/// Looks at everything. Takes at most about a minute.
pub async fn examine<R: Remote>(question: Question<'_, R>) -> Report {
    let path = question.config.display().to_string();
    let (config, checked) = load(question.config);
    let mut findings = vec![configuration::judge(&path, &checked)];
    let data_dir: PathBuf = config
        .as_ref()
        .map_or_else(|| question.data_dir.to_owned(), |config| config.gateway.data_dir.clone());
    let state = network::gateway(&data_dir, question.remote).await;
    let running = !matches!(state, Gateway::Stopped);
    findings.extend(gateway::judge(&state));
    let examined =
        match config.as_ref().and_then(|config| config.gateway.cloud.as_ref().map(|cloud| (config, cloud))) {
            Some((config, cloud)) => match network::cloud_settings(config, cloud) {
                Ok(settings) => Some(edgehub::examine(&settings).await),
                Err(why) => {
                    findings.push(super::Finding::fail(
                        "cloud",
                        why,
                        "mend `gateway.cloud` in the configuration",
                    ));
                    None
                }
            },
            None => None,
        };
    let now = crate::clock::now();
    findings.extend(clock::judge(&clock::Clock {
        now,
        synchronised: machine::synchronised().await,
        cloud: examined.as_ref().and_then(|examined| network::time(examined.date.as_deref()?)),
    }));
    findings.extend(disk::judge(&storage::disk(&data_dir)));
    findings.extend(folder::judge(&storage::folder(&data_dir)));
    findings.extend(certificates::judge(&certificates::of_folder(&data_dir), now.as_millis() / 1000));
    if let Some(config) = &config {
        findings.extend(of_config(config, running, question.remote).await);
        if config.gateway.cloud.is_some() == examined.is_some() {
            findings.extend(cloud::judge(examined.as_ref()));
        }
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Report { at: now.as_millis(), version, running, findings }
}

fn load(path: &Path) -> (Option<Config>, configuration::Checked) {
    match files::load(path) {
        Ok(loaded) => {
            let (devices, warnings) = (loaded.config.devices.len(), loaded.warnings.len());
            (Some(loaded.config), configuration::Checked::Right { devices, warnings })
        }
        Err(error) => {
            let text = error.to_string();
            let lines: Vec<&str> = text.lines().take(3).collect();
            (None, configuration::Checked::Wrong(lines.join(" ")))
        }
    }
}

/// What only a configuration tells to look at.
async fn of_config<R: Remote>(config: &Config, running: bool, remote: &R) -> Vec<super::Finding> {
    let mut findings = Vec::new();
    let mut listens = vec![("REST", "gateway.api.listen", config.gateway.api.listen)];
    if let Some(remote) = &config.gateway.api.remote {
        listens.push(("REST with TLS", "gateway.api.remote.listen", remote.listen));
    }
    if let Mqtt::Embedded(broker) = &config.gateway.mqtt {
        listens.push(("MQTT", "gateway.mqtt.embedded.listen", broker.listen));
        if let Some(tls) = &broker.tls {
            listens.push(("MQTT with TLS", "gateway.mqtt.embedded.tls.listen", tls.listen));
        }
    }
    let held: Vec<_> = listens.into_iter().filter_map(network::port).collect();
    findings.extend(ports::judge(&held, running));
    findings.push(match &config.gateway.mqtt {
        Mqtt::Embedded(_) => broker::judge("", None),
        Mqtt::External(external) => {
            let reached = network::broker(external, &config.gateway.node).await;
            broker::judge(&external.url.to_string(), Some(&reached))
        }
    });
    let user = storage::user(&config.gateway.data_dir);
    for path in serial_ports(&config.devices) {
        findings.push(serial::judge(&path, &machine::serial(&path, &user), &user.name));
    }
    if config.devices.values().any(|device| device.protocol.as_deref() == Some("ble")) {
        findings.extend(radio::judge(&machine::radio()));
    }
    // What the gateway asks must not be asked by somebody else beside it: many devices take one connection only.
    let answers = match running {
        true => network::devices(remote).await.unwrap_or_default(),
        false => reach(&config.devices, Instant::now() + DEVICES).await,
    };
    if !(running && answers.is_empty()) {
        findings.extend(devices::judge(&answers));
    }
    findings
}
