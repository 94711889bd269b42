//! All lanes of a mapper: each is a task, started again when its driver breaks down.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::breaker::Pauses;
use crate::driver::{Driver, LaneKey};
use crate::figures::Figures;
use crate::runtime::clock::{Clock, wall};
use crate::runtime::device::Device;
use crate::runtime::lane::{Lane, LaneParts};
use crate::runtime::marks::Marks;
use crate::runtime::members::Members;

/// The pauses before a lane whose driver broke down is started again.
const RESTART: Pauses = Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

pub(crate) struct Lanes<D: Driver> {
    driver: Arc<D>,
    news: Arc<Marks>,
    pauses: Pauses,
    clock: Clock,
    figures: Figures,
    lanes: BTreeMap<LaneKey, Running<D>>,
    tasks: JoinSet<()>,
    running: HashMap<Id, LaneKey>,
    stop: CancellationToken,
}

struct Running<D: Driver> {
    parts: Arc<LaneParts<D>>,
    breakdowns: u32,
    stop: CancellationToken,
    /// Nobody was in it at the last change.
    was_empty: bool,
}

impl<D: Driver> Lanes<D> {
    pub(crate) fn new(driver: Arc<D>, news: Arc<Marks>, pauses: Pauses, figures: Figures) -> Self {
        Self {
            driver,
            news,
            pauses,
            clock: Clock::new(),
            figures,
            lanes: BTreeMap::new(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Gives a device a place in its lane, which is started where there is none.
    pub(crate) fn add(&mut self, device: Arc<Device<D>>) -> Arc<LaneParts<D>> {
        let key = self.driver.lane(&device.link);
        if let Some(lane) = self.lanes.get_mut(&key) {
            device.desk.place(&key, device.number, &lane.parts.mail);
            lane.parts.members.insert(device);
            lane.parts.mail.ring();
            lane.was_empty = false;
            return Arc::clone(&lane.parts);
        }
        let members = Members::default();
        let mail = Arc::new(Marks::default());
        device.desk.place(&key, device.number, &mail);
        members.insert(device);
        let parts = Arc::new(LaneParts {
            driver: Arc::clone(&self.driver),
            key: key.clone(),
            members,
            mail,
            news: Arc::clone(&self.news),
            pauses: self.pauses,
            clock: self.clock,
            counts: self.figures.of(&key),
        });
        let stop = self.stop.child_token();
        let lane = Running { parts: Arc::clone(&parts), breakdowns: 0, stop, was_empty: false };
        self.lanes.insert(key.clone(), lane);
        self.spawn(key, Duration::ZERO);
        parts
    }

    /// Takes a device out of its lane.
    pub(crate) fn remove(&self, device: &Device<D>) {
        if let Some(lane) = self.lanes.get(&self.driver.lane(&device.link)) {
            lane.parts.members.remove(device.number);
            lane.parts.mail.ring();
        }
    }

    /// Ends the lanes in which nobody is for the second time. One that has just become empty may be filled again at once,
    /// and two tasks at one bus would hinder each other.
    pub(crate) fn prune(&mut self) {
        self.lanes.retain(|key, lane| {
            let empty = lane.parts.members.is_empty();
            if empty && lane.was_empty {
                lane.stop.cancel();
                self.figures.forget(key);
                return false;
            }
            lane.was_empty = empty;
            true
        });
    }

    fn spawn(&mut self, key: LaneKey, pause: Duration) {
        let Some(lane) = self.lanes.get(&key) else { return };
        let (parts, stop) = (Arc::clone(&lane.parts), lane.stop.clone());
        let task = self.tasks.spawn(async move {
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                Lane::new(parts).run(stop).await;
            }
        });
        self.running.insert(task.id(), key);
    }

    /// Waits for a lane that breaks down and starts it again; pending while none does. Cancel-safe.
    pub(crate) async fn keep_running(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.running.remove(&id)),
            Some(Err(error)) => self.handle_breakdown(&error),
            None => std::future::pending().await,
        }
    }

    fn handle_breakdown(&mut self, error: &JoinError) {
        let Some(key) = self.running.remove(&error.id()) else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.breakdowns = lane.breakdowns.saturating_add(1);
        let pause = RESTART.after(lane.breakdowns, &mut fastrand::Rng::new());
        let restart_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(lane = %key, %error, restart_ms, "the driver broke down; its lane is started again");
        for device in lane.parts.members.all().into_values() {
            device.handle_breakdown(wall());
            lane.parts.news.mark(device.number);
        }
        self.spawn(key, pause);
    }

    /// Where to mark devices that have something to tell.
    pub(crate) fn news(&self) -> &Marks {
        &self.news
    }

    /// Tells all lanes to end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
