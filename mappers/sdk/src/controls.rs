//! What can be asked of the devices of a mapper while it runs, beside what is configured: to leave one alone, to read it
//! now, to find out whether it can be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use twin_core::{DeviceId, PropertyName, Timestamp};

use crate::desk::{Desk, Orders};
use crate::driver::LaneKey;
use crate::fault::Fault;
use crate::report::Observation;

/// Asks something of the devices of one mapper; cheap to clone. A mapper that is started again knows which devices are
/// paused.
#[derive(Debug, Clone, Default)]
pub struct Controls(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    paused: BTreeSet<DeviceId>,
    desks: BTreeMap<DeviceId, Arc<Desk>>,
}

/// How a device stands with the lane that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The connection or bus; none for a moment after the mapper has got the device.
    pub lane: Option<LaneKey>,
    /// Whether it is left alone.
    pub paused: bool,
    /// When it last answered.
    pub last_answer: Option<Timestamp>,
    /// When it last did not, and why.
    pub last_fault: Option<(Timestamp, String)>,
    /// When it is asked again, while it does not answer.
    pub retry_at: Option<Timestamp>,
}

/// What came of reading a device now.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// How long it took.
    pub took: Duration,
    /// What was read and is on its way to the twin; or why the device did not answer.
    pub read: Result<Vec<(PropertyName, Observation)>, Fault>,
}

/// What came of trying to reach a device. Nothing of it goes to the twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// How long the connection took; none where there was one already, or where it failed.
    pub connected: Option<Duration>,
    /// How long reading took; none where it was not reached.
    pub read: Option<Duration>,
    /// How many points have given a value.
    pub values: usize,
    /// Those that have not, and why.
    pub without: Vec<(PropertyName, String)>,
    /// Why the device does not answer; none: it does.
    pub fault: Option<Fault>,
}

/// Why something asked of a device was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The mapper does not serve it.
    #[error("the mapper does not serve the device now; it may be starting, try again")]
    NotServed,
    /// It is to be left alone.
    #[error("the device is paused; resume it first")]
    Paused,
    /// It has no property that is read.
    #[error("the device has no property that is read")]
    NothingToRead,
    /// Others wait already.
    #[error("too many requests wait for the device; try again later")]
    TooMany,
    /// It took too long.
    #[error("the connection or bus of the device was busy too long; try again later")]
    NotInTime,
    /// The driver broke down at it, or the device was taken out meanwhile.
    #[error("the mapper began anew meanwhile; try again")]
    BrokenOff,
}

impl Controls {
    /// Says which devices are paused: all of them. For before the mapper starts.
    pub fn set_paused(&self, paused: BTreeSet<DeviceId>) {
        let mut inner = self.lock();
        for (id, desk) in &inner.desks {
            desk.set_paused(paused.contains(id));
        }
        inner.paused = paused;
    }

    /// Has a device left alone, or asked again at once. It is so when [`settled`](Self::settled) returns.
    pub fn set_pause(&self, device: &DeviceId, paused: bool) {
        let mut inner = self.lock();
        if paused {
            inner.paused.insert(device.clone());
        } else {
            inner.paused.remove(device);
        }
        if let Some(desk) = inner.desks.get(device) {
            desk.set_paused(paused);
        }
    }

    /// Returns when the lane of a device has seen the last [`set_pause`](Self::set_pause): nothing is on the wire to a device
    /// that is paused, and nothing will be.
    ///
    /// # Errors
    /// [`NotDone`] when it has not within `patience`; it will as soon as it can.
    pub async fn settled(&self, device: &DeviceId, patience: Duration) -> Result<(), NotDone> {
        let noted = self.desk(device)?.order(|orders: &mut Orders| &mut orders.noted)?;
        within(noted, patience).await
    }

    /// Reads all that is read of a device, now, and reports it whether it has changed or not. Whoever asks at the same time
    /// gets the same answer: the device is asked once.
    ///
    /// # Errors
    /// [`NotDone`] when it was not asked. That it did not answer is in what is returned.
    pub async fn poll(&self, device: &DeviceId, patience: Duration) -> Result<Polled, NotDone> {
        let answered = self.desk(device)?.order(|orders: &mut Orders| &mut orders.polls)?;
        within(answered, patience).await?
    }

    /// Connects to a device unless it is, and reads it once, without reporting anything. Also when it is paused.
    ///
    /// # Errors
    /// [`NotDone`] when it was not asked.
    pub async fn probe(&self, device: &DeviceId, patience: Duration) -> Result<Probed, NotDone> {
        let answered = self.desk(device)?.order(|orders: &mut Orders| &mut orders.probes)?;
        within(answered, patience).await?
    }

    /// How a device stands; none when the mapper does not serve it.
    #[must_use]
    pub fn standing(&self, device: &DeviceId) -> Option<Standing> {
        self.lock().desks.get(device).map(|desk| desk.standing())
    }

    fn desk(&self, device: &DeviceId) -> Result<Arc<Desk>, NotDone> {
        self.lock().desks.get(device).cloned().ok_or(NotDone::NotServed)
    }

    /// The mapper serves the device from now on.
    pub(crate) fn enter(&self, device: &DeviceId, desk: &Arc<Desk>) {
        let mut inner = self.lock();
        desk.set_paused(inner.paused.contains(device));
        inner.desks.insert(device.clone(), Arc::clone(desk));
    }

    /// The mapper serves it no longer; who waits for it is told so.
    pub(crate) fn leave(&self, device: &DeviceId, desk: &Arc<Desk>) {
        let mut inner = self.lock();
        if inner.desks.get(device).is_some_and(|known| Arc::ptr_eq(known, desk)) {
            inner.desks.remove(device);
        }
        drop(desk.take_orders());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn within<T>(answered: oneshot::Receiver<T>, patience: Duration) -> Result<T, NotDone> {
    match timeout(patience, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(NotDone::BrokenOff),
        Err(_) => Err(NotDone::NotInTime),
    }
}
