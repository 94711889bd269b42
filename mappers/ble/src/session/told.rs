//! What a device tells by itself: notifications, indications and advertisements.

use std::collections::BTreeMap;
use std::time::Duration;

use mapper_sdk::{Fault, Watch};
use twin_core::{Timestamp, Value};

use crate::hub::State;
use crate::point::{Layout, Place, Point};
use crate::radio::Adapter;
use crate::session::{BleSession, value_on_the_air};

/// A point whose changes are told.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) point: Point,
    pub(super) layout: Layout,
    pub(super) every: Duration,
    /// What was last told of it from the air.
    last: Option<Value>,
}

/// What is to be told, by the number of the watched point: the newest only.
pub(super) type Pending = BTreeMap<usize, Result<Value, Fault>>;

/// Why a session that waits looks up.
enum Woken {
    /// The connection is gone.
    Lost,
    /// The device has told something.
    Told,
    /// Something new was heard.
    Heard(Vec<(usize, Value)>),
    /// The connection has to be given up then, or not any more.
    YieldsAt(Option<Timestamp>),
}

impl Watched {
    pub(super) fn new(watch: &Watch<Point>, layout: Layout) -> Self {
        Self { point: watch.point.clone(), layout, every: watch.every, last: None }
    }

    fn is_on_the_air(&self) -> bool {
        !matches!(self.layout.place, Place::Characteristic { .. })
    }
}

impl<A: Adapter> BleSession<A> {
    /// Waits for the next change of a watched point. Cancel-safe: what was taken in is kept until it is told.
    pub(super) async fn next_change(&mut self) -> Result<(usize, Result<Value, Fault>), Fault> {
        let mut yields_at = None;
        loop {
            self.take_told();
            if let Some(change) = self.pending.pop_first() {
                return Ok(change);
            }
            let shared = self.shared();
            let time_is_up = async {
                match yields_at {
                    Some(at) => tokio::time::sleep_until(shared.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            let woken = tokio::select! {
                woken = shared.until(|state, now| self.look(state, now, yields_at)) => Some(woken?),
                () = time_is_up => None,
            };
            match woken {
                Some(Woken::Lost) => {
                    self.wired = None;
                    return Err(self.lost());
                }
                Some(Woken::Told) => {}
                Some(Woken::Heard(news)) => {
                    for (index, value) in news {
                        self.watched[index].last = Some(value.clone());
                        self.pending.insert(index, Ok(value));
                    }
                }
                Some(Woken::YieldsAt(at)) => yields_at = at,
                None => {
                    self.make_way();
                    yields_at = None;
                }
            }
        }
    }

    fn look(&self, state: &State, now: Timestamp, yields_at: Option<Timestamp>) -> Option<Woken> {
        if self.wired.is_some() {
            if state.links.get(&self.address).is_some_and(|link| !link.told.is_empty()) {
                return Some(Woken::Told);
            }
            if state.is_lost(self.address) {
                return Some(Woken::Lost);
            }
            let now_yields_at = state.budget.yields_at(&self.address);
            if now_yields_at != yields_at {
                return Some(Woken::YieldsAt(now_yields_at));
            }
        }
        let heard: Vec<(usize, Value)> = self
            .watched
            .iter()
            .enumerate()
            .filter(|(_, watched)| watched.is_on_the_air())
            .filter_map(|(index, watched)| {
                let value =
                    value_on_the_air(state, now, self.address, &watched.layout, self.link.max_age()).ok()?;
                (watched.last.as_ref() != Some(&value)).then_some((index, value))
            })
            .collect();
        (!heard.is_empty()).then_some(Woken::Heard(heard))
    }

    /// Takes in what the device has told.
    pub(super) fn take_told(&mut self) {
        let Some(wired) = &mut self.wired else { return };
        let (told, dropped) = {
            let mut state = self.hub.shared().state();
            let Some(link) = state.links.get_mut(&self.address) else { return };
            (std::mem::take(&mut link.told), std::mem::take(&mut link.dropped))
        };
        if dropped > 0 {
            tracing::debug!(address = %self.address, dropped, "the device tells more than is taken in; the newest counts");
        }
        for told in told {
            if !wired.subscribed.contains(&told.handle) {
                continue;
            }
            for (index, watched) in self.watched.iter().enumerate() {
                if wired.is(&watched.layout, &told.handle) {
                    self.pending.insert(index, watched.layout.codec.decode(&told.bytes));
                }
            }
            wired.told.insert(told.handle, (told.bytes, told.at));
        }
    }
}
