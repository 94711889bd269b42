//! Between the outboxes and MQTT: one message at a time for each device, many devices at a time, the newest state only.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mapper_contract::{Delta, DeviceTopic, StateUpdate, Topic};
use mqtt_link::{Event, Events, Handle, PublishError};
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

/// A device, with the lane that serves it and its place there.
pub(crate) struct Served<D: Driver> {
    pub(crate) device: Arc<Device<D>>,
    pub(crate) lane: Arc<LaneParts<D>>,
    pub(crate) place: usize,
}

pub(crate) struct Publisher<D: Driver> {
    served: Vec<Served<D>>,
    by_id: HashMap<DeviceId, usize>,
    news: Arc<Marks>,
    handle: Handle,
    waiting: BTreeSet<usize>,
    sending: BTreeSet<usize>,
    on_the_way: FuturesUnordered<BoxFuture<'static, (usize, Result<(), PublishError>)>>,
    connected: bool,
}

impl<D: Driver> Publisher<D> {
    pub(crate) fn new(served: Vec<Served<D>>, news: Arc<Marks>, handle: Handle) -> Self {
        let by_id = served.iter().map(|s| (s.device.id.clone(), s.device.number)).collect();
        Self {
            served,
            by_id,
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

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                // The gateway may have been restarted, or restored from a backup: tell it everything again.
                for served in &self.served {
                    served.device.outbox().handle_lost();
                    self.waiting.insert(served.device.number);
                }
            }
            Event::Disconnected { .. } => self.connected = false,
            Event::Message { topic, payload, .. } => self.handle_message(&topic, &payload),
        }
    }

    fn handle_message(&mut self, topic: &str, payload: &[u8]) {
        let Ok(Topic::Device(id, DeviceTopic::TwinUpdateDelta)) = topic.parse() else { return };
        let Some(served) = self.by_id.get(&id).and_then(|number| self.served.get(*number)) else { return };
        let delta = match Delta::parse(payload) {
            Ok(delta) => delta,
            Err(refusal) => {
                tracing::warn!(device = %id, reason = %refusal, "a delta that cannot be read");
                return;
            }
        };
        let (to_write, to_tell) = served.device.handle_delta(&delta, wall());
        if to_write {
            served.lane.mail.mark(served.place);
        }
        if to_tell {
            self.waiting.insert(served.device.number);
        }
    }

    fn handle_sent(&mut self, device: usize, result: Result<(), PublishError>) {
        self.sending.remove(&device);
        match result {
            Ok(()) => {}
            Err(PublishError::NotConnected | PublishError::Full | PublishError::NoAck) => {
                if let Some(served) = self.served.get(device) {
                    served.device.outbox().handle_lost();
                }
                self.waiting.insert(device);
            }
            Err(error @ (PublishError::TooLarge { .. } | PublishError::BadTopic)) => {
                let id = self.served.get(device).map(|served| served.device.id.as_str());
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
            let Some(served) = self.served.get(number) else { continue };
            let owed = served.device.outbox().take();
            let mut messages = Vec::with_capacity(2);
            let now = wall();
            if let Some(state) = owed.state {
                let body = StateUpdate { event_id: String::new(), timestamp: Some(now), state };
                let topic = Topic::Device(served.device.id.clone(), DeviceTopic::StateUpdate);
                messages.push((topic.to_string(), body.encode()));
            }
            if let Some(mut update) = owed.update {
                update.timestamp = Some(now);
                let topic = Topic::Device(served.device.id.clone(), DeviceTopic::TwinUpdate);
                messages.push((topic.to_string(), update.encode()));
            }
            if messages.is_empty() {
                continue;
            }
            self.sending.insert(number);
            let handle = self.handle.clone();
            self.on_the_way.push(publish(handle, number, messages).boxed());
        }
    }
}

/// The topics to subscribe to.
pub(crate) fn subscriptions<D: Driver>(served: &[Served<D>]) -> Vec<String> {
    let topic = |s: &Served<D>| Topic::Device(s.device.id.clone(), DeviceTopic::TwinUpdateDelta).to_string();
    served.iter().map(topic).collect()
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
