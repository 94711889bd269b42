//! One lane at work: asks the planner of time what to do, does it, and puts what came of it into the outboxes.

mod orders;
mod pushed;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use twin_core::{DeviceState, Quality, Timestamp, Value, Why};

use crate::Pauses;
use crate::driver::{Driver, LaneKey, Sample, Session};
use crate::fault::{Fault, Verdict};
use crate::figures::Counts;
use crate::report::Observation;
use crate::runtime::clock::{Clock, wall};
use crate::runtime::marks::Marks;
use crate::runtime::members::Members;
use crate::runtime::seat::Seat;
use crate::schedule::{Job, Schedule};
use pushed::pushed;

/// A driver that takes longer than this has forgotten its own time-outs.
const DRIVER_DEADLINE: Duration = Duration::from_secs(120);
/// How long the sessions of a lane may take to close, together.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What a lane is made of; it outlives a breakdown of the driver.
pub(crate) struct LaneParts<D: Driver> {
    pub(crate) driver: Arc<D>,
    pub(crate) key: LaneKey,
    pub(crate) members: Members<D>,
    /// Devices that have something to be written, or of which something is asked.
    pub(crate) mail: Arc<Marks>,
    /// Devices that have something to tell.
    pub(crate) news: Arc<Marks>,
    pub(crate) pauses: Pauses,
    pub(crate) clock: Clock,
    pub(crate) counts: Arc<Counts>,
}

/// The lane while it runs. Devices have the numbers that they have in the mapper.
pub(crate) struct Lane<D: Driver> {
    parts: Arc<LaneParts<D>>,
    schedule: Schedule,
    seats: BTreeMap<usize, Seat<D>>,
    /// The version of the members that the seats are of.
    version: Option<u64>,
    overruns_told: u64,
    overruns_counted: u64,
}

impl<D: Driver> Lane<D> {
    pub(crate) fn new(parts: Arc<LaneParts<D>>) -> Self {
        let schedule = Schedule::new(parts.pauses, fastrand::u64(..));
        Self { parts, schedule, seats: BTreeMap::new(), version: None, overruns_told: 0, overruns_counted: 0 }
    }

