//! Simulated devices in the reach of a simulated adapter, with every fault that real ones have.

mod adapter;
mod demo;
mod device;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapper_sdk::Fault;
use tokio::sync::Notify;

use crate::address::Address;
use crate::radio::{Event, News, Radio};
use crate::uuid::Uuid;

pub use adapter::{SimAdapter, SimEvents};
pub use demo::{Demo, demo};
pub use device::{SimCharacteristic, SimDevice, SimFault};

/// Events that wait to be looked at; of notifications, the only ones that come in floods, no more are kept.
const MOST_EVENTS: usize = 2_000;

/// What is in reach of the simulated adapter `sim0`. Clones share it; as a [`Radio`] it opens the adapter.
#[derive(Debug, Clone, Default)]
pub struct SimAir {
    reach: Arc<Reach>,
}

#[derive(Debug, Default)]
pub(crate) struct Reach {
    place: Mutex<Place>,
    news: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct Place {
    devices: BTreeMap<Address, SimDevice>,
    events: VecDeque<Event>,
    is_unplugged: bool,
    is_listening: bool,
    /// Counts the times the adapter was opened: an older one hears nothing any more.
    opened: u64,
}

impl SimAir {
    /// Nothing in reach.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a device into reach.
    pub fn add(&self, address: Address, device: SimDevice) {
        self.reach.place().devices.insert(address, device);
        self.advertise(address);
    }

    /// Looks at a device, or changes it.
    ///
    /// # Panics
    /// When there is no such device.
    pub fn with<T>(&self, address: Address, look: impl FnOnce(&mut SimDevice) -> T) -> T {
        let mut place = self.reach.place();
        match place.devices.get_mut(&address) {
            Some(device) => look(device),
            None => panic!("there is no simulated device {address}"),
        }
    }

    /// The device advertises, when it is not silent and somebody listens.
    pub fn advertise(&self, address: Address) {
        let mut place = self.reach.place();
        if place.is_listening {
            place.advertise(address);
            self.reach.news.notify_one();
        }
    }

    /// Gives a characteristic other bytes; a connected device that was asked to tell of it does.
    pub fn set(&self, address: Address, uuid: Uuid, bytes: &[u8]) {
        let mut place = self.reach.place();
        let Some(device) = place.devices.get_mut(&address) else { return };
        let told = device.set(uuid, bytes);
        for handle in told {
            place.tell(Event::Told(address, handle, bytes.to_vec()));
        }
        self.reach.news.notify_one();
    }

    /// The device notifies so often, as fast as it can.
    pub fn flood(&self, address: Address, uuid: Uuid, times: u32) {
        for n in 0..times {
            self.set(address, uuid, &n.to_le_bytes());
        }
    }

    /// The connection to the device is lost.
    pub fn cut(&self, address: Address) {
        self.reach.place().cut(address);
        self.reach.news.notify_one();
    }

    /// The adapter is unplugged.
    pub fn unplug(&self) {
        let mut place = self.reach.place();
        place.is_unplugged = true;
        place.is_listening = false;
        let linked: Vec<Address> = place.devices.keys().copied().collect();
        for address in linked {
            place.cut(address);
        }
        self.reach.news.notify_one();
    }

    /// The adapter is plugged in again.
    pub fn plug_in(&self) {
        self.reach.place().is_unplugged = false;
    }

    /// How many devices are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.reach.place().devices.values().filter(|device| device.is_connected).count()
    }
}

impl Reach {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn tell(&mut self, event: Event) {
        if self.events.len() < MOST_EVENTS || !matches!(event, Event::Told(..)) {
            self.events.push_back(event);
        }
    }

    fn advertise(&mut self, address: Address) {
        let Some(news) = self.devices.get(&address).and_then(SimDevice::advertisement) else { return };
        self.tell(Event::News(address, news));
    }

    fn cut(&mut self, address: Address) {
        let Some(device) = self.devices.get_mut(&address).filter(|device| device.is_connected) else {
            return;
        };
        device.handle_cut();
        self.tell(Event::News(
            address,
            News { connected: Some(false), resolved: Some(false), ..News::default() },
        ));
    }
}

impl Radio for SimAir {
    type Adapter = SimAdapter;
    type Events = SimEvents;

    async fn open(&self, _: Option<&str>) -> Result<(SimAdapter, SimEvents), Fault> {
        tokio::task::yield_now().await;
        let mut place = self.reach.place();
        if place.is_unplugged {
            return Err(Fault::Denied("no Bluetooth adapter: plug one in".into()));
        }
        place.opened += 1;
        place.events.clear();
        let opened = place.opened;
        drop(place);
        let reach = Arc::clone(&self.reach);
        Ok((SimAdapter::new(Arc::clone(&reach)), SimEvents::new(reach, opened)))
    }
}
