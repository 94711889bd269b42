//! One lane at work: asks the planner of time what to do, does it, and puts what came of it into the outboxes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, select_all};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::{DeviceState, Quality, Timestamp, Value, Why, WriteResult};

use crate::Pauses;
use crate::driver::{Driver, LaneKey, Session};
use crate::fault::{Fault, Verdict};
use crate::report::Observation;
use crate::runtime::clock::{Clock, wall};
use crate::runtime::device::Device;
use crate::runtime::marks::Marks;
use crate::runtime::seat::Seat;
use crate::runtime::wishes::Wish;
use crate::schedule::{Job, Schedule};

/// A driver that takes longer than this has forgotten its own time-outs.
const DRIVER_DEADLINE: Duration = Duration::from_secs(120);
/// How long the sessions of a lane may take to close, together.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// When a device that said it cannot now is asked to take a value again.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What a lane is made of; it outlives a breakdown of the driver.
pub(crate) struct LaneParts<D: Driver> {
    pub(crate) driver: Arc<D>,
    pub(crate) key: LaneKey,
    pub(crate) devices: Vec<Arc<Device<D>>>,
    /// Devices, by their place in `devices`, that have something to be written.
    pub(crate) mail: Marks,
    /// Devices, by their number in the mapper, that have something to tell.
    pub(crate) news: Arc<Marks>,
    pub(crate) pauses: Pauses,
    pub(crate) clock: Clock,
}

/// The lane while it runs.
pub(crate) struct Lane<D: Driver> {
    parts: Arc<LaneParts<D>>,
    schedule: Schedule,
    seats: Vec<Seat<D>>,
    overruns_told: u64,
}

impl<D: Driver> Lane<D> {
    pub(crate) fn new(parts: Arc<LaneParts<D>>) -> Self {
        let periods: Vec<Vec<Duration>> = parts
            .devices
            .iter()
            .map(|device| device.polls.iter().map(|(period, _)| *period).collect())
            .collect();
        let schedule = Schedule::new(&periods, parts.pauses, parts.clock.steady(), fastrand::u64(..));
        let seats = parts.devices.iter().map(|device| Seat::new(Arc::clone(device))).collect();
        Self { parts, schedule, seats, overruns_told: 0 }
    }

    /// Works until `stop`, then closes what is open.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        for (number, device) in self.parts.devices.iter().enumerate() {
            // What was waiting when the driver broke down.
            if device.wishes().is_waiting() {
                self.parts.mail.mark(number);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
        let close = async {
            for session in self.seats.iter_mut().filter_map(|seat| seat.session.take()) {
                session.close().await;
            }
        };
        if timeout(CLOSE_DEADLINE, close).await.is_err() {
            tracing::warn!(lane = %self.parts.key, "a device did not let itself be closed in time");
        }
    }

    async fn work(&mut self) {
        loop {
            self.take_mail();
            let job = self.schedule.poll_job(self.parts.clock.steady());
            match job {
                Some(Job::Read { device, polls, .. }) => self.read(device, &polls).await,
                Some(Job::Write { device }) => self.write(device).await,
                None => self.rest().await,
            }
            self.tell_overruns();
        }
    }

    fn take_mail(&mut self) {
        let now = self.parts.clock.steady();
        for device in self.parts.mail.take() {
            self.schedule.handle_write_wanted(device, now);
            self.tell_failures(device);
        }
    }

    /// Waits until there is something to do.
    async fn rest(&mut self) {
        let clock = self.parts.clock;
        let now = clock.steady();
        let mut held_until: Option<Timestamp> = None;
        for seat in &mut self.seats {
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
            (seat, fault) = pushed(&mut self.seats, &parts.news, clock) => self.device_down(seat, &fault),
        }
    }

    async fn read(&mut self, number: usize, polls: &[usize]) {
        if let Err(fault) = self.connect(number).await {
            return self.device_down(number, &fault);
        }
        let seat = &mut self.seats[number];
        match within(seat.read(polls)).await {
            Ok(samples) => {
                self.device_up(number);
                self.seats[number].observe(samples, self.parts.clock.steady());
                self.parts.news.mark(self.seats[number].device.number);
            }
            Err(fault) => self.device_down(number, &fault),
        }
    }

    async fn write(&mut self, number: usize) {
        let device = Arc::clone(&self.seats[number].device);
        let Some((property, wish)) = device.wishes().poll_wish(wall()) else { return };
        let result = match self.connect(number).await {
            Ok(()) => self.seats[number].write(property, &wish.value).await,
            Err(fault) => Err(fault),
        };
        match result {
            Ok(()) => self.applied(number, property, &wish).await,
            Err(fault) => self.not_applied(number, property, &wish, &fault),
        }
        if device.wishes().is_waiting() {
            self.schedule.handle_write_wanted(number, self.parts.clock.steady());
        }
        self.parts.news.mark(device.number);
    }

    /// Reads the property back at once, so that the outcome and what the device now holds are told together.
    async fn applied(&mut self, number: usize, property: usize, wish: &Wish) {
        self.device_up(number);
        let seat = &mut self.seats[number];
        let device = Arc::clone(&seat.device);
        let readable = device.properties[property].config.definition.access.readable();
        let read_back = if readable { Some(within(seat.read_one(property)).await) } else { None };
        let (said, down) = match read_back {
            Some(Ok(sample)) => (vec![sample], None),
            Some(Err(fault)) => (Vec::new(), Some(fault)),
            None => (Vec::new(), None),
        };
        device.wishes().handle_answered(property);
        let outcome = wish.outcome(WriteResult::Applied, wall());
        seat.observe_write(said, self.parts.clock.steady(), (property, outcome));
        let name = &device.properties[property].name;
        tracing::info!(device = %device.id, property = %name, revision = %wish.revision, "written");
        if let Some(fault) = down {
            self.device_down(number, &fault);
        }
    }

