//! The devices of a network as they are now: addresses, what they told, and who listens.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Ieee;
use crate::host::saved::{Device, MOST_DEVICES, Saved};
use crate::zcl::{Scalar, TypeId};

/// Attributes of one device that are kept.
const MOST_TOLD: usize = 512;
/// Changes that a listener has not fetched; the oldest goes.
const MOST_NEWS: usize = 256;

/// Where an attribute lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The endpoint.
    pub endpoint: u8,
    /// The cluster.
    pub cluster: u16,
    /// The maker, of attributes that are its own.
    pub manufacturer: Option<u16>,
    /// The attribute.
    pub attribute: u16,
}

/// What a device told of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The type that it gave.
    pub kind: TypeId,
    /// The value.
    pub value: Scalar,
    /// When.
    pub at: Instant,
}

/// One who listens to a device.
#[derive(Debug, Default)]
pub struct Ear {
    news: Mutex<VecDeque<(Place, Told)>>,
    rung: Notify,
}

impl Ear {
    /// The next that was told. Dropping the future loses nothing.
    pub async fn next(&self) -> (Place, Told) {
        loop {
            let rung = self.rung.notified();
            if let Some(news) = lock(&self.news).pop_front() {
                return news;
            }
            rung.await;
        }
    }

    /// Forgets what was told of these places before, because something newer is known.
    pub fn forget(&self, is_known: impl Fn(&Place) -> bool) {
        lock(&self.news).retain(|(place, _)| !is_known(place));
    }

    fn tell(&self, place: Place, told: &Told) {
        let mut news = lock(&self.news);
        if news.len() >= MOST_NEWS {
            news.pop_front();
        }
        news.push_back((place, told.clone()));
        drop(news);
        self.rung.notify_one();
    }
}

/// A device as it is now.
#[derive(Debug, Default)]
struct Live {
    heard: Option<Instant>,
    announced: u64,
    told: BTreeMap<Place, Told>,
    ears: Vec<Weak<Ear>>,
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    saved: Option<Saved>,
    by_nwk: HashMap<u16, Ieee>,
    live: HashMap<Ieee, Live>,
    dirty: bool,
}

/// The devices of one coordinator.
#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Takes over what is known of the network. What devices told before may have changed while nobody listened.
    pub fn adopt(&self, saved: Saved) {
        let mut inner = lock(&self.inner);
        inner.live.values_mut().for_each(|live| live.told.clear());
        inner.by_nwk = saved.devices.iter().filter_map(|(ieee, device)| Some((device.nwk?, *ieee))).collect();
        inner.saved = Some(saved);
        inner.dirty = true;
    }

    /// What is to be saved, when something has changed since.
    pub fn take_changed(&self) -> Option<Saved> {
        let mut inner = lock(&self.inner);
        if std::mem::take(&mut inner.dirty) { inner.saved.clone() } else { None }
    }

    /// All that is known.
    #[must_use]
    pub fn saved(&self) -> Option<Saved> {
        lock(&self.inner).saved.clone()
    }

    /// A device.
    #[must_use]
    pub fn device(&self, ieee: Ieee) -> Option<Device> {
        lock(&self.inner).saved.as_ref()?.devices.get(&ieee).cloned()
    }

    /// Who has a short address.
    #[must_use]
    pub fn by_nwk(&self, nwk: u16) -> Option<Ieee> {
        lock(&self.inner).by_nwk.get(&nwk).copied()
    }

    /// Changes what is known of a device, which is made when it is not there.
    pub fn update(&self, ieee: Ieee, change: impl FnOnce(&mut Device)) {
        let mut inner = lock(&self.inner);
        let Some(saved) = &mut inner.saved else { return };
        if !saved.devices.contains_key(&ieee) && saved.devices.len() >= MOST_DEVICES {
            return;
        }
        let device = saved.devices.entry(ieee).or_default();
        let before = device.clone();
        change(device);
        if *device == before {
            return;
        }
        let (old, new) = (before.nwk, device.nwk);
        if old != new {
            if let Some(old) = old.filter(|old| inner.by_nwk.get(old) == Some(&ieee)) {
                inner.by_nwk.remove(&old);
            }
            if let Some(new) = new {
                inner.by_nwk.insert(new, ieee);
            }
        }
        inner.dirty = true;
    }

    /// Forgets a device.
    pub fn remove(&self, ieee: Ieee) {
        let mut inner = lock(&self.inner);
        inner.by_nwk.retain(|_, other| *other != ieee);
        if let Some(saved) = &mut inner.saved {
            saved.devices.remove(&ieee);
        }
        inner.dirty = true;
    }

    /// Listens to a device.
    #[must_use]
    pub fn listen(&self, ieee: Ieee) -> Arc<Ear> {
        let ear = Arc::new(Ear::default());
        let mut inner = lock(&self.inner);
        let live = inner.live.entry(ieee).or_default();
        live.ears.retain(|ear| ear.strong_count() > 0);
        live.ears.push(Arc::downgrade(&ear));
        ear
    }

    /// A device was heard: it is awake.
    pub fn handle_heard(&self, ieee: Ieee, now: Instant) {
        let mut inner = lock(&self.inner);
        if let Some(live) = inner.live.get_mut(&ieee) {
            live.heard = Some(now);
            live.bell.notify_waiters();
        }
    }

    /// A device has joined again, and may have forgotten what it was told to report.
    pub fn handle_announced(&self, ieee: Ieee, now: Instant) {
        if let Some(live) = lock(&self.inner).live.get_mut(&ieee) {
            live.announced += 1;
        }
        self.handle_heard(ieee, now);
    }

    /// A device told something.
    pub fn handle_told(&self, ieee: Ieee, place: Place, told: Told, tell: bool) {
        let mut inner = lock(&self.inner);
        let Some(live) = inner.live.get_mut(&ieee) else { return };
        if tell {
            live.ears.retain(|ear| ear.strong_count() > 0);
            for ear in live.ears.iter().filter_map(Weak::upgrade) {
                ear.tell(place, &told);
            }
        }
        if live.told.len() < MOST_TOLD || live.told.contains_key(&place) {
            live.told.insert(place, told);
        }
    }

    /// What was told of a place at last.
    #[must_use]
    pub fn told(&self, ieee: Ieee, place: &Place) -> Option<Told> {
        lock(&self.inner).live.get(&ieee)?.told.get(place).cloned()
    }

    /// What was told of a place is not true any more.
    pub fn forget_told(&self, ieee: Ieee, place: &Place) {
        if let Some(live) = lock(&self.inner).live.get_mut(&ieee) {
            live.told.remove(place);
        }
    }

    /// When a device was last heard.
    #[must_use]
    pub fn heard(&self, ieee: Ieee) -> Option<Instant> {
        lock(&self.inner).live.get(&ieee)?.heard
    }

    /// How often it has joined.
    #[must_use]
    pub fn announced(&self, ieee: Ieee) -> u64 {
        lock(&self.inner).live.get(&ieee).map_or(0, |live| live.announced)
    }

    /// Waits until the device is heard, at most so long; whether it was.
    pub async fn until_heard(&self, ieee: Ieee, within: Duration) -> bool {
        let bell = {
            let mut inner = lock(&self.inner);
            Arc::clone(&inner.live.entry(ieee).or_default().bell)
        };
        tokio::time::timeout(within, bell.notified()).await.is_ok()
    }
}
