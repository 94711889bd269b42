//! The bus on the gateway's own broker: fed by its tap, not by a subscription, so that nothing is dropped on the way.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use mapper_contract::{ContractError, ErrorAnswer, Topic};
use mqtt_broker::{Access, Broker, BrokerSettings, Principal, Publisher, Qos, StartError, Tap};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::bus::{EventBus, Outlet};
use super::pipeline::{self, Message};
use super::speaker::Speaker;
use crate::clock::now;

/// Messages between the broker and the bus.
const QUEUE: usize = 4096;

impl Outlet for Publisher {
    fn publish(&self, topic: String, payload: Vec<u8>, retain: bool) {
        if let Err(error) = self.try_publish(&topic, payload, retain) {
            debug!(%topic, %error, "not published");
        }
    }

    fn is_heard(&self, last_level: &str) -> bool {
        Self::is_heard(self, last_level)
    }
}

struct BusTap {
    /// Empty for the moment between the broker's start and the bus's.
    bus: Arc<OnceLock<EventBus>>,
    queue: mpsc::Sender<Message>,
    access: Arc<Access>,
    outlet: Arc<OnceLock<Publisher>>,
}

#[async_trait]
impl Tap for BusTap {
    async fn published(&self, principal: &Principal, topic: &str, payload: Bytes, qos: Qos) {
        // An acknowledgement means "stored". Our own mappers hold the newest state and send it again after a failure: they
        // need not wait for each commit.
        let waits = match (principal, qos) {
            (Principal::Mapper(_), _) | (_, Qos::AtMostOnce) => false,
            (Principal::Local(_) | Principal::User(_), Qos::AtLeastOnce | Qos::ExactlyOnce) => true,
        };
        if !topic.starts_with("$hw/") {
            return;
        }
        // All go one way, whether they are waited for or not: what one client says stays in its order.
        let (done, finished) = oneshot::channel();
        let speaker = Speaker::of(principal, &self.access);
        let message = Message { speaker, topic: topic.to_owned(), payload, done: waits.then_some(done) };
        match self.queue.send(message).await {
            Ok(()) if waits => drop(finished.await),
            Ok(()) => {}
            // The bus is stopping: who waits gets its answer from there.
            Err(SendError(message)) => {
                if let Some(bus) = self.bus.get().filter(|_| waits) {
                    bus.handle(&message.speaker, &message.topic, &message.payload).await;
                }
            }
        }
    }

    async fn refused(&self, principal: &Principal, topic: &str, _payload: Bytes) {
        debug!(client = principal.name(), topic, "a client may not publish here");
        let (Some(outlet), Some(reply)) =
            (self.outlet.get(), topic.parse::<Topic>().ok().and_then(|topic| topic.result()))
        else {
            return;
        };
        let reason = format!("{} may not publish on this topic", principal.name());
        let answer = ErrorAnswer::new("", &ContractError::Forbidden { reason }, now());
        let _ = outlet.publish(&reply.to_string(), answer.encode(), false).await;
    }
}

/// The broker, its way to the bus, and where the bus publishes.
pub struct Embedded {
    /// The broker.
    pub broker: Broker,
    bus: Arc<OnceLock<EventBus>>,
    queue: mpsc::Receiver<Message>,
}

impl Embedded {
    /// Starts the broker. Messages wait until [`run`](Self::feed) is called.
    ///
    /// # Errors
    /// [`StartError`] with the mend.
    pub async fn start(settings: BrokerSettings, access: Arc<Access>) -> Result<Self, StartError> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let bus = Arc::new(OnceLock::new());
        let outlet = Arc::new(OnceLock::new());
        let (outlet_of_tap, access_of_tap) = (Arc::clone(&outlet), Arc::clone(&access));
        let tap =
            BusTap { bus: Arc::clone(&bus), queue: sender, access: access_of_tap, outlet: outlet_of_tap };
        let broker = Broker::start(settings, access, Arc::new(tap)).await?;
        let _ = outlet.set(broker.publisher());
        Ok(Self { broker, bus, queue })
    }

    /// Joins the bus to the broker; the future takes what need not be waited for, until `stop`.
    pub fn feed(
        self,
        bus: EventBus,
        stop: tokio_util::sync::CancellationToken,
    ) -> (Broker, impl Future<Output = ()> + Send + 'static) {
        let _ = self.bus.set(bus.clone());
        (self.broker, pipeline::run(bus, self.queue, stop))
    }
}
