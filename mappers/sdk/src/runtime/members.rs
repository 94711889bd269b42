//! Which devices a lane serves: changed from outside while the lane works.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::Driver;
use crate::runtime::device::Device;

/// The devices of a lane by their numbers in the mapper.
pub(crate) struct Members<D: Driver> {
    devices: Mutex<BTreeMap<usize, Arc<Device<D>>>>,
    version: AtomicU64,
}

impl<D: Driver> Default for Members<D> {
    fn default() -> Self {
        Self { devices: Mutex::default(), version: AtomicU64::new(0) }
    }
}

impl<D: Driver> Members<D> {
    pub(crate) fn insert(&self, device: Arc<Device<D>>) {
        self.lock().insert(device.number, device);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn remove(&self, number: usize) {
        self.lock().remove(&number);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Grows with every change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn all(&self) -> BTreeMap<usize, Arc<Device<D>>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Device<D>>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
