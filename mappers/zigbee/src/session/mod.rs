//! A device that is reached: reads and writes, and what it reports.

mod peer;
mod watch;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::{Fault, Sample, Session, Watch};
use tokio::task::JoinSet;
use twin_core::Value;

use crate::host::{Coordinator, Ear, Place, Told};
use crate::link::Link;
use crate::point::{Point, Resolved};
use peer::{Group, Peer};
use watch::Watched;

/// Points of which the resolution is kept.
const MOST_RESOLVED: usize = 512;
/// For so long after it was heard, a device that sleeps is taken to listen.
const AWAKE_FOR: Duration = Duration::from_secs(3);

/// A device that is reached.
#[derive(Debug)]
pub struct ZigbeeSession {
    peer: Arc<Peer>,
    ear: Arc<Ear>,
    watched: Arc<Vec<Watched>>,
    resolved: BTreeMap<Point, Result<Resolved, Fault>>,
    /// What was told, by the place in `watched`, and is not handed on yet.
    told: VecDeque<(usize, Result<Value, Fault>)>,
    /// Keeps what the device reports configured; ends with the session.
    keeper: JoinSet<()>,
}

/// Reaches a device.
pub(crate) async fn connect(coordinator: Arc<Coordinator>, link: &Link) -> Result<ZigbeeSession, Fault> {
    let ieee = link.ieee().map_err(|fault| Fault::Denied(fault.message))?;
    let registry = Arc::clone(coordinator.registry());
    if registry.device(ieee).and_then(|device| device.nwk).is_none()
        && coordinator.find_address(ieee, link.timeout().min(Duration::from_secs(5))).await.is_err()
    {
        if let Some(why) = coordinator.lost() {
            return Err(Fault::Link(why));
        }
        return Err(Fault::Denied(format!(
            "{ieee} is not in the network of {place}: run `twinspan zigbee permit-join --coordinator {place}` \
             and let the device join",
            place = link.coordinator()
        )));
    }
    let ear = registry.listen(ieee);
    let sleepy = match link.sleepy().or(registry.device(ieee).and_then(|device| device.sleepy)) {
        Some(sleepy) => sleepy,
        None => peer::ask_whether_it_sleeps(&coordinator, ieee, link.timeout()).await?,
    };
    Ok(ZigbeeSession {
        peer: Arc::new(Peer::new(coordinator, ieee, link, sleepy)),
        ear,
        watched: Arc::default(),
        resolved: BTreeMap::new(),
        told: VecDeque::new(),
        keeper: JoinSet::new(),
    })
}

impl ZigbeeSession {
    fn resolve(&mut self, point: &Point) -> Result<Resolved, Fault> {
        if let Some(known) = self.resolved.get(point) {
            return known.clone();
        }
        if self.resolved.len() >= MOST_RESOLVED {
            self.resolved.clear();
        }
        let resolved = point.resolve(self.peer.endpoint).map_err(|fault| Fault::Refused(fault.message));
        self.resolved.insert(point.clone(), resolved.clone());
        resolved
    }

    /// Takes what was told of a place for every point that lives there.
    fn take(&mut self, place: &Place, told: &Told) {
        for (number, watched) in self.watched.iter().enumerate() {
            let resolved = &watched.resolved;
            if resolved.place == *place
                && let Some(factor) = self.peer.known_factor(resolved)
            {
                self.told.push_back((number, resolved.decode(told.kind, &told.value, factor)));
            }
        }
    }

    /// Asks the device for these places, and keeps what it says.
    async fn ask(
        &self,
        open: &[&Resolved],
        patient: bool,
    ) -> Result<BTreeMap<Place, Result<Told, Fault>>, Fault> {
        let mut found = BTreeMap::new();
        for (group, places) in Group::of(open.iter().map(|resolved| resolved.place)) {
            found.extend(self.peer.read(group, &places, patient).await.map_err(Fault::from)?);
        }
        self.ear.forget(|place| found.contains_key(place));
        Ok(found)
    }
}

impl Session for ZigbeeSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        if let Some(why) = self.peer.coordinator.lost() {
            return Err(Fault::Link(why));
        }
        let resolved: Vec<Result<Resolved, Fault>> = points.iter().map(|point| self.resolve(point)).collect();
        let mut known: BTreeMap<Place, Result<Told, Fault>> = BTreeMap::new();
        let mut open: Vec<&Resolved> = Vec::new();
        for resolved in resolved.iter().flatten() {
            match self.peer.fresh(resolved) {
                Some(told) => drop(known.insert(resolved.place, Ok(told))),
                None => open.push(resolved),
            }
        }
        if !open.is_empty() {
            if self.peer.patience.is_none() {
                known.extend(self.ask(&open, false).await?);
            } else {
                self.peer.check_heard()?;
                let listens = self.peer.heard_within(AWAKE_FOR);
                let asked = if listens { self.ask(&open, false).await.ok() } else { None };
                known.extend(asked.unwrap_or_default());
            }
        }
        for resolved in resolved.iter().flatten() {
            if self.peer.patience.is_none() {
                self.peer.factor(resolved).await.map_err(Fault::from)?;
            }
        }
        let value = |resolved: &Result<Resolved, Fault>| {
            let resolved = resolved.as_ref().map_err(Clone::clone)?;
            let asleep = || Fault::NotTold("the device sleeps, and has not told it yet".to_owned());
            let told = known.get(&resolved.place).ok_or_else(asleep)?.as_ref().map_err(Clone::clone)?;
            let factor = self.peer.known_factor(resolved).ok_or_else(asleep)?;
            resolved.decode(told.kind, &told.value, factor)
        };
        Ok(points
            .iter()
            .zip(&resolved)
            .map(|(point, resolved)| Sample::new(point, value(resolved)))
            .collect())
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        let resolved = self.resolve(point)?;
        let written = write::write(&self.peer, &resolved, value).await;
        self.ear.forget(|place| *place == resolved.place);
        written
    }

    async fn watch(&mut self, points: &[Watch<Point>]) -> Result<(), Fault> {
        let mut watched = Vec::new();
        for watch in points {
            if let Ok(resolved) = self.resolve(&watch.point) {
                watched.push(Watched::new(
                    watch.point.clone(),
                    resolved,
                    watch.every,
                    self.peer.patience.is_some(),
                ));
            }
        }
        self.watched = Arc::new(watched);
        let asleep = self.peer.patience.is_some();
        if !asleep {
            watch::configure(&self.peer, &self.watched).await.map_err(Fault::from)?;
        }
        self.keeper.abort_all();
        self.keeper.spawn(watch::keep(Arc::clone(&self.peer), Arc::clone(&self.watched), !asleep));
        Ok(())
    }

    async fn changed(&mut self) -> Result<Sample<'_, Point>, Fault> {
        loop {
            if let Some((number, value)) = self.told.pop_front() {
                if number < self.watched.len() {
                    return Ok(Sample::new(&self.watched[number].point, value));
                }
                continue;
            }
            tokio::select! {
                (place, told) = self.ear.next() => self.take(&place, &told),
                why = self.peer.coordinator.until_lost() => return Err(Fault::Link(why)),
            }
        }
    }

    async fn close(mut self) {
        self.keeper.shutdown().await;
    }
}
