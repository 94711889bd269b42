//! Messages whose sender does not wait: many may be on their way to the commit at once, answered in their order.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::bus::{EventBus, Underway};

/// The most messages between arrival and commit.
const MOST_UNDERWAY: usize = 1024;

/// A message that nobody waits for.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Bytes,
}

/// Takes messages until `stop`, or until there will be no more, and finishes those that are underway.
pub(super) async fn run(bus: EventBus, mut messages: mpsc::Receiver<Message>, stop: CancellationToken) {
    let mut underway: VecDeque<Underway> = VecDeque::new();
    loop {
        let room = underway.len() < MOST_UNDERWAY;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = messages.recv(), if room => match message {
                Some(message) => underway.extend(bus.begin(&message.topic, &message.payload).await),
                None => break,
            },
            () = std::future::ready(()), if !underway.is_empty() => {
                if let Some(first) = underway.pop_front() {
                    bus.finish(first).await;
                }
            }
        }
    }
    messages.close();
    while let Ok(message) = messages.try_recv() {
        underway.extend(bus.begin(&message.topic, &message.payload).await);
    }
    for first in underway {
        bus.finish(first).await;
    }
}
