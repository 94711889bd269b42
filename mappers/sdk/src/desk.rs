//! What is asked of one device from outside its lane, and what the lane tells of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::oneshot;
use twin_core::Timestamp;

use crate::controls::{NotDone, Polled, Probed, Standing};
use crate::driver::LaneKey;
use crate::fault::Fault;
use crate::runtime::marks::Marks;

/// Requests of one kind that may wait at one device.
const MOST_WAITING: usize = 16;

/// One device as those outside its lane see it. It knows nothing of the protocol.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    place: OnceLock<Place>,
    paused: AtomicBool,
    orders: Mutex<Orders>,
    news: Mutex<News>,
}

/// Where the device is served.
#[derive(Debug)]
struct Place {
    lane: LaneKey,
    number: usize,
    mail: Arc<Marks>,
}

/// What is to be done, with who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) polls: Vec<oneshot::Sender<Result<Polled, NotDone>>>,
    pub(crate) probes: Vec<oneshot::Sender<Result<Probed, NotDone>>>,
    /// Who waits until the lane has seen that the device is paused, or is not any more.
    pub(crate) noted: Vec<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Default)]
struct News {
    last_answer: Option<Timestamp>,
    last_fault: Option<(Timestamp, String)>,
    retry_at: Option<Timestamp>,
}

impl Desk {
    /// Says where it is served.
    pub(crate) fn place(&self, lane: &LaneKey, number: usize, mail: &Arc<Marks>) {
        let _ = self.place.set(Place { lane: lane.clone(), number, mail: Arc::clone(mail) });
    }

    /// Has the device left alone, or asked again, and wakes the lane.
    pub(crate) fn set_paused(&self, paused: bool) {
        let before = self.paused.swap(paused, Ordering::AcqRel);
        if let Some(place) = self.place.get().filter(|_| before != paused) {
            place.mail.mark(place.number);
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Hands over an order and wakes the lane.
    pub(crate) fn order<T>(
        &self,
        which: impl FnOnce(&mut Orders) -> &mut Vec<oneshot::Sender<T>>,
    ) -> Result<oneshot::Receiver<T>, NotDone> {
        let (answer, answered) = oneshot::channel();
        {
            let mut orders = self.orders();
            let waiting = which(&mut orders);
            waiting.retain(|one| !one.is_closed());
            if waiting.len() >= MOST_WAITING {
                return Err(NotDone::TooMany);
            }
            waiting.push(answer);
        }
        if let Some(place) = self.place.get() {
            place.mail.mark(place.number);
        }
        Ok(answered)
    }

    pub(crate) fn take_orders(&self) -> Orders {
        std::mem::take(&mut *self.orders())
    }

    pub(crate) fn handle_answer(&self, now: Timestamp) {
        let mut news = self.news();
        news.last_answer = Some(now);
        news.retry_at = None;
    }

    pub(crate) fn handle_fault(&self, fault: &Fault, now: Timestamp, retry_at: Timestamp) {
        let mut news = self.news();
        news.last_fault = Some((now, fault.to_string()));
        news.retry_at = Some(retry_at);
    }

    pub(crate) fn standing(&self) -> Standing {
        let News { last_answer, last_fault, retry_at } = self.news().clone();
        let paused = self.is_paused();
        Standing {
            lane: self.place.get().map(|place| place.lane.clone()),
            paused,
            last_answer,
            last_fault,
            retry_at: retry_at.filter(|_| !paused),
        }
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