    fn not_applied(&mut self, number: usize, property: usize, wish: &Wish, fault: &Fault) {
        let device = Arc::clone(&self.seats[number].device);
        let name = &device.properties[property].name;
        match fault.verdict() {
            Verdict::GiveUpOnPoint => {
                self.schedule.handle_answer(number, self.parts.clock.steady());
                tracing::warn!(device = %device.id, property = %name, revision = %wish.revision, reason = %fault, "the device refuses a write");
                device.wishes().handle_answered(property);
                device.set_outcome(
                    property,
                    wish,
                    WriteResult::Refused { reason: fault.to_string() },
                    wall(),
                );
            }
            Verdict::RetryLater => {
                device.wishes().handle_put_back(property);
                let again = self.parts.clock.steady().after(WRITE_AGAIN_AFTER);
                self.schedule.handle_write_wanted(number, again);
                self.tell_failure(number, &fault.to_string(), again);
            }
            Verdict::Reconnect => {
                device.wishes().handle_put_back(property);
                self.device_down(number, fault);
            }
        }
    }

    async fn connect(&mut self, number: usize) -> Result<(), Fault> {
        if self.seats[number].session.is_some() {
            return Ok(());
        }
        let device = Arc::clone(&self.seats[number].device);
        let watched = if D::PUSHES { self.seats[number].watched() } else { Vec::new() };
        let connecting = async {
            let mut session = self.parts.driver.connect(&device.link).await?;
            if D::PUSHES {
                session.watch(&watched).await?;
            }
            Ok(session)
        };
        self.seats[number].session = Some(within(connecting).await?);
        Ok(())
    }

    fn device_up(&mut self, number: usize) {
        self.schedule.handle_answer(number, self.parts.clock.steady());
        let seat = &mut self.seats[number];
        seat.down = None;
        if seat.set_state(DeviceState::Online) {
            tracing::info!(device = %seat.device.id, lane = %self.parts.key, "the device answers");
        }
        if seat.device.wishes().is_waiting() {
            self.schedule.handle_write_wanted(number, self.parts.clock.steady());
        }
    }

    fn device_down(&mut self, number: usize, fault: &Fault) {
        let now = self.parts.clock.steady();
        let retry_at = self.schedule.handle_silence(number, now);
        let seat = &mut self.seats[number];
        if fault.verdict() == Verdict::Reconnect {
            seat.session = None;
        }
        if seat.set_state(DeviceState::Offline) {
            let retry_ms = retry_at.since(now).as_millis();
            tracing::warn!(device = %seat.device.id, lane = %self.parts.key, reason = %fault, retry_ms, "the device does not answer");
        }
        seat.observe_all(&Observation::bad(Quality::Bad(Why::DeviceUnreachable)), now);
        seat.down = Some((fault.to_string(), retry_at));
        let (device, waiting) = (seat.device.number, seat.device.wishes().is_waiting());
        if waiting {
            self.schedule.handle_write_wanted(number, now);
        }
        self.tell_failures(number);
        self.parts.news.mark(device);
    }

    /// Tells of the wishes for a device that does not answer that they have to wait.
    fn tell_failures(&mut self, number: usize) {
        if let Some((reason, retry_at)) = self.seats[number].down.clone() {
            self.tell_failure(number, &reason, retry_at);
        }
    }

    fn tell_failure(&mut self, number: usize, reason: &str, retry_at: Timestamp) {
        let device = &self.seats[number].device;
        let unreported = device.wishes().handle_failure(reason, wall());
        for (property, wish) in unreported {
            let retry_at = Some(self.parts.clock.date(retry_at));
            let result = WriteResult::Failed { reason: reason.to_owned(), retry_at };
            device.set_outcome(property, &wish, result, wall());
            self.parts.news.mark(device.number);
        }
    }

    fn tell_overruns(&mut self) {
        let overruns = self.schedule.overruns();
        // Told at 1, 2, 4, 8, ...: a lane that is too slow is so for ever.
        if overruns > 0 && overruns >= self.overruns_told.saturating_mul(2) && overruns != self.overruns_told
        {
            self.overruns_told = overruns;
            tracing::warn!(lane = %self.parts.key, overruns, "the lane is too slow for what is to be read");
        }
    }
}

/// Waits for what devices tell by themselves; gives the first that is lost.
async fn pushed<D: Driver>(seats: &mut [Seat<D>], news: &Marks, clock: Clock) -> (usize, Fault) {
    if !D::PUSHES {
        return std::future::pending().await;
    }
    loop {
        let waits: Vec<BoxFuture<'_, (usize, Result<_, Fault>)>> = seats
            .iter_mut()
            .enumerate()
            .filter(|(_, seat)| seat.session.is_some())
            .map(|(number, seat)| async move { (number, seat.changed().await) }.boxed())
            .collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        let (first, ..) = select_all(waits).await;
        match first {
            (number, Ok(samples)) => {
                seats[number].observe(samples, clock.steady());
                news.mark(seats[number].device.number);
            }
            (number, Err(fault)) => return (number, fault),
        }
    }
}

/// What a driver says of a property: its number, its value, and the device's own time.
pub(crate) type Said = (usize, Result<Value, Fault>, Option<Timestamp>);

/// Guards against a driver that never comes back.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
    timeout(DRIVER_DEADLINE, work).await.unwrap_or(Err(Fault::TimedOut(DRIVER_DEADLINE)))
}
