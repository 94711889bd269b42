//! The connection of a session: made when its turn has come, given up when others wait, and never made again in silence
//! after it was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mapper_sdk::{Fault, Verdict};
use twin_core::Timestamp;

use crate::hub::Slot;
use crate::point::{Layout, Place, Point};
use crate::radio::{Adapter, Attribute, Handle};
use crate::session::BleSession;

/// How long a session waits for its turn: less than the runtime waits for a session.
const TURN_WITHIN: Duration = Duration::from_secs(40);
/// How long it waits until the adapter is done with connecting to others.
const OTHERS_WITHIN: Duration = Duration::from_secs(25);
/// How long the adapter may take to stop listening.
const STOPS_WITHIN: Duration = Duration::from_secs(3);
/// How long a bond may take: somebody may have to press a button.
const BOND_WITHIN: Duration = Duration::from_secs(30);

/// A connection with what is known of the device as long as it lasts.
#[derive(Debug)]
pub(super) struct Wired<A: Adapter> {
    pub(super) attributes: Vec<Attribute>,
    pub(super) subscribed: BTreeSet<Handle>,
    /// The last that the device told, and when.
    pub(super) told: BTreeMap<Handle, (Vec<u8>, Timestamp)>,
    _slot: Slot<A>,
}

/// What was read of the characteristics in one reading.
pub(super) type ReadNow = BTreeMap<Handle, Result<Vec<u8>, Fault>>;

impl<A: Adapter> BleSession<A> {
    /// Makes the connection when there is none.
    pub(super) async fn wire(&mut self) -> Result<(), Fault> {
        let shared = self.shared();
        if let Some(fault) = shared.state().down() {
            return Err(fault.clone());
        }
        if self.wired.is_some() {
            if shared.state().is_lost(self.address) {
                self.wired = None;
                return Err(self.lost());
            }
            self.take_told();
            return Ok(());
        }
        let slot = shared.slot(self.address, self.link.hold(), TURN_WITHIN).await?;
        let attributes = self.connect().await?;
        shared.state().handle_linked(self.address, shared.now());
        let (subscribed, told) = (BTreeSet::new(), BTreeMap::new());
        self.wired = Some(Wired { attributes, subscribed, told, _slot: slot });
        let subscribed = self.subscribe().await;
        self.unless_lost(subscribed).map(drop)
    }

    async fn connect(&self) -> Result<Vec<Attribute>, Fault> {
        let (shared, address, time) = (self.shared(), self.address, self.link.connect_timeout());
        let connecting = async {
            // An adapter that is about to stop listening may stop the attempt along with it.
            let stopped = shared.until(|state, _| (!state.is_stopping()).then_some(()));
            let _ = tokio::time::timeout(STOPS_WITHIN, stopped).await;
            shared.adapter.connect(address).await?;
            shared.until(|state, _| state.air.seen(address).filter(|seen| seen.resolved).map(drop)).await
        };
        {
            let turn = tokio::time::timeout(OTHERS_WITHIN, shared.turn_to_connect()).await;
            let _turn = turn.map_err(|_| Fault::Busy("the adapter is connecting to other devices".into()))?;
            tokio::time::timeout(time, connecting).await.unwrap_or(Err(Fault::TimedOut(time)))?;
        }
        let is_bonded = shared.state().air.seen(address).is_some_and(|seen| seen.bonded);
        if self.link.bond() && !is_bonded {
            let bonding = shared.adapter.bond(address);
            tokio::time::timeout(BOND_WITHIN, bonding).await.unwrap_or_else(|_| {
                Err(Fault::Denied("no bond was made in time: put the device into pairing mode".into()))
            })?;
        }
        let time = self.link.timeout();
        let attributes = tokio::time::timeout(time, shared.adapter.attributes(address));
        attributes.await.unwrap_or(Err(Fault::TimedOut(time)))
    }

    /// Asks to be told of the watched characteristics that the device tells of.
    pub(super) async fn subscribe(&mut self) -> Result<(), Fault> {
        let Some(wired) = &self.wired else { return Ok(()) };
        let tells = |layout: &Layout| {
            let attribute = wired.find(layout)?;
            (layout.notify && attribute.flags.tells).then(|| attribute.handle.clone())
        };
        let handles: BTreeSet<Handle> =
            self.watched.iter().filter_map(|watched| tells(&watched.layout)).collect();
        let new: Vec<Handle> = handles.difference(&wired.subscribed).cloned().collect();
        for handle in new {
            match self.guarded(self.shared().adapter.subscribe(self.address, &handle)).await {
                Ok(()) => drop(self.wired.as_mut().map(|wired| wired.subscribed.insert(handle))),
                Err(fault) if fault.verdict() == Verdict::Reconnect => return Err(fault),
                Err(fault) => {
                    // What cannot be watched is read.
                    tracing::debug!(address = %self.address, %handle, reason = %fault, "a characteristic is not told of");
                }
            }
        }
        Ok(())
    }