    /// Works until `stop`, then closes what is open.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
        let sessions = std::mem::take(&mut self.seats).into_values().filter_map(|seat| seat.session);
        close(&self.parts.key, sessions.collect::<Vec<_>>()).await;
    }

    /// Gives every member a seat, and closes the sessions of those that are none any more. The others notice nothing.
    async fn seat_members(&mut self) {
        let version = self.parts.members.version();
        if self.version.replace(version) == Some(version) {
            return;
        }
        let members = self.parts.members.all();
        let gone: Vec<usize> = self.seats.keys().filter(|n| !members.contains_key(n)).copied().collect();
        let mut sessions = Vec::new();
        for number in gone {
            self.schedule.remove(number);
            sessions.extend(self.seats.remove(&number).and_then(|seat| seat.session));
        }
        if !sessions.is_empty() {
            close(&self.parts.key, sessions).await;
        }
        let now = self.parts.clock.steady();
        for (number, device) in members {
            if self.seats.contains_key(&number) {
                continue;
            }
            let periods: Vec<Duration> = device.polls.iter().map(|(period, _)| *period).collect();
            self.schedule.insert(number, &periods, now);
            // What was waiting when the driver broke down.
            if device.wishes().is_waiting() {
                self.schedule.handle_write_wanted(number, now);
            }
            self.seats.insert(number, Seat::new(device));
            self.handle_orders(number).await;
        }
        self.parts.counts.set_devices(self.seats.len());
    }

    async fn work(&mut self) {
        loop {
            self.seat_members().await;
            self.take_mail().await;
            let job = self.schedule.poll_job(self.parts.clock.steady());
            let begun = Instant::now();
            match job {
                Some(Job::Read { device, polls, .. }) => {
                    let answered = self.read(device, &polls).await;
                    self.parts.counts.note_read(begun.elapsed(), answered);
                }
                Some(Job::Write { device }) => {
                    self.write(device).await;
                    self.parts.counts.note_write(begun.elapsed());
                }
                None => self.rest().await,
            }
            self.tell_overruns();
        }
    }

    async fn take_mail(&mut self) {
        for device in self.parts.mail.take() {
            if self.seats.get(&device).is_some_and(|seat| seat.device.wishes().is_waiting()) {
                self.schedule.handle_write_wanted(device, self.parts.clock.steady());
            }
            self.tell_failures(device);
            self.handle_orders(device).await;
        }
    }

    /// Waits until there is something to do.
    async fn rest(&mut self) {
        let clock = self.parts.clock;
        let now = clock.steady();
        let mut held_until: Option<Timestamp> = None;
        for seat in self.seats.values_mut() {
            if let Some(at) = seat.flush_held(now, &self.parts.news) {
                held_until = Some(held_until.map_or(at, |other| other.min(at)));
            }
        }
        let wake_at = [self.schedule.poll_timeout(), held_until].into_iter().flatten().min();
        let parts = Arc::clone(&self.parts);
        let sleep = async move {
            match wake_at {
                Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = parts.mail.rung() => {}
            () = sleep => {}
            (seat, told) = pushed(&mut self.seats) => match told {
                Ok(said) => self.handle_told(seat, said),
                Err(fault) => self.device_down(seat, &fault),
            },
        }
    }

    /// Whether the device answered.
    async fn read(&mut self, number: usize, polls: &[usize]) -> bool {
        match self.ask(number, polls).await {
            Ok(said) => {
                self.device_up(number);
                self.observe(number, said);
                true
            }
            Err(fault) => {
                self.device_down(number, &fault);
                false
            }
        }
    }

    /// Connects where that is needed, and reads.
    async fn ask(&mut self, number: usize, polls: &[usize]) -> Result<Vec<Said>, Fault> {
        self.connect(number).await?;
        let Some(seat) = self.seats.get_mut(&number) else { return Ok(Vec::new()) };
        within(seat.read(polls)).await
    }

    fn handle_told(&mut self, number: usize, said: Vec<Said>) {
        if let Some(seat) = self.seats.get(&number) {
            seat.device.desk.handle_answer(wall());
        }
        self.observe(number, said);
    }

    fn observe(&mut self, number: usize, said: Vec<Said>) {
        if let Some(seat) = self.seats.get_mut(&number) {
            seat.observe(said, self.parts.clock.steady());
            self.parts.news.mark(number);
        }
    }

    async fn connect(&mut self, number: usize) -> Result<(), Fault> {
        let Some(seat) = self.seats.get_mut(&number) else { return Ok(()) };
        if seat.session.is_some() {
            return Ok(());
        }
        let watched = if D::PUSHES { seat.watched() } else { Vec::new() };
        let connecting = async {
            let mut session = self.parts.driver.connect(&seat.device.link).await?;
            if D::PUSHES {
                session.watch(&watched).await?;
            }
            Ok(session)
        };
        seat.session = Some(within(connecting).await?);
        Ok(())
    }

    fn device_up(&mut self, number: usize) {
        self.schedule.handle_answer(number, self.parts.clock.steady());
        let Some(seat) = self.seats.get_mut(&number) else { return };
        seat.down = None;
        seat.device.desk.handle_answer(wall());
        if seat.set_state(DeviceState::Online) {
            tracing::info!(device = %seat.device.id, lane = %self.parts.key, "the device answers");
        }
        if seat.device.wishes().is_waiting() {
            self.schedule.handle_write_wanted(number, self.parts.clock.steady());
        }
    }

    fn device_down(&mut self, number: usize, fault: &Fault) {
        let now = self.parts.clock.steady();
        let (retry_at, why) = match fault {
            Fault::Denied(_) => (self.schedule.handle_denial(number, now), fault.why()),
            Fault::Link(_)
            | Fault::TimedOut(_)
            | Fault::Protocol(_)
            | Fault::Unreachable(_)
            | Fault::Busy(_)
            | Fault::Refused(_)
            | Fault::NotAValue(_)
            | Fault::NotTold(_)
            | Fault::Stale(_)
            | Fault::Unsuitable(_) => (self.schedule.handle_silence(number, now), Why::DeviceUnreachable),
        };
        let Some(seat) = self.seats.get_mut(&number) else { return };
        if fault.verdict() == Verdict::Reconnect {
            seat.session = None;
        }
        if seat.set_state(DeviceState::Offline) {
            let retry_ms = whole_millis(retry_at.since(now));
            tracing::warn!(device = %seat.device.id, lane = %self.parts.key, reason = %fault, retry_ms, "the device does not answer");
        }
        seat.observe_all(&Observation::bad(Quality::Bad(why)), now);
        seat.down = Some((fault.to_string(), retry_at));
        seat.device.desk.handle_fault(fault, wall(), self.parts.clock.date(retry_at));
        if seat.device.wishes().is_waiting() {
            self.schedule.handle_write_wanted(number, now);
        }
        self.tell_failures(number);
        self.parts.news.mark(number);
    }

    fn tell_overruns(&mut self) {
        let overruns = self.schedule.overruns();
        self.parts.counts.note_overruns(overruns.saturating_sub(self.overruns_counted));
        self.overruns_counted = overruns;
        // Told at 1, 2, 4, 8, ...: a lane that is too slow is so for ever.
        if overruns > 0 && overruns >= self.overruns_told.saturating_mul(2) && overruns != self.overruns_told
        {
            self.overruns_told = overruns;
            tracing::warn!(lane = %self.parts.key, overruns, "the lane is too slow for what is to be read");
        }
    }
}

/// Closes sessions one after the other.
async fn close<S: Session>(lane: &LaneKey, sessions: Vec<S>) {
    let close = async {
        for session in sessions {
            session.close().await;
        }
    };
    if timeout(CLOSE_DEADLINE, close).await.is_err() {
        tracing::warn!(%lane, "a device did not let itself be closed in time");
    }
}

/// What a driver says of a property, by its number.
pub(crate) struct Said {
    pub(crate) property: usize,
    pub(crate) value: Result<Value, Fault>,
    pub(crate) source_time: Option<Timestamp>,
    pub(crate) doubt: Option<Why>,
}

impl Said {
    pub(crate) fn new<Point>(property: usize, sample: Sample<'_, Point>) -> Self {
        Self { property, value: sample.value, source_time: sample.source_time, doubt: sample.doubt }
    }
}

/// Guards against a driver that never comes back.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
    timeout(DRIVER_DEADLINE, work).await.unwrap_or(Err(Fault::TimedOut(DRIVER_DEADLINE)))
}

/// For the log, which writes wider numbers as texts.
fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
