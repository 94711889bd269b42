//! Between the outboxes and MQTT: one message at a time for each device, many devices at a time, the newest state only.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mapper_contract::{Delta, DeviceTopic, StateUpdate, Topic};
use mqtt_link::{Event, Events, Handle, PublishError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use twin_core::DeviceId;

use crate::driver::Driver;
use crate::runtime::clock::wall;
use crate::runtime::device::Device;
use crate::runtime::lane::LaneParts;
use crate::runtime::marks::Marks;

/// Messages on the way at the same time; each is of another device.
const MOST_ON_THE_WAY: usize = 256;
/// How long to wait after a broker did not take a message.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long the last messages may take at the end.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// A device, with the lane that serves it.
pub(crate) struct Served<D: Driver> {
    pub(crate) device: Arc<Device<D>>,
    pub(crate) lane: Arc<LaneParts<D>>,
}

/// Devices that come and go.
pub(crate) struct Roll<D: Driver> {
    pub(crate) gone: Vec<Arc<Device<D>>>,
    pub(crate) come: Vec<Served<D>>,
}

pub(crate) struct Publisher<D: Driver> {
    served: HashMap<usize, Served<D>>,
    by_id: HashMap<DeviceId, usize>,
    /// Of devices that are gone: what is left to be said.
    parting: HashMap<usize, Arc<Device<D>>>,
    /// Topics that the link had no room to ask for.
    unasked: Vec<String>,
    rolls: mpsc::Receiver<Roll<D>>,
    news: Arc<Marks>,
    handle: Handle,
    waiting: BTreeSet<usize>,
    sending: BTreeSet<usize>,
    on_the_way: FuturesUnordered<BoxFuture<'static, (usize, Result<(), PublishError>)>>,
    connected: bool,
}

impl<D: Driver> Publisher<D> {
    /// A publisher of no device yet.
    pub(crate) fn new(rolls: mpsc::Receiver<Roll<D>>, news: Arc<Marks>, handle: Handle) -> Self {
        Self {
            served: HashMap::new(),
            by_id: HashMap::new(),
            parting: HashMap::new(),
            unasked: Vec::new(),
            rolls,
            news,
            handle,
            waiting: BTreeSet::new(),
            sending: BTreeSet::new(),
            on_the_way: FuturesUnordered::new(),
            connected: false,
        }
    }

    /// Works until `stop` or until the link has ended, then sends what is still owed.
    pub(crate) async fn run(mut self, mut events: Events, stop: CancellationToken) {
        let news = Arc::clone(&self.news);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.next() => match event {
                    Some(event) => self.handle_event(event),
                    None => return,
                },
                Some(roll) = self.rolls.recv() => self.handle_roll(roll),
                () = news.rung() => self.waiting.extend(news.take()),
                Some((device, result)) = self.on_the_way.next() => self.handle_sent(device, result),
            }
            self.send();
        }
        let flush = async {
            self.waiting.extend(news.take());
            self.send();
            while self.connected
                && let Some((device, result)) = self.on_the_way.next().await
            {
                self.handle_sent(device, result);
                self.send();
            }
        };
        if tokio::time::timeout(FLUSH_DEADLINE, flush).await.is_err() {
            tracing::warn!("the last values could not all be published before the mapper ended");
        }
    }

    fn handle_roll(&mut self, roll: Roll<D>) {
        let mut unheard = Vec::new();
        for device in roll.gone {
            let Some(served) = self.served.remove(&device.number) else { continue };
            self.by_id.remove(&device.id);
            unheard.push(delta_topic(&device.id));
            self.waiting.insert(device.number);
            self.parting.insert(device.number, served.device);
        }
        let mut heard = Vec::new();
        for served in roll.come {
            heard.push(delta_topic(&served.device.id));
            self.by_id.insert(served.device.id.clone(), served.device.number);
            self.served.insert(served.device.number, served);
        }
        unheard.retain(|topic| !heard.contains(topic));
        self.handle.unsubscribe(&unheard);
        // Of a device that was there before, the broker says again what is wanted of it.
        self.unasked.retain(|topic| !unheard.contains(topic));
        self.unasked.extend(heard);
        self.ask();
    }

    /// Asks for the topics that are not asked for yet, as far as there is room.
    fn ask(&mut self) {
        if !self.unasked.is_empty() && self.handle.subscribe(&self.unasked).is_ok() {
            self.unasked.clear();
        }
    }

    fn device(&self, number: usize) -> Option<&Arc<Device<D>>> {
        self.served.get(&number).map(|served| &served.device).or_else(|| self.parting.get(&number))
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                // The gateway may have been restarted, or restored from a backup: tell it everything again.
                for (number, served) in &self.served {
                    served.device.outbox().handle_lost();
                    self.waiting.insert(*number);
                }
                self.unasked.clear();
            }
            Event::Disconnected { .. } => self.connected = false,
            Event::Message { topic, payload, .. } => self.handle_message(&topic, &payload),
        }
    }

    fn handle_message(&mut self, topic: &str, payload: &[u8]) {
        let Ok(Topic::Device(id, DeviceTopic::TwinUpdateDelta)) = topic.parse() else { return };
        let Some(served) = self.by_id.get(&id).and_then(|number| self.served.get(number)) else { return };
        let delta = match Delta::parse(payload) {
            Ok(delta) => delta,
            Err(refusal) => {
                tracing::warn!(device = %id, reason = %refusal, "a delta that cannot be read");
                return;
            }
        };
        let (to_write, to_tell) = served.device.handle_delta(&delta, wall());
        if to_write {
            served.lane.mail.mark(served.device.number);
        }
        if to_tell {
            self.waiting.insert(served.device.number);
        }
    }

    fn handle_sent(&mut self, device: usize, result: Result<(), PublishError>) {
        self.sending.remove(&device);
        self.ask();
        match result {
            Ok(()) => drop(self.parting.remove(&device)),
            Err(PublishError::NotConnected | PublishError::Full | PublishError::NoAck) => {
                if let Some(device) = self.device(device) {
                    device.outbox().handle_lost();
                }
                self.waiting.insert(device);
            }
            Err(error @ (PublishError::TooLarge { .. } | PublishError::BadTopic)) => {
                let id = self.device(device).map(|device| device.id.as_str());
                tracing::error!(device = id, %error, "a message that can never be published was dropped");
            }
        }
    }

    /// Hands over what is owed, as far as there is room.
    fn send(&mut self) {
        if !self.connected {
            return;
        }
        let free: Vec<usize> = self
            .waiting
            .difference(&self.sending)
            .copied()
            .take(MOST_ON_THE_WAY.saturating_sub(self.sending.len()))
            .collect();
        for number in free {
            self.waiting.remove(&number);
            let Some(device) = self.device(number) else { continue };
            let owed = device.outbox().take();
            let mut messages = Vec::with_capacity(2);
            let now = wall();
            if let Some(state) = owed.state {
                let body = StateUpdate { event_id: String::new(), timestamp: Some(now), state };
                let topic = Topic::Device(device.id.clone(), DeviceTopic::StateUpdate);
                messages.push((topic.to_string(), body.encode()));
            }
            if let Some(mut update) = owed.update {
                update.timestamp = Some(now);
                let topic = Topic::Device(device.id.clone(), DeviceTopic::TwinUpdate);
                messages.push((topic.to_string(), update.encode()));
            }
            if messages.is_empty() {
                self.parting.remove(&number);
                continue;
            }
            self.sending.insert(number);
            let handle = self.handle.clone();
            self.on_the_way.push(publish(handle, number, messages).boxed());
        }
    }
}

/// Where the gateway says what is wanted of a device.
pub(crate) fn delta_topic(device: &DeviceId) -> String {
    Topic::Device(device.clone(), DeviceTopic::TwinUpdateDelta).to_string()
}

async fn publish(
    handle: Handle,
    number: usize,
    messages: Vec<(String, Vec<u8>)>,
) -> (usize, Result<(), PublishError>) {
    for (topic, body) in messages {
        if let Err(error) = handle.publish_acked(&topic, body, false).await {
            tokio::time::sleep(AGAIN_AFTER).await;
            return (number, Err(error));
        }
    }
    (number, Ok(()))
}
