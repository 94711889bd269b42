//! Which acknowledgement belongs to which publish.

use std::collections::{HashMap, VecDeque};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Someone waits for the outcome of a publish; dropping it says that the link broke.
pub(crate) struct Waiting {
    /// Told when the broker has acknowledged it; none when nobody waits.
    pub(crate) done: Option<oneshot::Sender<()>>,
    /// The room that the publish takes until then.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// The client library numbers publishes when they leave, in the order in which they were handed over; so the n-th one
/// that leaves is the n-th one handed over. Dropping the table on a break releases everybody.
#[derive(Default)]
pub(crate) struct Acks {
    handed_over: VecDeque<Waiting>,
    on_the_way: HashMap<u16, Waiting>,
}

impl Acks {
    pub(crate) fn handed_over(&mut self, waiting: Waiting) {
        self.handed_over.push_back(waiting);
    }

    /// A publish left under `packet`; 0 is a publish that is not acknowledged.
    pub(crate) fn left(&mut self, packet: u16) {
        let Some(waiting) = self.handed_over.pop_front() else { return };
        if packet == 0 {
            finish(waiting);
        } else {
            self.on_the_way.insert(packet, waiting);
        }
    }

    /// The broker acknowledged `packet`.
    pub(crate) fn acknowledged(&mut self, packet: u16) {
        if let Some(waiting) = self.on_the_way.remove(&packet) {
            finish(waiting);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.handed_over.is_empty() && self.on_the_way.is_empty()
    }
}

fn finish(waiting: Waiting) {
    if let Some(done) = waiting.done {
        // Whoever waited may have given up.
        let _ = done.send(());
    }
}
