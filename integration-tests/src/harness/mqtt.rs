//! An MQTT client that is not ours: it connects again by itself and hands on what comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The most messages that wait for the test; more are dropped.
const QUEUE: usize = 200_000;
/// How long a subscription may take.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its body.
    pub payload: Bytes,
}

impl Message {
    /// Its body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or(Value::Null)
    }
}

#[derive(Debug, Default)]
struct Seen {
    up: AtomicBool,
    subscribed: AtomicU64,
    acknowledged: AtomicU64,
    lost: AtomicU64,
}

/// A client.
#[derive(Debug)]
pub struct Mqtt {
    client: AsyncClient,
    client_id: String,
    messages: mpsc::Receiver<Message>,
    seen: Arc<Seen>,
    next_id: u64,
    _task: JoinSet<()>,
}

impl Mqtt {
    /// A client of the broker on a port of loopback.
    #[must_use]
    pub fn connect(port: u16, client_id: &str) -> Self {
        Self::with(port, client_id, |_| ())
    }

    /// The same with other options.
    #[must_use]
    pub fn with(port: u16, client_id: &str, set: impl FnOnce(&mut MqttOptions)) -> Self {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(10)).set_max_packet_size(4 << 20, 32 << 20);
        set(&mut options);
        let (client, events) = AsyncClient::new(options, 1000);
        let (sender, messages) = mpsc::channel(QUEUE);
        let seen = Arc::new(Seen::default());
        let mut task = JoinSet::new();
        task.spawn(poll(events, sender, Arc::clone(&seen)));
        Self { client, client_id: client_id.to_owned(), messages, seen, next_id: 0, _task: task }
    }

    /// Subscribes; whether that comes into force within that time.
    pub async fn try_subscribe(&mut self, filter: &str, within: Duration) -> bool {
        let before = self.seen.subscribed.load(Ordering::SeqCst);
        let deadline = Instant::now() + within;
        if self.client.subscribe(filter, QoS::AtLeastOnce).await.is_err() {
            return false;
        }
        while Instant::now() < deadline {
            if self.seen.subscribed.load(Ordering::SeqCst) > before {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    /// Subscribes and waits until that is in force.
    ///
    /// # Panics
    /// When it does not come into force.
    pub async fn subscribe(&mut self, filter: &str) {
        let deadline = Instant::now() + SUBSCRIBE_LIMIT;
        while !self.is_up() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            self.try_subscribe(filter, SUBSCRIBE_LIMIT).await,
            "the subscription to {filter} is not in force"
        );
    }

    /// Publishes at QoS 1 without waiting for the acknowledgement.
    ///
    /// # Panics
    /// When the client has ended.
    pub async fn publish(&self, topic: &str, body: impl Into<Vec<u8>>) {
        self.client.publish(topic, QoS::AtLeastOnce, false, body).await.expect("the client runs");
    }

    /// Publishes at QoS 0.
    ///
    /// # Panics
    /// When the client has ended.
    pub async fn publish_unsure(&self, topic: &str, body: impl Into<Vec<u8>>) {
        self.client.publish(topic, QoS::AtMostOnce, false, body).await.expect("the client runs");
    }

    /// Publishes a request with an `event_id` of its own and waits for the answer; none when it does not come.
    pub async fn ask(&mut self, topic: &str, mut body: Value, within: Duration) -> Option<Value> {
        self.next_id += 1;
        let id = format!("{}-{}", self.client_id, self.next_id);
        body["event_id"] = Value::from(id.as_str());
        self.publish(topic, body.to_string()).await;
        let result = format!("{topic}/result");
        self.find(within, |message| message.topic == result && message.json()["event_id"] == *id)
            .await
            .map(|message| message.json())
    }

    /// The next message that `wanted` takes; what it does not take is gone. None when it does not come.
    pub async fn find(&mut self, within: Duration, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let deadline = Instant::now() + within;
        loop {
            match timeout_at(deadline, self.messages.recv()).await {
                Ok(Some(message)) if wanted(&message) => return Some(message),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Whether it is connected.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.seen.up.load(Ordering::SeqCst)
    }

    /// How many messages were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.seen.acknowledged.load(Ordering::SeqCst)
    }

    /// How often a connection was lost or refused.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.seen.lost.load(Ordering::SeqCst)
    }
}

async fn poll(mut events: EventLoop, messages: mpsc::Sender<Message>, seen: Arc<Seen>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => seen.up.store(true, Ordering::SeqCst),
            Ok(Event::Incoming(Packet::SubAck(_))) => {
                seen.subscribed.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                seen.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Event::Incoming(Packet::Publish(message))) => {
                // Full only when the test does not read; then the message is not missed by it either.
                let _ = messages.try_send(Message { topic: message.topic, payload: message.payload });
            }
            Ok(_) => {}
            Err(_) => {
                seen.up.store(false, Ordering::SeqCst);
                seen.lost.fetch_add(1, Ordering::SeqCst);
                // What was on its way belongs to the connection that is gone.
                events.clean();
                events.pending.clear();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