    /// The characteristic of a point.
    pub(super) fn attribute(&self, layout: &Layout) -> Result<Attribute, Fault> {
        let wired = self.wired.as_ref().ok_or_else(|| self.lost())?;
        wired.find(layout).cloned().ok_or_else(|| {
            let mut there: Vec<String> = wired.attributes.iter().map(|a| a.uuid.to_string()).collect();
            there.dedup();
            there.truncate(30);
            Fault::Refused(format!("the device has no such characteristic; it has {}", there.join(", ")))
        })
    }

    /// The bytes of a characteristic, at most once read for all points in it. The outer fault is of the connection.
    pub(super) async fn characteristic(
        &mut self,
        layout: &Layout,
        point: &Point,
        read: &mut ReadNow,
    ) -> Result<Result<Vec<u8>, Fault>, Fault> {
        if self.link.mode() == crate::link::Mode::Advertisement {
            return Ok(Err(Fault::Refused(
                "the device is only listened to: write `mode: connected` in its `ble`".into(),
            )));
        }
        let attribute = match self.attribute(layout) {
            Ok(attribute) => attribute,
            Err(fault) if fault.verdict() == Verdict::Reconnect => return Err(fault),
            Err(fault) => return Ok(Err(fault)),
        };
        if let Some(bytes) = read.get(&attribute.handle) {
            return Ok(bytes.clone());
        }
        if let Some(told) = self.told_lately(&attribute, point) {
            return Ok(told);
        }
        let reading = self.shared().adapter.read(self.address, &attribute.handle);
        let bytes = self.guarded(reading).await;
        let bytes = self.unless_lost(bytes)?;
        read.insert(attribute.handle, bytes.clone());
        Ok(bytes)
    }

    /// What the device told by itself, while that is as good as asking; or why it cannot be asked.
    fn told_lately(&self, attribute: &Attribute, point: &Point) -> Option<Result<Vec<u8>, Fault>> {
        let wired = self.wired.as_ref()?;
        let told = wired.told.get(&attribute.handle).filter(|_| wired.subscribed.contains(&attribute.handle));
        let age = told.map(|(_, at)| self.shared().now().since(*at));
        let good_for = if attribute.flags.read {
            self.watched
                .iter()
                .find(|watched| watched.point == *point)
                .map_or(Duration::ZERO, |watched| watched.every)
        } else {
            self.link.max_age()
        };
        match (told, age) {
            (Some((bytes, _)), Some(age)) if age < good_for => Some(Ok(bytes.clone())),
            _ if attribute.flags.read => None,
            (_, Some(age)) => {
                let seconds = age.as_secs();
                Some(Err(Fault::Stale(format!(
                    "the device last told it {seconds} s ago, and it cannot be read"
                ))))
            }
            (_, None) if attribute.flags.tells => {
                Some(Err(Fault::NotTold("the device has not told it yet, and it cannot be read".into())))
            }
            (_, None) => Some(Err(Fault::Refused("the characteristic cannot be read".into()))),
        }
    }

    /// Gives the connection up when others have waited long enough.
    pub(super) fn make_way(&mut self) {
        let shared = self.shared();
        let yields_at = shared.state().budget.yields_at(&self.address);
        if yields_at.is_some_and(|at| at <= shared.now()) {
            self.wired = None;
        }
    }

    pub(super) fn lost(&self) -> Fault {
        Fault::Link(format!("the connection to {} is lost", self.address))
    }

    /// Does something at the device within its time-out, and no longer than it is connected.
    pub(super) async fn guarded<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let time = self.link.timeout();
        let lost = self.shared().until(|state, _| state.is_lost(self.address).then_some(()));
        tokio::select! {
            biased;
            done = tokio::time::timeout(time, work) => done.unwrap_or(Err(Fault::TimedOut(time))),
            lost = lost => lost.and_then(|()| Err(self.lost())),
        }
    }

    /// A fault of the connection ends it and is the outer one.
    pub(super) fn unless_lost<T>(&mut self, done: Result<T, Fault>) -> Result<Result<T, Fault>, Fault> {
        match done {
            Err(fault) if fault.verdict() == Verdict::Reconnect => {
                self.wired = None;
                Err(fault)
            }
            done => Ok(done),
        }
    }
}

impl<A: Adapter> Wired<A> {
    fn find(&self, layout: &Layout) -> Option<&Attribute> {
        let Place::Characteristic { uuid, service, instance } = &layout.place else { return None };
        let fits = |a: &&Attribute| a.uuid == *uuid && service.is_none_or(|service| service == a.service);
        self.attributes.iter().filter(fits).nth(*instance)
    }

    /// Whether the characteristic of `layout` is the one with this handle.
    pub(super) fn is(&self, layout: &Layout, handle: &Handle) -> bool {
        self.find(layout).is_some_and(|attribute| attribute.handle == *handle)
    }
}
