//! Retained messages, in memory and bounded: what counts (the deltas) the gateway publishes again at every start.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::retain::{DefaultRetainStorage, RetainStorage};
use rmqtt::types::{Retain, TopicFilter, TopicName};
use tokio::sync::Mutex;

/// The most topics with a retained message.
const MAX_TOPICS: usize = 20_000;
/// The most bytes in all retained messages together.
const MAX_BYTES: usize = 32 * 1024 * 1024;

pub(crate) struct Retained {
    tree: DefaultRetainStorage,
    /// The length of each, held while the tree changes.
    sizes: Mutex<Sizes>,
}

#[derive(Default)]
struct Sizes {
    by_topic: HashMap<TopicName, usize>,
    total: usize,
}

impl Sizes {
    /// Whether a message of `bytes` fits in place of the one that lies on `topic`; books it if so.
    fn replace(&mut self, topic: &TopicName, bytes: usize) -> bool {
        let before = self.by_topic.get(topic).copied();
        let total = self.total - before.unwrap_or(0) + bytes;
        if bytes > 0 && (total > MAX_BYTES || before.is_none() && self.by_topic.len() >= MAX_TOPICS) {
            return false;
        }
        self.total = total;
        if bytes == 0 {
            self.by_topic.remove(topic);
        } else {
            self.by_topic.insert(topic.clone(), bytes);
        }
        true
    }
}

impl Retained {
    pub(crate) fn new() -> Self {
        Self { tree: DefaultRetainStorage::new(), sizes: Mutex::default() }
    }
}

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    async fn set(&self, topic: &TopicName, retain: Retain, _expiry: Option<Duration>) -> rmqtt::Result<()> {
        let mut sizes = self.sizes.lock().await;
        let bytes = retain.publish.payload.len();
        if !sizes.replace(topic, if bytes == 0 { 0 } else { bytes + topic.len() }) {
            tracing::warn!(%topic, bytes, "too many retained MQTT messages: this one was passed on but not kept");
            return Ok(());
        }
        self.tree.set_with_timeout(topic, retain, None).await
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        self.tree.get_message(filter).await
    }

    async fn count(&self) -> isize {
        self.tree.count().await
    }

    async fn max(&self) -> isize {
        self.tree.max().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_messages_are_bounded_in_number_and_bytes_and_give_their_room_back() {
        let mut sizes = Sizes::default();
        let topic = |n: usize| TopicName::from(format!("t/{n}"));
        for n in 0..MAX_TOPICS {
            assert!(sizes.replace(&topic(n), 10));
        }
        assert!(!sizes.replace(&topic(MAX_TOPICS), 10));
        assert!(sizes.replace(&topic(0), 20), "a known topic is replaced");
        assert!(sizes.replace(&topic(0), 0), "and taken back");
        assert!(!sizes.replace(&topic(0), MAX_BYTES), "too many bytes");
        assert!(sizes.replace(&topic(0), 10));
        assert_eq!(sizes.total, MAX_TOPICS * 10);
    }
}
