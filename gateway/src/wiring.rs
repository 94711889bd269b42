//! The one place where the parts of the gateway meet.

mod doors;
pub(crate) mod fleet;
mod folder;
mod mappers;
mod pulse;
mod reach;
mod stages;
mod start;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{Loaded, Mqtt};
use device_twin::{DeviceTwin, HistoryUpload, Settings};
use edgehub::{CloudUrl, EdgeHub, LinkState, LinkStatus};
use rights::Failures;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use twin_api::NotReady;
use twin_core::NodeName;
use twin_core::replica::Limits;
use twin_store::HistoryBounds;

pub(crate) use folder::take as lock_folder;
pub(crate) use mappers::external as external_broker;
pub use mappers::{protocols, run_mapper};
pub use pulse::Pulse;
pub(crate) use reach::{reach, serial_ports};
pub use start::StartError;

use crate::api::{self, Api, Probe};
use crate::clock;
use crate::eventbus::{Counters, Embedded, EventBus, External};
use crate::overview::{Mappers, Overview};
use crate::running::{Choice, Keeper, Parts, Running};
use crate::witness::Witness;
use fleet::{Fleet, Login};
use stages::Stage;

/// Messages between the link and the service.
const LINK_QUEUE: usize = 256;

/// Where the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// REST, without TLS.
    pub api: SocketAddr,
    /// REST for other machines, with TLS.
    pub remote_api: Option<SocketAddr>,
    /// The MQTT broker: its own address, or the URL of another one.
    pub mqtt: String,
    /// The gateway's own MQTT broker for other machines, with TLS.
    pub mqtts: Option<SocketAddr>,
}

/// The gateway, running.
pub struct Gateway {
    node: NodeName,
    addresses: Addresses,
    grace: Duration,
    link: Option<watch::Receiver<LinkStatus>>,
    running: Running,
    service: device_twin::Handle,
    /// In the order in which they are stopped.
    stages: Vec<Stage>,
    /// After the stages, which work in it.
    _folder: std::fs::File,
}

/// Why the gateway ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("{part} has ended: {reason}")]
pub struct Error {
    part: &'static str,
    reason: String,
}

/// What the health route asks.
struct Health {
    external: Option<mqtt_link::Handle>,
}

impl Probe for Health {
    fn not_ready(&self) -> Vec<NotReady> {
        match &self.external {
            Some(handle) if !handle.is_connected() => vec![NotReady {
                name: "mqtt".to_owned(),
                why: "the MQTT broker cannot be reached; the log says why".to_owned(),
            }],
            Some(_) | None => Vec::new(),
        }
    }
}

