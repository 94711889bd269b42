//! The mapper as a task: lanes that read and write, and one publisher that speaks MQTT.

mod clock;
mod device;
mod lane;
mod lanes;
pub(crate) mod marks;
mod members;
mod outbox;
mod publisher;
mod seat;
mod wishes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::DeviceConfig;
use mqtt_link::{Events, InvalidSettings, LinkSettings, MqttLink};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::DeviceId;

use crate::assignment::{Assignment, assignment};
use crate::breaker::Pauses;
use crate::driver::Driver;
use crate::runtime::device::Device;
use crate::runtime::lanes::Lanes;
use crate::runtime::marks::Marks;
use crate::runtime::publisher::{Publisher, Roll, Served};

/// How long the lanes may take to close when the mapper stops.
const LANES_DEADLINE: Duration = Duration::from_secs(3);
/// How long the publisher and the link may take after them.
const LINK_DEADLINE: Duration = Duration::from_secs(5);

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
    lanes: Lanes<D>,
    roster: Roster<D>,
    publisher: Publisher<D>,
    rolls: mpsc::Sender<Roll<D>>,
    assignment: Assignment,
    link: MqttLink,
    events: Events,
}

/// The devices that are served, with what the configuration says of each.
struct Roster<D: Driver> {
    served: BTreeMap<DeviceId, (Arc<DeviceConfig>, Arc<Device<D>>)>,
    /// The number of the next device; never given twice.
    next: usize,
}

impl<D: Driver> Mapper<D> {
    /// A mapper for `devices`, which speaks MQTT by `mqtt`; what it subscribes to is filled in here.
    ///
    /// # Errors
    /// [`InvalidMapper`] when it could never work.
    pub fn new(driver: D, devices: &[Arc<DeviceConfig>], mqtt: LinkSettings) -> Result<Self, InvalidMapper> {
        Self::with_pauses(driver, assignment(devices.to_vec()).1, mqtt, D::PAUSES)
    }

    /// A mapper for the devices that it is assigned, now and later.
    ///
    /// # Errors
    /// [`InvalidMapper`] when it could never work.
    pub fn assigned(driver: D, devices: Assignment, mqtt: LinkSettings) -> Result<Self, InvalidMapper> {
        Self::with_pauses(driver, devices, mqtt, D::PAUSES)
    }

    /// The same with other pauses between attempts at a device that does not answer.
    ///
    /// # Errors
    /// [`InvalidMapper`] when it could never work.
    pub fn with_pauses(
        driver: D,
        mut assignment: Assignment,
        mut mqtt: LinkSettings,
        pauses: Pauses,
    ) -> Result<Self, InvalidMapper> {
        let (_, devices) = assignment.take();
        if let Some(foreign) = devices.iter().find(|config| Device::<D>::new(0, config).is_none()) {
            return Err(InvalidMapper::Foreign(foreign.id.clone()));
        }
        assignment.mark_untaken();
        mqtt.subscriptions = devices.iter().map(|config| publisher::delta_topic(&config.id)).collect();
        let news = Arc::new(Marks::default());
        let lanes = Lanes::new(Arc::new(driver), Arc::clone(&news), pauses, assignment.figures().clone());
        let (link, handle, events) = MqttLink::connect(mqtt)?;
        let (rolls, coming) = mpsc::channel(4);
        let publisher = Publisher::new(coming, news, handle);
        let roster = Roster { served: BTreeMap::new(), next: 0 };
        Ok(Self { lanes, roster, publisher, rolls, assignment, link, events })
    }

    /// Reads, writes and reports until `stop`; then closes the devices, says of every value that nobody reads it now,
    /// and ends, within 8 s.
    ///
    /// # Errors
    /// [`Error`] when the MQTT link ended by itself. A driver that breaks down ends nothing: its lane starts again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let Self { mut lanes, mut roster, publisher, rolls, mut assignment, link, events } = self;
        let (link_stop, publisher_stop) = (CancellationToken::new(), CancellationToken::new());
        let mut link_task = JoinSet::new();
        let mut publisher_task = JoinSet::new();
        publisher_task.spawn(publisher.run(events, publisher_stop.clone()));
        roster.follow(&mut assignment, &mut lanes, &rolls).await;
        link_task.spawn(link.run(link_stop.clone()));
        let ended = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some(result) = link_task.join_next() => break Err(Error::Link(match result {
                    Ok(Ok(())) => "without a reason".into(),
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                })),
                Some(result) = publisher_task.join_next() => break Err(Error::Link(match result {
                    Ok(()) => "its events ended".into(),
                    Err(error) => error.to_string(),
                })),
                () = assignment.changed() => roster.follow(&mut assignment, &mut lanes, &rolls).await,
                () = lanes.keep_running() => {}
            }
        };
        lanes.stop();
        if timeout(LANES_DEADLINE, lanes.ended()).await.is_err() {
            tracing::warn!("a lane did not end in time");
        }
        for (_, device) in roster.served.values() {
            device.handle_stopped();
            lanes.news().mark(device.number);
        }
        publisher_stop.cancel();
        let ending = async {
            while publisher_task.join_next().await.is_some() {}
            link_stop.cancel();
            while link_task.join_next().await.is_some() {}
        };
        if timeout(LINK_DEADLINE, ending).await.is_err() {
            tracing::warn!("the MQTT link of the mapper did not end in time");
        }
        ended
    }
}

impl<D: Driver> Roster<D> {
    /// Takes the devices that are assigned now; those that are the same are left alone.
    async fn follow(
        &mut self,
        assignment: &mut Assignment,
        lanes: &mut Lanes<D>,
        rolls: &mpsc::Sender<Roll<D>>,
    ) {
        let (generation, devices) = assignment.take();
        let wanted: BTreeMap<&DeviceId, &Arc<DeviceConfig>> = devices.iter().map(|d| (&d.id, d)).collect();
        let differs = |(id, (config, _)): &(&DeviceId, &(Arc<DeviceConfig>, _))| {
            wanted.get(id).is_none_or(|wanted| *wanted != config)
        };
        let gone: Vec<DeviceId> = self.served.iter().filter(differs).map(|(id, _)| id.clone()).collect();
        let mut roll = Roll { gone: Vec::new(), come: Vec::new() };
        for id in gone {
            let Some((_, device)) = self.served.remove(&id) else { continue };
            device.handle_retired();
            assignment.controls().leave(&id, &device.desk);
            lanes.remove(&device);
            roll.gone.push(device);
        }
        for (id, config) in wanted {
            if self.served.contains_key(id) {
                continue;
            }
            let Some(device) = Device::new(self.next, config) else {
                let error = InvalidMapper::Foreign(id.clone());
                tracing::error!(%error, "a device is not served");
                continue;
            };
            self.next += 1;
            let device = Arc::new(device);
            // Before its lane has it: one that is paused is not asked even once.
            assignment.controls().enter(id, &device.desk);
            let lane = lanes.add(Arc::clone(&device));
            self.served.insert(id.clone(), (Arc::clone(config), Arc::clone(&device)));
            roll.come.push(Served { device, lane });
        }
        lanes.prune();
        if rolls.send(roll).await.is_ok() {
            assignment.handle_done(generation);
        }
    }
}
