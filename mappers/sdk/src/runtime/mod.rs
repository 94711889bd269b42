//! The mapper as a task: lanes that read and write, and one publisher that speaks MQTT.

mod clock;
mod device;
mod lane;
mod marks;
mod outbox;
mod publisher;
mod seat;
mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::DeviceConfig;
use mqtt_link::{Events, InvalidSettings, LinkSettings, MqttLink};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::DeviceId;

use crate::breaker::Pauses;
use crate::driver::Driver;
use crate::runtime::clock::{Clock, wall};
use crate::runtime::device::Device;
use crate::runtime::lane::{Lane, LaneParts};
use crate::runtime::marks::Marks;
use crate::runtime::publisher::{Publisher, Served};

/// How long the lanes may take to close when the mapper stops.
const LANES_DEADLINE: Duration = Duration::from_secs(3);
/// How long the publisher and the link may take after them.
const LINK_DEADLINE: Duration = Duration::from_secs(5);
/// The pauses before a lane whose driver broke down is started again.
const RESTART: Pauses = Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

/// Why a mapper could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMapper {
    /// A device is not one of the driver's protocol.
    #[error("device {0} cannot be served by this mapper: its link or a point is of another protocol")]
    Foreign(DeviceId),
    /// The broker cannot be reached with these settings, whatever the network does.
    #[error(transparent)]
    Mqtt(#[from] InvalidSettings),
}

/// Why a mapper ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The MQTT link ended.
    #[error("the MQTT link of the mapper ended: {0}")]
    Link(String),
}

/// Serves the devices of one protocol.
pub struct Mapper<D: Driver> {
    lanes: Vec<Arc<LaneParts<D>>>,
    publisher: Publisher<D>,
    link: MqttLink,
    events: Events,
}

impl<D: Driver> Mapper<D> {
    /// A mapper for `devices`, which speaks MQTT by `mqtt`; what it subscribes to is filled in here.
    ///
    /// # Errors
    /// [`InvalidMapper`] when it could never work.
    pub fn new(driver: D, devices: &[Arc<DeviceConfig>], mqtt: LinkSettings) -> Result<Self, InvalidMapper> {
        Self::with_pauses(driver, devices, mqtt, Pauses::default())
    }

    /// The same with other pauses between attempts at a device that does not answer.
    ///
    /// # Errors
    /// [`InvalidMapper`] when it could never work.
    pub fn with_pauses(
        driver: D,
        devices: &[Arc<DeviceConfig>],
        mut mqtt: LinkSettings,
        pauses: Pauses,
    ) -> Result<Self, InvalidMapper> {
        let (driver, news, clock) = (Arc::new(driver), Arc::new(Marks::default()), Clock::new());
        let mut by_lane: BTreeMap<_, Vec<Arc<Device<D>>>> = BTreeMap::new();
        for (number, config) in devices.iter().enumerate() {
            let device =
                Device::new(number, config).ok_or_else(|| InvalidMapper::Foreign(config.id.clone()))?;
            by_lane.entry(driver.lane(&device.link)).or_default().push(Arc::new(device));
        }
        let lane = |(key, devices)| {
            let (driver, news, mail) = (Arc::clone(&driver), Arc::clone(&news), Marks::default());
            Arc::new(LaneParts { driver, key, devices, mail, news, pauses, clock })
        };
        let lanes: Vec<Arc<LaneParts<D>>> = by_lane.into_iter().map(lane).collect();
        let mut served: Vec<Served<D>> = Vec::with_capacity(devices.len());
        for lane in &lanes {
            for (place, device) in lane.devices.iter().enumerate() {
                served.push(Served { device: Arc::clone(device), lane: Arc::clone(lane), place });
            }
        }
        served.sort_unstable_by_key(|served| served.device.number);
        mqtt.subscriptions = publisher::subscriptions(&served);
        let (link, handle, events) = MqttLink::connect(mqtt)?;
        let publisher = Publisher::new(served, news, handle);
        Ok(Self { lanes, publisher, link, events })
    }

    /// Reads, writes and reports until `stop`; then closes the devices, says of every value that nobody reads it now,
    /// and ends, within 8 s.
    ///
    /// # Errors
    /// [`Error`] when the MQTT link ended by itself. A driver that breaks down ends nothing: its lane starts again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let (lanes_stop, link_stop, publisher_stop) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let mut lanes = Lanes::start(self.lanes, &lanes_stop);
        let mut link = JoinSet::new();
        link.spawn(self.link.run(link_stop.clone()));
        let mut publisher = JoinSet::new();
        publisher.spawn(self.publisher.run(self.events, publisher_stop.clone()));
        let ended = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some(result) = link.join_next() => break Err(Error::Link(match result {
                    Ok(Ok(())) => "without a reason".into(),
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                })),
                Some(result) = publisher.join_next() => break Err(Error::Link(match result {
                    Ok(()) => "its events ended".into(),
                    Err(error) => error.to_string(),
                })),
                () = lanes.keep_running() => {}
            }
        };
        lanes_stop.cancel();
        if timeout(LANES_DEADLINE, lanes.ended()).await.is_err() {
            tracing::warn!("a lane did not end in time");
        }
        for parts in &lanes.parts {
            for device in &parts.devices {
                device.handle_stopped();
                parts.news.mark(device.number);
            }
        }
        publisher_stop.cancel();
        let ending = async {
            while publisher.join_next().await.is_some() {}
            link_stop.cancel();
            while link.join_next().await.is_some() {}
        };
        if timeout(LINK_DEADLINE, ending).await.is_err() {
            tracing::warn!("the MQTT link of the mapper did not end in time");
        }
        ended
    }
}

/// The running lanes; each that broke down is started again.
struct Lanes<D: Driver> {
    parts: Vec<Arc<LaneParts<D>>>,
    tasks: JoinSet<()>,
    running: HashMap<Id, usize>,
    breakdowns: Vec<u32>,
    stop: CancellationToken,
}

impl<D: Driver> Lanes<D> {
    fn start(parts: Vec<Arc<LaneParts<D>>>, stop: &CancellationToken) -> Self {
        let breakdowns = vec![0; parts.len()];
        let (tasks, running) = (JoinSet::new(), HashMap::new());
        let mut lanes = Self { parts, tasks, running, breakdowns, stop: stop.clone() };
        for number in 0..lanes.parts.len() {
            lanes.spawn(number, Duration::ZERO);
        }
        lanes
    }

    fn spawn(&mut self, number: usize, pause: Duration) {
        let (parts, stop) = (Arc::clone(&self.parts[number]), self.stop.clone());
        let task = self.tasks.spawn(async move {
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                Lane::new(parts).run(stop).await;
            }
        });
        self.running.insert(task.id(), number);
    }

    /// Waits for a lane that breaks down and starts it again; pending while none does. Cancel-safe.
    async fn keep_running(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.running.remove(&id)),
            Some(Err(error)) => self.handle_breakdown(&error),
            None => std::future::pending().await,
        }
    }

    fn handle_breakdown(&mut self, error: &JoinError) {
        let Some(number) = self.running.remove(&error.id()) else { return };
        self.breakdowns[number] = self.breakdowns[number].saturating_add(1);
        let pause = RESTART.after(self.breakdowns[number], &mut fastrand::Rng::new());
        let parts = &self.parts[number];
        let (lane, restart_ms) = (&parts.key, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        tracing::error!(%lane, %error, restart_ms, "the driver broke down; its lane is started again");
        for device in &parts.devices {
            device.handle_breakdown(wall());
            parts.news.mark(device.number);
        }
        self.spawn(number, pause);
    }

    async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
