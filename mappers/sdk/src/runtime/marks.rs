//! Which devices have something new: a set with a bell, bounded by the number of devices.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Marks {
    marked: Mutex<BTreeSet<usize>>,
    bell: Notify,
}

impl Marks {
    pub(crate) fn mark(&self, number: usize) {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        self.bell.notify_one();
    }

    /// Wakes whoever waits, with nothing marked.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    pub(crate) fn take(&self) -> BTreeSet<usize> {
        std::mem::take(&mut *self.marked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was marked since this was last awaited. Cancel-safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}
