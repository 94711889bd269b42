//! What is in reach, and what a device offers, for people who set one up.

mod show;
mod yaml;

use std::collections::BTreeMap;
use std::time::Duration;

use mapper_sdk::{Fault, Session as _};

use crate::address::Address;
use crate::air::{Seen, Wanted};
use crate::decode::assigned::Assigned;
use crate::driver::Ble;
use crate::link::Link;
use crate::radio::{Attribute, Radio};
use crate::session::{AllRead, BleSession};

/// A device in reach.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its address.
    pub address: Address,
    /// What it advertises.
    pub seen: Seen,
}

/// A device, looked at closely.
#[derive(Debug)]
pub struct Inspected {
    /// What it advertises.
    pub found: Found,
    /// The adapter through which it was reached, where one was named.
    pub adapter: Option<String>,
    /// What it offers; or why it cannot be connected to.
    pub characteristics: Result<Vec<Characteristic>, Fault>,
}

/// A characteristic of a device.
#[derive(Debug)]
pub struct Characteristic {
    /// What it is and what can be done with it.
    pub attribute: Attribute,
    /// Which of those with the same UUID in the same service, counted from 0.
    pub instance: usize,
    /// Its name and format, where its number says so.
    pub assigned: Option<&'static Assigned>,
    /// What it holds; none where it cannot be read.
    pub bytes: Option<Result<Vec<u8>, Fault>>,
}

impl<R: Radio> Ble<R> {
    /// Listens for `time` and says what was heard, the strongest first; with a `filter` only what fits.
    ///
    /// # Errors
    /// A [`Fault`] which says what is missing.
    pub async fn scan(
        &self,
        adapter: Option<&str>,
        filter: Option<&Wanted>,
        time: Duration,
    ) -> Result<Vec<Found>, Fault> {
        let hub = self.hub(adapter).await?;
        let shared = hub.shared();
        let _listening = shared.listen();
        let gone = shared.until(|_, _| None::<()>);
        if let Ok(Err(fault)) = tokio::time::timeout(time, gone).await {
            return Err(fault);
        }
        let (state, now) = (shared.state(), shared.now());
        let fits = filter.map(|wanted| state.air.find(wanted, now, time));
        let mut found: Vec<Found> = state
            .air
            .devices()
            .filter(|(address, seen)| match &fits {
                Some(fits) => fits.contains(address),
                None => seen.heard_at.is_some() || seen.connected,
            })
            .map(|(address, seen)| Found { address, seen: seen.clone() })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.seen.rssi.map(|(rssi, _)| rssi)));
        Ok(found)
    }

    /// Connects to a device and reads all of its characteristics; one that cannot be connected to is shown as it
    /// advertises.
    ///
    /// # Errors
    /// A [`Fault`] when the device is not in reach.
    pub async fn inspect(&self, address: Address, adapter: Option<&str>) -> Result<Inspected, Fault> {
        let link = Link::to(address).through(adapter.map(str::to_owned));
        let hub = self.hub(adapter).await?;
        let _listening = hub.shared().listen();
        let characteristics = match BleSession::open(std::sync::Arc::clone(&hub), &link).await {
            Ok(mut session) => {
                let read = session.characteristics().await;
                session.close().await;
                read.map(described)
            }
            Err(fault) => Err(fault),
        };
        let state = hub.shared().state();
        let Some(seen) = state.air.seen(address).cloned() else {
            return Err(characteristics.err().unwrap_or_else(|| Fault::Link("the device has gone".into())));
        };
        let adapter = adapter.map(str::to_owned);
        Ok(Inspected { found: Found { address, seen }, adapter, characteristics })
    }
}

fn described(read: Vec<AllRead>) -> Vec<Characteristic> {
    let mut before = BTreeMap::new();
    let mut describe = |(attribute, bytes): (Attribute, _)| {
        let count = before.entry((attribute.service, attribute.uuid)).or_insert(0);
        let instance = std::mem::replace(count, *count + 1);
        let assigned = Assigned::of(attribute.uuid);
        Characteristic { attribute, instance, assigned, bytes }
    };
    read.into_iter().map(&mut describe).collect()
}
