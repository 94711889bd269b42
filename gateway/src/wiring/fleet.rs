//! The mappers that run inside the gateway, and which devices each serves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::DeviceConfig;
use mapper_sdk::{Assigner, assignment};
use mqtt_broker::Access;
use mqtt_link::LinkSettings;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{DeviceId, NodeName};

use super::StartError;
use super::mappers::{self, Kind};
use crate::overview::Mappers;
use crate::supervisor::{Policy, keep_running};

/// How long a mapper may take to take other devices.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the gateway's own mappers reach its broker.
pub(crate) enum Login {
    Embedded { url: String, access: Arc<Access> },
    External(config::ExternalBroker, NodeName),
}

impl Login {
    fn settings(&self, protocol: &str, devices: &[Arc<DeviceConfig>]) -> Result<LinkSettings, StartError> {
        match self {
            Self::Embedded { url, access } => {
                let login = access.admit_mapper(protocol, devices.iter().map(|d| d.id.clone()));
                let mut settings = LinkSettings::new(url, &format!("mapper-{protocol}"));
                settings.username = Some(login.username);
                settings.password = Some(login.password);
                Ok(settings)
            }
            Self::External(broker, node) => mappers::external(broker, &format!("twinspan-{node}-{protocol}")),
        }
    }

    /// Lets a mapper speak for the devices that it has and for those that it will have.
    fn allow(&self, protocol: &str, before: &[Arc<DeviceConfig>], after: &[Arc<DeviceConfig>]) {
        if let Self::Embedded { access, .. } = self {
            let ids: BTreeSet<_> = before.iter().chain(after).map(|device| device.id.clone()).collect();
            access.set_devices(protocol, ids);
        }
    }
}

/// The mappers.
pub(crate) struct Fleet {
    login: Login,
    data_dir: PathBuf,
    running: BTreeMap<&'static str, Assigner>,
    figures: Mappers,
    /// Devices that are left alone.
    paused: BTreeSet<DeviceId>,
    tasks: JoinSet<String>,
    stop: CancellationToken,
}

impl Fleet {
    pub(crate) fn new(login: Login, data_dir: PathBuf, figures: Mappers) -> Self {
        let stop = CancellationToken::new();
        let (running, paused) = (BTreeMap::new(), BTreeSet::new());
        Self { login, data_dir, running, figures, paused, tasks: JoinSet::new(), stop }
    }

    /// Has a device left alone, or asked again; also by a mapper that is started later.
    pub(crate) fn set_pause(&mut self, device: &DeviceId, paused: bool) {
        if paused {
            self.paused.insert(device.clone());
        } else {
            self.paused.remove(device);
        }
        for assigner in self.running.values() {
            assigner.controls().set_pause(device, paused);
        }
    }

    /// Whether there is a mapper for every device that names one, and each can reach the broker.
    pub(crate) fn check(&self, devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>) -> Result<(), StartError> {
        let named: BTreeSet<&str> = devices.values().filter_map(|d| d.protocol.as_deref()).collect();
        for name in named {
            Kind::of(name)?;
            if let Login::External(broker, _) = &self.login {
                mappers::external(broker, name)?;
            }
        }
        Ok(())
    }

    /// Has every device served by the mapper of its protocol, which is started when it is the first.
    pub(crate) async fn assign(
        &mut self,
        devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>,
    ) -> Result<(), StartError> {
        for kind in mappers::kinds() {
            let protocol = kind.name();
            let served: Vec<_> =
                devices.values().filter(|d| d.protocol.as_deref() == Some(protocol)).cloned().collect();
            match self.running.get_mut(protocol) {
                Some(assigner) => {
                    let before = assigner.devices();
                    if *before == *served {
                        continue;
                    }
                    self.login.allow(protocol, &before, &served);
                    if let Err(error) = assigner.assign(served, PATIENCE).await {
                        tracing::warn!(mapper = protocol, %error, "a mapper is behind");
                    }
                }
                None if served.is_empty() => {}
                None => self.start(kind, served)?,
            }
        }
        Ok(())
    }

    fn start(&mut self, kind: Kind, devices: Vec<Arc<DeviceConfig>>) -> Result<(), StartError> {
        let protocol = kind.name();
        let settings = self.login.settings(protocol, &devices)?;
        let (assigner, assignment) = assignment(devices);
        assigner.controls().set_paused(self.paused.clone());
        let (stop, data_dir) = (self.stop.clone(), self.data_dir.join(protocol));
        let make = move || kind.run(assignment.clone(), settings.clone(), data_dir.clone(), stop.clone());
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            match keep_running(protocol, Policy::default(), stop, make).await {
                Ok(()) => format!("the mapper for {protocol} has ended"),
                Err(gave_up) => gave_up.to_string(),
            }
        });
        self.figures.insert(protocol, assigner.figures().clone(), assigner.controls().clone());
        self.running.insert(protocol, assigner);
        Ok(())
    }

    /// Waits for a mapper that ends for good; pending while none does. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(reason)) => reason,
            Some(Err(error)) => error.to_string(),
            None => std::future::pending().await,
        }
    }

    /// Ends all mappers.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
