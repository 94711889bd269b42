//! The connection: one task polls it, reconnects it and tells what happens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::{AsyncClient, EventLoop, Outgoing, Packet, QoS, SubscribeFilter, SubscribeReasonCode};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::acks::Acks;
use crate::backoff::Backoff;
use crate::handle::{Handle, Shared};
use crate::settings::{InvalidSettings, LinkSettings};

/// Messages that are handed over but not acknowledged yet.
const ROOM: usize = 1024;
/// Messages that are on the wire but not acknowledged yet.
const INFLIGHT: u16 = 512;
/// Events that nobody has read yet.
const EVENTS: usize = 1024;
/// How long the link waits for whoever reads its events before it gives the connection up: the broker then keeps or
/// resends what counts, and a reader that hangs does not look connected.
const READER_DEADLINE: Duration = Duration::from_secs(20);
/// How long what was handed over may take to leave when the link stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// What happens on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The link is up and the subscriptions are in force. Retained messages follow, or came just before.
    Connected,
    /// The link is down; it comes back by itself. What was not acknowledged may or may not have arrived.
    Disconnected {
        /// Why, in words.
        reason: String,
    },
    /// A message came.
    Message {
        /// Its topic.
        topic: String,
        /// Its body.
        payload: Bytes,
        /// Whether it lay at the broker before we subscribed.
        retain: bool,
    },
}

/// The events, in order.
pub struct Events {
    rx: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; none when the link has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.rx.recv().await
    }
}

/// Why a link ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody reads the events any more.
    #[error("nobody reads the events of the MQTT link any more")]
    NoReader,
}

/// A link that is not running yet.
pub struct MqttLink {
    event_loop: EventLoop,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    /// What this connection was told to send when it began.
    subscribed: BTreeSet<String>,
    /// Whether the broker has answered that.
    subscribing: bool,
    url: String,
}

impl MqttLink {
    /// Prepares a link; nothing connects before [`run`](Self::run).
    ///
    /// # Errors
    /// [`InvalidSettings`] for what no waiting will mend.
    pub fn connect(settings: LinkSettings) -> Result<(Self, Handle, Events), InvalidSettings> {
        let options = settings.options(INFLIGHT)?;
        // Room for every message that may be handed over, and for subscribing and the goodbye beside them.
        let (client, mut event_loop) = AsyncClient::new(options, ROOM + 16);
        let mut network = event_loop.network_options();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(10);
        event_loop.set_network_options(network);
        let filters = Mutex::new(settings.subscriptions.into_iter().collect());
        let room = Arc::new(Semaphore::new(ROOM));
        let shared = Arc::new(Shared { client, room, acks: Mutex::new(None), filters });
        let (events, rx) = mpsc::channel(EVENTS);
        let handle = Handle { shared: Arc::clone(&shared) };
        let (subscribed, subscribing, url) = (BTreeSet::new(), false, settings.url);
        Ok((Self { event_loop, shared, events, subscribed, subscribing, url }, handle, Events { rx }))
    }

