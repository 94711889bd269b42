//! A device in reach: connected when its turn has come, or only listened to.

mod told;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::{Fault, Sample, Session, Watch};
use twin_core::{Timestamp, Value};

use crate::address::Address;
use crate::air::Heard;
use crate::hub::{Hub, Listening, Shared, State};
use crate::link::{Link, Mode};
use crate::point::{Layout, LinkWord, Place, Point, WriteKind};
use crate::radio::{Adapter, Attribute, Flags};
use told::{Pending, Watched};
use wire::Wired;

/// The longest characteristic (Bluetooth Core Specification, Vol 3, Part F, 3.2.9).
const MOST_BYTES: usize = 512;
/// How long closing waits until the connection is gone.
const CLOSE_WITHIN: Duration = Duration::from_millis(1_500);

/// A characteristic with what it holds, where it can be read.
pub(crate) type AllRead = (Attribute, Option<Result<Vec<u8>, Fault>>);

/// A device in reach.
#[derive(Debug)]
pub struct BleSession<A: Adapter> {
    // Dropped first: it tells the hub.
    wired: Option<Wired<A>>,
    listening: Option<Listening<A>>,
    hub: Arc<Hub<A>>,
    link: Link,
    address: Address,
    layouts: BTreeMap<Point, Result<Layout, Fault>>,
    watched: Vec<Watched>,
    pending: Pending,
}

impl<A: Adapter> BleSession<A> {
    /// Finds the device and, where it is to be connected, connects.
    pub(crate) async fn open(hub: Arc<Hub<A>>, link: &Link) -> Result<Self, Fault> {
        let wanted = link.wanted().map_err(|fault| Fault::Link(fault.message))?;
        if let Some(links) = link.max_links() {
            hub.shared().state().budget.handle_limit(links);
        }
        let listens = link.mode() == Mode::Advertisement;
        let listening = listens.then(|| hub.shared().listen());
        let address = hub.shared().find(&wanted, link.max_age(), link.connect_timeout()).await?;
        let mut session = Self {
            wired: None,
            listening,
            hub,
            link: link.clone(),
            address,
            layouts: BTreeMap::new(),
            watched: Vec::new(),
            pending: Pending::default(),
        };
        if listens {
            session.hear().await?;
        } else {
            session.wire().await?;
        }
        Ok(session)
    }

    /// The address of the device.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// All characteristics of the connected device, with what they hold where they can be read.
    ///
    /// # Errors
    /// A [`Fault`] when the connection is lost.
    pub(crate) async fn characteristics(&mut self) -> Result<Vec<AllRead>, Fault> {
        self.wire().await?;
        let attributes = self.wired.as_ref().map(|wired| wired.attributes.clone()).unwrap_or_default();
        let mut all = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            let bytes = if attribute.flags.read {
                let reading = self.shared().adapter.read(self.address, &attribute.handle);
                let bytes = self.guarded(reading).await;
                Some(self.unless_lost(bytes)?)
            } else {
                None
            };
            all.push((attribute, bytes));
        }
        Ok(all)
    }

    fn shared(&self) -> &Arc<Shared<A>> {
        self.hub.shared()
    }

    /// Waits until an advertisement of the device has been heard that is not too old.
    async fn hear(&self) -> Result<(), Fault> {
        let (time, max_age) = (self.link.connect_timeout(), self.link.max_age());
        let heard = self.shared().until(|state, now| {
            state.air.seen(self.address)?.age(now).filter(|age| *age <= max_age).map(drop)
        });
        tokio::time::timeout(time, heard).await.unwrap_or_else(|_| Err(self.silence(time)))
    }

    fn silence(&self, time: Duration) -> Fault {
        let (address, seconds) = (self.address, time.as_secs());
        Fault::Link(format!(
            "no advertisement of {address} was heard for {seconds} s: is it on and within reach?"
        ))
    }

    /// What is written in a point, resolved once.
    fn layout(&mut self, point: &Point) -> Result<Layout, Fault> {
        let resolve = || point.layout().map_err(|fault| Fault::Refused(fault.message));
        self.layouts.entry(point.clone()).or_insert_with(resolve).clone()
    }

    /// The value of a point that needs no connection.
    fn on_the_air(&self, layout: &Layout) -> Result<Value, Fault> {
        let shared = self.shared();
        value_on_the_air(&shared.state(), shared.now(), self.address, layout, self.link.max_age())
    }

    /// How the characteristic of `layout` is written, when it can be.
    fn write_kind(layout: &Layout, flags: Flags) -> Result<bool, Fault> {
        match layout.write {
            Some(WriteKind::WithResponse) if flags.write => Ok(true),
            Some(WriteKind::WithoutResponse) if flags.command => Ok(false),
            None if flags.write || flags.command => Ok(flags.write),
            Some(_) if flags.write || flags.command => {
                let other = if flags.write { "with_response" } else { "without_response" };
                Err(Fault::Refused(format!("the characteristic is only written as `write: {other}`")))
            }
            Some(_) | None => Err(Fault::Refused("the characteristic cannot be written".into())),
        }
    }
}

