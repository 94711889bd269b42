//! The simulated adapter.

use std::future::pending;
use std::sync::Arc;

use mapper_sdk::Fault;

use crate::address::Address;
use crate::radio::{Adapter, Attribute, Event, Events, Handle, News};
use crate::sim::device::number_of;
use crate::sim::{Place, Reach, SimDevice, SimFault};

/// The simulated adapter.
#[derive(Debug)]
pub struct SimAdapter {
    reach: Arc<Reach>,
}

/// What is heard through it.
#[derive(Debug)]
pub struct SimEvents {
    reach: Arc<Reach>,
    opened: u64,
}

impl SimAdapter {
    pub(super) fn new(reach: Arc<Reach>) -> Self {
        Self { reach }
    }

    /// Lets the device take its time, or never answer; then does something at it.
    async fn ask<T>(
        &self,
        address: Address,
        act: impl FnOnce(&mut SimDevice) -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        let fault = {
            let mut place = self.reach.place();
            let device = in_reach(&mut place, address)?;
            device.requests += 1;
            device.fault
        };
        match fault {
            SimFault::Silent => pending().await,
            SimFault::Slow(time) => tokio::time::sleep(time).await,
            SimFault::None
            | SimFault::NotConnectable
            | SimFault::WrongLength
            | SimFault::DropsMidRead
            | SimFault::Refuses
            | SimFault::WantsBond => tokio::task::yield_now().await,
        }
        let mut place = self.reach.place();
        let device = in_reach(&mut place, address)?;
        if !device.is_connected {
            return Err(Fault::Link("not connected".into()));
        }
        act(device)
    }

    fn tell(&self, event: Event) {
        self.reach.place().tell(event);
        self.reach.news.notify_one();
    }
}

fn in_reach(place: &mut Place, address: Address) -> Result<&mut SimDevice, Fault> {
    if place.is_unplugged {
        return Err(Fault::Link("the adapter is gone".into()));
    }
    place.devices.get_mut(&address).ok_or_else(|| Fault::Link("there is no such device".into()))
}

fn known<'d>(device: &'d mut SimDevice, handle: &Handle) -> Result<(usize, &'d mut SimDevice), Fault> {
    let number = number_of(handle).filter(|number| *number < device.characteristics.len());
    number.map(|number| (number, device)).ok_or_else(|| Fault::Refused("invalid handle".into()))
}

impl Adapter for SimAdapter {
    fn name(&self) -> &str {
        "sim0"
    }

    async fn listen(&self, on: bool) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        let mut place = self.reach.place();
        place.is_listening = on;
        if on {
            let devices: Vec<Address> = place.devices.keys().copied().collect();
            for address in devices {
                place.advertise(address);
            }
            self.reach.news.notify_one();
        }
        Ok(())
    }

    async fn connect(&self, address: Address) -> Result<(), Fault> {
        let fault = in_reach(&mut self.reach.place(), address)?.fault;
        match fault {
            SimFault::Silent => return pending().await,
            SimFault::NotConnectable => {
                return Err(Fault::Link("the device does not let itself be connected".into()));
            }
            SimFault::None
            | SimFault::Slow(_)
            | SimFault::WrongLength
            | SimFault::DropsMidRead
            | SimFault::Refuses
            | SimFault::WantsBond => {}
        }
        tokio::task::yield_now().await;
        let mut place = self.reach.place();
        let device = in_reach(&mut place, address)?;
        if !device.is_connected {
            (device.is_connected, device.connected) = (true, device.connected + 1);
        }
        let bonded = Some(device.is_bonded);
        let news = News { connected: Some(true), resolved: Some(true), bonded, ..News::default() };
        place.tell(Event::News(address, news));
        self.reach.news.notify_one();
        Ok(())
    }

    async fn disconnect(&self, address: Address) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        self.reach.place().cut(address);
        self.reach.news.notify_one();
        Ok(())
    }

    async fn bond(&self, address: Address) -> Result<(), Fault> {
        self.ask(address, |device| {
            device.is_bonded = true;
            Ok(())
        })
        .await?;
        self.tell(Event::News(address, News { bonded: Some(true), ..News::default() }));
        Ok(())
    }

    async fn attributes(&self, address: Address) -> Result<Vec<Attribute>, Fault> {
        self.ask(address, |device| Ok(device.attributes())).await
    }

    async fn read(&self, address: Address, handle: &Handle) -> Result<Vec<u8>, Fault> {
        let read = self.ask(address, |device| {
            let (number, device) = known(device, handle)?;
            let bytes = device.characteristics[number].bytes.clone();
            match device.fault {
                SimFault::WrongLength => Ok(Some(bytes.into_iter().take(1).collect())),
                SimFault::Refuses => Err(Fault::Refused("ATT error: 0x80".into())),
                SimFault::WantsBond if !device.is_bonded => Err(Fault::Refused("ATT error: 0x05".into())),
                SimFault::DropsMidRead => Ok(None),
                SimFault::None
                | SimFault::Silent
                | SimFault::NotConnectable
                | SimFault::Slow(_)
                | SimFault::WantsBond => Ok(Some(bytes)),
            }
        });
        match read.await? {
            Some(bytes) => Ok(bytes),
            None => {
                self.disconnect(address).await?;
                // The answer never comes: only the loss of the connection is told.
                pending().await
            }
        }
    }

    async fn write(
        &self,
        address: Address,
        handle: &Handle,
        bytes: &[u8],
        response: bool,
    ) -> Result<(), Fault> {
        self.ask(address, |device| {
            let (number, device) = known(device, handle)?;
            let characteristic = &mut device.characteristics[number];
            if !(if response { characteristic.flags.write } else { characteristic.flags.command }) {
                return Err(Fault::Refused("write not permitted".into()));
            }
            characteristic.bytes = bytes.to_vec();
            Ok(())
        })
        .await
    }

    async fn subscribe(&self, address: Address, handle: &Handle) -> Result<(), Fault> {
        self.ask(address, |device| {
            let (number, device) = known(device, handle)?;
            device.subscribed.insert(number);
            Ok(())
        })
        .await
    }
}

impl SimEvents {
    pub(super) fn new(reach: Arc<Reach>, opened: u64) -> Self {
        Self { reach, opened }
    }
}

impl Events for SimEvents {
    async fn next(&mut self) -> Result<Event, Fault> {
        loop {
            {
                let mut place = self.reach.place();
                if place.opened != self.opened || place.is_unplugged {
                    return Err(Fault::Link("the Bluetooth adapter sim0 is gone: plug it in again".into()));
                }
                if let Some(event) = place.events.pop_front() {
                    return Ok(event);
                }
            }
            self.reach.news.notified().await;
        }
    }
}
