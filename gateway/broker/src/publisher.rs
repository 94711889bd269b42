//! Publishing from inside the gateway, without a client.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use rmqtt::codec::types::{Publish as Packet, QoS};
use rmqtt::context::ServerContext;
use rmqtt::session::SessionState;
use rmqtt::types::{From, Id, Publish};
use tokio::sync::mpsc;

/// Messages of the gateway that the broker has not passed on yet.
const QUEUE: usize = 4096;

/// Publishes in the gateway's name, at QoS 1, in order; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Outgoing>,
    heard: Arc<Heard>,
}

struct Outgoing {
    topic: String,
    payload: Bytes,
    retain: bool,
}

/// Why a message was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// The broker has been closed.
    #[error("the MQTT broker is closed")]
    Closed,
    /// Too many messages wait to be passed on.
    #[error("too many MQTT messages wait in the broker")]
    Full,
}

/// Which last levels of topics anybody has subscribed to since the start. Never forgets: it only spares work that nobody
/// has ever asked for.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    all: AtomicBool,
    levels: RwLock<BTreeSet<String>>,
}

/// More different last levels than this are not told apart.
const MOST_LEVELS: usize = 64;

impl Heard {
    pub(crate) fn note(&self, filter: &str) {
        let last = filter.rsplit('/').next().unwrap_or_default();
        let mut levels = self.levels.write().unwrap_or_else(PoisonError::into_inner);
        if last == "#" || last == "+" || levels.len() >= MOST_LEVELS {
            self.all.store(true, Ordering::Release);
        } else if !levels.contains(last) {
            levels.insert(last.to_owned());
        }
    }

    fn is_heard(&self, last_level: &str) -> bool {
        self.all.load(Ordering::Acquire)
            || self.levels.read().unwrap_or_else(PoisonError::into_inner).contains(last_level)
    }
}

impl Publisher {
    /// Whether anybody has ever subscribed to topics whose last level is this one; what nobody hears need not be made.
    #[must_use]
    pub fn is_heard(&self, last_level: &str) -> bool {
        self.heard.is_heard(last_level)
    }

    /// Publishes, and waits for room if there is none. An empty `payload` with `retain` takes a retained message back.
    ///
    /// # Errors
    /// [`NotPublished::Closed`].
    pub async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<(), NotPublished> {
        let outgoing = Outgoing { topic: topic.to_owned(), payload: payload.into(), retain };
        self.queue.send(outgoing).await.map_err(|_| NotPublished::Closed)
    }

    /// Publishes if there is room.
    ///
    /// # Errors
    /// [`NotPublished`].
    pub fn try_publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<(), NotPublished> {
        let outgoing = Outgoing { topic: topic.to_owned(), payload: payload.into(), retain };
        self.queue.try_send(outgoing).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotPublished::Full,
            mpsc::error::TrySendError::Closed(_) => NotPublished::Closed,
        })
    }
}

/// The queue's other end.
pub(crate) struct Forwarder {
    queue: mpsc::Receiver<Outgoing>,
}

pub(crate) fn queue(heard: Arc<Heard>) -> (Publisher, Forwarder) {
    let (tx, rx) = mpsc::channel(QUEUE);
    (Publisher { queue: tx, heard }, Forwarder { queue: rx })
}

impl Forwarder {
    /// Passes messages on until the last [`Publisher`] is gone.
    pub(crate) async fn run(mut self, server: ServerContext) {
        let id = Id::new(server.node.id(), 0, None, None, "twinspan".into(), None);
        while let Some(message) = self.queue.recv().await {
            let packet = Packet {
                dup: false,
                retain: message.retain,
                qos: QoS::AtLeastOnce,
                topic: message.topic.into(),
                packet_id: None,
                payload: message.payload,
                properties: None,
            };
            let from = From::from_system(id.clone());
            if let Err(error) =
                SessionState::forwards(&server, from, Publish::from(packet), false, None).await
            {
                tracing::warn!(%error, "the MQTT broker could not pass a message on");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Heard;

    #[test]
    fn only_what_a_filter_can_match_is_heard() {
        let heard = Heard::default();
        assert!(!heard.is_heard("document"));
        heard.note("$hw/events/device/+/+/twin/update/result");
        assert!(heard.is_heard("result") && !heard.is_heard("document"));
        heard.note("$share/group/$hw/#");
        assert!(heard.is_heard("document"));
    }
}