/// What has been heard of the device.
fn value_on_the_air(
    state: &State,
    now: Timestamp,
    address: Address,
    layout: &Layout,
    max_age: Duration,
) -> Result<Value, Fault> {
    let seen = state.air.seen(address);
    let unknown = |what: &str| Fault::NotTold(format!("the device has not told its {what}"));
    let fresh = |heard: Option<&Heard>| {
        let heard = heard.ok_or_else(|| unknown("data: no advertisement had it"))?;
        let age = heard.at.map(|at| now.since(at)).ok_or_else(|| unknown("data since the start"))?;
        if age > max_age {
            let seconds = age.as_secs();
            return Err(Fault::Stale(format!("the advertisement was last heard {seconds} s ago")));
        }
        layout.codec.decode(&heard.bytes)
    };
    match &layout.place {
        Place::Manufacturer(company) => fresh(seen.and_then(|seen| seen.manufacturer.get(company))),
        Place::ServiceData(service) => fresh(seen.and_then(|seen| seen.service_data.get(service))),
        Place::Link(LinkWord::Rssi) => {
            let (rssi, at) =
                seen.and_then(|seen| seen.rssi).ok_or_else(|| unknown("strength since the start"))?;
            if now.since(at) > max_age {
                let seconds = now.since(at).as_secs();
                return Err(Fault::Stale(format!("the strength was last measured {seconds} s ago")));
            }
            Ok(Value::Int(rssi.into()))
        }
        Place::Link(LinkWord::TxPower) => {
            let power = seen.and_then(|seen| seen.tx_power).ok_or_else(|| unknown("power"))?;
            Ok(Value::Int(power.into()))
        }
        Place::Link(LinkWord::Connected) => Ok(Value::Bool(seen.is_some_and(|seen| seen.connected))),
        Place::Link(LinkWord::Bonded) => Ok(Value::Bool(seen.is_some_and(|seen| seen.bonded))),
        Place::Link(LinkWord::Name) => {
            let name = seen.and_then(|seen| seen.name.clone());
            name.map(Value::String).ok_or_else(|| unknown("name"))
        }
        Place::Link(LinkWord::Address) => Ok(Value::String(address.to_string())),
        Place::Characteristic { .. } => Err(Fault::Refused("a characteristic is not advertised".into())),
    }
}

impl<A: Adapter> Session for BleSession<A> {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        let layouts: Vec<_> = points.iter().map(|point| self.layout(point)).collect();
        let in_device = |layout: &Result<Layout, Fault>| {
            layout.as_ref().is_ok_and(|layout| matches!(layout.place, Place::Characteristic { .. }))
        };
        if self.link.mode() == Mode::Advertisement {
            let (age, max_age) = {
                let state = self.shared().state();
                if let Some(fault) = state.down() {
                    return Err(fault.clone());
                }
                let now = self.shared().now();
                (state.air.seen(self.address).and_then(|seen| seen.age(now)), self.link.max_age())
            };
            if age.is_none_or(|age| age > max_age) {
                return Err(self.silence(age.unwrap_or(max_age)));
            }
        } else if self.wired.is_some() || layouts.iter().any(in_device) {
            self.wire().await?;
        }
        let mut samples = Vec::with_capacity(points.len());
        let mut read = BTreeMap::new();
        for (point, layout) in points.iter().zip(layouts) {
            let value = match layout {
                Ok(layout) => match &layout.place {
                    Place::Characteristic { .. } => self
                        .characteristic(&layout, point, &mut read)
                        .await?
                        .and_then(|bytes| layout.codec.decode(&bytes)),
                    Place::Manufacturer(_) | Place::ServiceData(_) | Place::Link(_) => {
                        self.on_the_air(&layout)
                    }
                },
                Err(fault) => Err(fault),
            };
            samples.push(Sample::new(point, value));
        }
        self.make_way();
        Ok(samples)
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        let layout = self.layout(point).map_err(|fault| Fault::Unsuitable(fault.to_string()))?;
        if !matches!(layout.place, Place::Characteristic { .. }) || self.link.mode() == Mode::Advertisement {
            return Err(Fault::Refused("what a device only sends cannot be written".into()));
        }
        let patch = layout.codec.encode(value)?;
        self.wire().await?;
        let attribute = self.attribute(&layout)?;
        let response = Self::write_kind(&layout, attribute.flags)?;
        if patch.needs_rest() && !attribute.flags.read {
            return Err(Fault::Refused(
                "the characteristic cannot be read, so what lies beside the value would be lost".into(),
            ));
        }
        let now = if patch.needs_rest() || (patch.may_cut() && attribute.flags.read) {
            let reading = self.shared().adapter.read(self.address, &attribute.handle);
            let now = self.guarded(reading).await;
            self.unless_lost(now)??
        } else {
            Vec::new()
        };
        let bytes = patch.over(&now)?;
        if bytes.len() > MOST_BYTES {
            return Err(Fault::Unsuitable(format!(
                "{} bytes are more than the {MOST_BYTES} that can be",
                bytes.len()
            )));
        }
        let writing = self.shared().adapter.write(self.address, &attribute.handle, &bytes, response);
        let written = self.guarded(writing).await;
        if let Some(wired) = &mut self.wired {
            // What was told before is not what is there now.
            wired.told.remove(&attribute.handle);
        }
        self.unless_lost(written)?
    }

    async fn watch(&mut self, points: &[Watch<Point>]) -> Result<(), Fault> {
        self.watched.clear();
        for watch in points {
            if let Ok(layout) = self.layout(&watch.point) {
                self.watched.push(Watched::new(watch, layout));
            }
        }
        let hears = |watched: &Watched| !matches!(watched.layout.place, Place::Characteristic { .. });
        if self.listening.is_none() && self.watched.iter().any(hears) {
            self.listening = Some(self.shared().listen());
        }
        if self.wired.is_some() {
            let subscribed = self.subscribe().await;
            return self.unless_lost(subscribed).map(drop);
        }
        Ok(())
    }

    async fn changed(&mut self) -> Result<Sample<'_, Point>, Fault> {
        let (index, value) = self.next_change().await?;
        Ok(Sample::new(&self.watched[index].point, value))
    }

    async fn close(mut self) {
        if self.wired.take().is_some() {
            self.shared().gone(self.address, CLOSE_WITHIN).await;
        }
    }
}