    /// Connects, and reconnects until `stop`; then says goodbye to the broker.
    ///
    /// # Errors
    /// [`Error::NoReader`] when the [`Events`] were dropped.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let reason = tokio::select! {
                () = stop.cancelled() => return self.goodbye().await,
                ended = self.until_broken() => ended?,
            };
            let was_up = self.down();
            let wait = backoff.next(if was_up { begun.elapsed() } else { Duration::ZERO }, random());
            let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(url = %self.url, %reason, retry_ms, "the MQTT link is down");
            if was_up {
                self.tell(Event::Disconnected { reason }).await?;
            }
            tokio::select! {
                () = stop.cancelled() => return self.goodbye().await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Works the connection until it breaks; gives the reason.
    async fn until_broken(&mut self) -> Result<String, Error> {
        loop {
            let event = match self.event_loop.poll().await {
                Ok(event) => event,
                Err(error) => return Ok(error.to_string()),
            };
            match event {
                rumqttc::Event::Incoming(Packet::ConnAck(_)) => {
                    self.subscribed = self.shared.filters().clone();
                    if self.subscribed.is_empty() {
                        self.up().await?;
                        continue;
                    }
                    let filters = self.subscribed.iter();
                    let filters = filters.map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
                    if let Err(error) = self.shared.client.try_subscribe_many(filters) {
                        return Ok(format!("cannot subscribe: {error}"));
                    }
                    self.subscribing = true;
                }
                rumqttc::Event::Incoming(Packet::SubAck(ack)) => {
                    let refused = ack.return_codes.iter().position(|c| *c == SubscribeReasonCode::Failure);
                    if let Some(place) = refused {
                        // Which later ones were asked for together is not kept.
                        let filter = self.subscribed.iter().nth(place).filter(|_| self.subscribing);
                        let filter = filter.map_or("a device's topic", String::as_str);
                        return Ok(format!("the broker refuses the subscription to {filter}"));
                    }
                    if std::mem::take(&mut self.subscribing) {
                        self.up().await?;
                    }
                }
                rumqttc::Event::Incoming(Packet::Publish(message)) => {
                    let (topic, payload, retain) = (message.topic, message.payload, message.retain);
                    if !self.tell(Event::Message { topic, payload, retain }).await? {
                        return Ok("whoever reads the events is too slow".to_owned());
                    }
                }
                rumqttc::Event::Incoming(Packet::PubAck(ack)) => {
                    if let Some(acks) = self.shared.acks().as_mut() {
                        acks.acknowledged(ack.pkid);
                    }
                }
                rumqttc::Event::Outgoing(Outgoing::Publish(packet)) => {
                    if let Some(acks) = self.shared.acks().as_mut() {
                        acks.left(packet);
                    }
                }
                rumqttc::Event::Incoming(_) | rumqttc::Event::Outgoing(_) => {}
            }
        }
    }

    async fn up(&mut self) -> Result<(), Error> {
        {
            let filters = self.shared.filters();
            *self.shared.acks() = Some(Acks::default());
            // What was added while the broker was answering.
            let late: Vec<String> = filters.difference(&self.subscribed).cloned().collect();
            if !late.is_empty() {
                let late = late.into_iter().map(|f| SubscribeFilter::new(f, QoS::AtLeastOnce));
                // There is room: nothing else has been handed over on this connection.
                let _ = self.shared.client.try_subscribe_many(late);
            }
        }
        tracing::info!(url = %self.url, "the MQTT link is up");
        self.tell(Event::Connected).await.map(|_| ())
    }

    /// Forgets what was on the way, so that nothing old is sent after the reconnect; true when the link had been up.
    fn down(&mut self) -> bool {
        let acks = self.shared.acks().take();
        self.subscribing = false;
        self.event_loop.clean();
        self.event_loop.pending.clear();
        acks.is_some()
    }

    /// False when nobody read for too long. Exclusive, since the event loop cannot be shared between threads.
    async fn tell(&mut self, event: Event) -> Result<bool, Error> {
        match self.events.send_timeout(event, READER_DEADLINE).await {
            Ok(()) => Ok(true),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Ok(false),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Error::NoReader),
        }
    }

    /// Lets what was handed over leave, then disconnects, so that the broker does not publish the last will.
    async fn goodbye(mut self) -> Result<(), Error> {
        if self.shared.acks().is_none() {
            return Ok(());
        }
        let leave = async {
            let mut said = false;
            loop {
                if !said && self.shared.acks().as_ref().is_none_or(Acks::is_empty) {
                    // From here on nothing more is taken.
                    *self.shared.acks() = None;
                    said = self.shared.client.try_disconnect().is_ok();
                }
                match self.event_loop.poll().await {
                    Err(_) | Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) => return,
                    Ok(rumqttc::Event::Incoming(Packet::PubAck(ack))) => {
                        if let Some(acks) = self.shared.acks().as_mut() {
                            acks.acknowledged(ack.pkid);
                        }
                    }
                    Ok(rumqttc::Event::Outgoing(Outgoing::Publish(packet))) => {
                        if let Some(acks) = self.shared.acks().as_mut() {
                            acks.left(packet);
                        }
                    }
                    Ok(rumqttc::Event::Incoming(_) | rumqttc::Event::Outgoing(_)) => {}
                }
            }
        };
        if tokio::time::timeout(STOP_DEADLINE, leave).await.is_err() {
            tracing::warn!(url = %self.url, "MQTT messages were still on the way when the link stopped");
        }
        Ok(())
    }
}

/// When the link ends, however it does, whoever waits for an acknowledgement is told.
impl Drop for MqttLink {
    fn drop(&mut self) {
        *self.shared.acks() = None;
        self.shared.room.close();
    }
}

fn random() -> u32 {
    // Without randomness all links would come back together, which is only slower.
    getrandom::u32().unwrap_or(u32::MAX)
}
