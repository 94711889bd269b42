//! Publishing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{AsyncClient, QoS, SubscribeFilter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::acks::{Acks, Waiting};

/// The most bytes in a topic and its payload together, with room for the packet around them.
const MAX_PUBLISH_BYTES: usize = 2 * 1024 * 1024 - 64;
/// How long an acknowledgement may take.
const ACK_DEADLINE: Duration = Duration::from_secs(30);

/// How surely a message arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Sent once and forgotten.
    AtMostOnce,
    /// Acknowledged by the broker.
    AtLeastOnce,
}

/// Why a message was not published. None of them keeps the message: the caller has the newest state, and sends that
/// later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The link is down, or broke before the acknowledgement. Wait for the next `Connected`.
    #[error("the MQTT link is down")]
    NotConnected,
    /// The broker does not take messages as fast as they come. Try again with the state of then.
    #[error("too many MQTT messages are on the way")]
    Full,
    /// The message is longer than any packet may be.
    #[error("the MQTT message has {bytes} bytes; at most {MAX_PUBLISH_BYTES} can be sent")]
    TooLarge {
        /// The length of topic and payload, in bytes.
        bytes: usize,
    },
    /// The broker took the message but did not acknowledge it in 30 s.
    #[error("the broker did not acknowledge within 30 s")]
    NoAck,
    /// The topic has a wildcard, or is empty.
    #[error("a message cannot be published on a filter or an empty topic")]
    BadTopic,
}

/// Publishes over the link; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) client: AsyncClient,
    /// Room for messages that are not acknowledged yet.
    pub(crate) room: Arc<Semaphore>,
    /// None while the link is down. Held while handing over, so that the order here is the order on the wire.
    pub(crate) acks: Mutex<Option<Acks>>,
    /// What is to be heard. Locked before `acks` where both are.
    pub(crate) filters: Mutex<BTreeSet<String>>,
}

impl Shared {
    pub(crate) fn acks(&self) -> MutexGuard<'_, Option<Acks>> {
        // Nothing under this lock can panic half-way.
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn filters(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Whether the link is up at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.acks().is_some()
    }

    /// Hands a message over and does not wait.
    ///
    /// # Errors
    /// [`PublishError`], at once: nothing is queued for later.
    pub fn publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        qos: Qos,
        retain: bool,
    ) -> Result<(), PublishError> {
        let payload = payload.into();
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        let room = Arc::clone(&self.shared.room).try_acquire_owned().map_err(|_| PublishError::Full)?;
        self.hand_over(topic, payload, qos, retain, Waiting { done: None, _room: room })
    }

    /// Publishes at QoS 1 and waits until the broker has acknowledged. Many may wait at a time: they travel together.
    ///
    /// # Errors
    /// [`PublishError`]; after `NotConnected` and `NoAck` the broker may have taken the message nevertheless.
    pub async fn publish_acked(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<(), PublishError> {
        let payload = payload.into();
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        let wait = async {
            let room: OwnedSemaphorePermit = Arc::clone(&self.shared.room)
                .acquire_owned()
                .await
                .map_err(|_| PublishError::NotConnected)?;
            let (done, acknowledged) = oneshot::channel();
            let waiting = Waiting { done: Some(done), _room: room };
            self.hand_over(topic, payload, Qos::AtLeastOnce, retain, waiting)?;
            acknowledged.await.map_err(|_| PublishError::NotConnected)
        };
        tokio::time::timeout(ACK_DEADLINE, wait).await.unwrap_or(Err(PublishError::NoAck))
    }

    /// Hears these filters as well, from now on and after every reconnect. For one that was heard already the broker sends
    /// again what it retains.
    ///
    /// # Errors
    /// [`PublishError::Full`]: the filters are kept and will be in force after the next reconnect; call again to have them
    /// sooner. While the link is down nothing fails.
    pub fn subscribe(&self, filters: &[String]) -> Result<(), PublishError> {
        let mut wanted = self.shared.filters();
        wanted.extend(filters.iter().cloned());
        if filters.is_empty() || self.shared.acks().is_none() {
            return Ok(());
        }
        let asked = filters.iter().map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
        self.shared.client.try_subscribe_many(asked).map_err(|_| PublishError::Full)
    }

    /// Hears these filters no longer. A broker that cannot be told now may send what belongs to them until the next
    /// reconnect.
    pub fn unsubscribe(&self, filters: &[String]) {
        let mut wanted = self.shared.filters();
        for filter in filters {
            wanted.remove(filter);
            if self.shared.acks().is_some() {
                let _ = self.shared.client.try_unsubscribe(filter.clone());
            }
        }
    }

    fn hand_over(
        &self,
        topic: &str,
        payload: Bytes,
        qos: Qos,
        retain: bool,
        waiting: Waiting,
    ) -> Result<(), PublishError> {
        let bytes = topic.len() + payload.len();
        if bytes > MAX_PUBLISH_BYTES {
            return Err(PublishError::TooLarge { bytes });
        }
        if topic.is_empty() || topic.len() > usize::from(u16::MAX) || topic.contains(['+', '#', '\0']) {
            return Err(PublishError::BadTopic);
        }
        let qos = match qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce => QoS::AtLeastOnce,
        };
        let mut acks = self.shared.acks();
        let acks = acks.as_mut().ok_or(PublishError::NotConnected)?;
        self.shared.client.try_publish(topic, qos, retain, payload).map_err(|_| PublishError::Full)?;
        acks.handed_over(waiting);
        Ok(())
    }
}