impl Gateway {
    /// Starts everything that the configuration names.
    ///
    /// # Errors
    /// [`StartError`] names the part and the mend; what had started is ended.
    pub async fn start(choice: Choice) -> Result<Self, StartError> {
        let Choice { loaded: Loaded { config, .. }, kept } = choice;
        let mut link = Stage::new("the link to the cloud");
        let mut twin = Stage::new("DeviceTwin");
        let mut mqtt = Stage::new("MQTT and REST");
        let mut mappers = Stage::new("mappers");
        let gateway = &config.gateway;
        let node = gateway.node.clone();
        let grace = gateway.shutdown_grace;
        let folder = folder::take(&gateway.data_dir)?;
        let api = Api::bind(&gateway.api, &gateway.data_dir).await?;
        let (mut witness, mut audits) = (Stage::new("the witness"), Stage::new("the audit"));
        let failures = Failures::default();
        let audit = doors::audit(gateway, &mut audits).await?;
        let gate = doors::gate(gateway, failures.clone(), audit.clone()).await?;

        let (link_events, events) = mpsc::channel(LINK_QUEUE);
        let (commands, link_commands) = mpsc::channel(LINK_QUEUE);
        let link_queue = commands.downgrade();
        let settings = Settings {
            data_dir: gateway.data_dir.clone(),
            incarnation: clock::incarnation().map_err(StartError::Random)?,
            limits: Limits::default(),
            settle: grace / 2,
            history: HistoryBounds { max_bytes: gateway.history.max_bytes, max_age: gateway.history.max_age },
            now: clock::now,
        };
        let (service, handle, reader) = DeviceTwin::open(settings, events, commands).await?;
        let seen = Witness::new(audit.clone(), &handle, reader.clone(), failures.clone()).await?;
        let stop = witness.token();
        witness.spawn_plain("the witness", seen.run(stop));
        let stop = twin.token();
        twin.spawn("DeviceTwin", service.run(stop));
        let definitions = config.devices.iter().map(|(id, device)| (id.clone(), device.definition.clone()));
        handle.declare(definitions.collect()).await.map_err(|_| StartError::Ended)?;

        let link_status = match &gateway.cloud {
            Some(cloud) => {
                let url: CloudUrl = cloud.url.to_string().parse()?;
                let token = cloud.token.as_ref().map(|token| token.expose().trim().parse()).transpose()?;
                let state_dir = gateway.data_dir.join("link");
                let settings = edgehub::Settings::new(url, node.clone(), state_dir, token);
                let (hub, status) = EdgeHub::new(settings, link_events, link_commands);
                let (history_events, events) = mpsc::channel(LINK_QUEUE);
                let (commands, history_commands) = mpsc::channel(LINK_QUEUE);
                let hub = hub.with_history(history_events, history_commands);
                let (upload, _) = HistoryUpload::new(reader.clone(), handle.logged(), events, commands);
                let stop = twin.token();
                twin.spawn_plain("history upload", upload.run(stop));
                let stop = link.token();
                link.spawn("EdgeHub", hub.run(stop));
                Some(status)
            }
            None => None,
        };

        let counters = Arc::new(Counters::default());
        let mut health = Health { external: None };
        let mut mqtts = None;
        let (mqtt_address, login, bus) = match &gateway.mqtt {
            Mqtt::Embedded(broker) => {
                let access = doors::access(broker, failures);
                let settings = doors::broker(broker, &gateway.data_dir)?;
                let embedded = Embedded::start(settings, Arc::clone(&access)).await?;
                let outlet = Box::new(embedded.broker.publisher());
                let bus = EventBus::new(
                    node.clone(),
                    handle.clone(),
                    audit.clone(),
                    reader.clone(),
                    outlet,
                    Arc::clone(&counters),
                );
                let bus = bus.await?;
                let (broker, feed) = embedded.feed(bus.clone(), mqtt.token());
                let url = format!("mqtt://{}", broker.local_addr());
                mqtts = broker.tls_addr();
                let stop = mqtt.token();
                mqtt.spawn_plain("EventBus", bus.clone().run(stop));
                mqtt.spawn_plain("EventBus feed", feed);
                let stop = mqtt.token();
                mqtt.spawn("MQTT broker", broker.run(stop));
                (url.clone(), Login::Embedded { url, access }, bus)
            }
            Mqtt::External(broker) => {
                let settings = mappers::external(broker, &format!("twinspan-{node}"))?;
                let external = External::new(settings)?;
                health.external = Some(external.handle());
                let outlet = external.outlet();
                let bus = EventBus::new(
                    node.clone(),
                    handle.clone(),
                    audit.clone(),
                    reader.clone(),
                    outlet,
                    Arc::clone(&counters),
                );
                let bus = bus.await?;
                let stop = mqtt.token();
                mqtt.spawn_plain("EventBus", bus.clone().run(stop));
                let stop = mqtt.token();
                mqtt.spawn("MQTT link", external.run(bus.clone(), stop));
                (broker.url.to_string(), Login::External(broker.clone(), node.clone()), bus)
            }
        };

        let addresses =
            Addresses { api: api.addr(), remote_api: api.remote_addr(), mqtt: mqtt_address, mqtts };
        let overview = Overview {
            started_at: clock::now(),
            mqtt: addresses.mqtt.clone(),
            link: link_status.clone(),
            counters,
            mappers: Mappers::default(),
            data_dir: gateway.data_dir.clone(),
            link_queue,
        };
        let fleet = Fleet::new(login, gateway.data_dir.clone(), overview.mappers.clone());
        fleet.check(&config.devices)?;
        let parts = Parts {
            service: handle.clone(),
            bus,
            fleet,
            audit: audit.clone(),
            gateway: config.gateway.clone(),
            devices: config.devices.clone(),
        };
        let (keeper, running) = Keeper::new(parts, kept).await?;
        let stop = mqtt.token();
        let rest = api::Parts {
            node: node.clone(),
            service: handle.clone(),
            reader,
            probe: Arc::new(health),
            running: running.clone(),
            overview,
            gate,
            audit,
        };
        mqtt.spawn("REST", api.run(rest, stop));
        let stop = mappers.token();
        mappers.spawn("mappers", keeper.run(stop));
        Ok(Self {
            node,
            addresses,
            grace,
            link: link_status,
            running,
            service: handle,
            stages: vec![mappers, mqtt, twin, link, witness, audits],
            _folder: folder,
        })
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Whether the link to the cloud is up; none when there is no cloud in the configuration.
    #[must_use]
    pub fn is_linked(&self) -> Option<bool> {
        self.link.as_ref().map(|status| status.borrow().state == LinkState::Connected)
    }

    /// The configuration in force.
    #[must_use]
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// What a service manager is told while the gateway runs.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse { service: self.service.clone(), link: self.link.clone(), addresses: self.addresses.clone() }
    }

    /// Runs until `stop`, then stops stage by stage: mappers; MQTT and REST; DeviceTwin, which commits what it has and
    /// lets the cloud acknowledge it; the link.
    ///
    /// # Errors
    /// [`Error`] when a part ends by itself; the others are stopped in the same order.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            (part, reason) = stages::first_to_end(&mut self.stages) => Err(Error { part, reason }),
        };
        let deadline = tokio::time::Instant::now() + self.grace;
        for stage in self.stages {
            for still in stage.stop(deadline).await {
                let grace_ms = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
                warn!(part = still, grace_ms, "still running when the grace ended");
            }
        }
        outcome
    }
}
