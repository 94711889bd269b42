//! Messages in the order in which they came: many may be on their way to the commit at once.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::bus::{EventBus, Underway};
use super::speaker::Speaker;

/// The most messages between arrival and commit.
const MOST_UNDERWAY: usize = 1024;

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) speaker: Speaker,
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// Dropped when the message is answered, for a sender that waits for that.
    pub(super) done: Option<oneshot::Sender<()>>,
}

type Waiting = (Underway, Option<oneshot::Sender<()>>);

async fn begin(bus: &EventBus, message: Message) -> Option<Waiting> {
    let underway = bus.begin(&message.speaker, &message.topic, &message.payload).await?;
    Some((underway, message.done))
}

/// Takes messages until `stop`, or until there will be no more, and finishes those that are underway.
pub(super) async fn run(bus: EventBus, mut messages: mpsc::Receiver<Message>, stop: CancellationToken) {
    let mut underway: VecDeque<Waiting> = VecDeque::new();
    loop {
        let room = underway.len() < MOST_UNDERWAY;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = messages.recv(), if room => match message {
                Some(message) => underway.extend(begin(&bus, message).await),
                None => break,
            },
            () = std::future::ready(()), if !underway.is_empty() => {
                if let Some((first, done)) = underway.pop_front() {
                    bus.finish(first).await;
                    drop(done);
                }
            }
        }
    }
    messages.close();
    while let Ok(message) = messages.try_recv() {
        underway.extend(begin(&bus, message).await);
    }
    for (first, done) in underway {
        bus.finish(first).await;
        drop(done);
    }
}
