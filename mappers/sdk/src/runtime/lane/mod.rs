//! One lane at work: asks the planner of time what to do, does it, and puts what came of it into the outboxes.

mod pushed;
mod write;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::{DeviceState, Quality, Timestamp, Value, Why};

use crate::Pauses;
use crate::driver::{Driver, LaneKey, Session as _};
use crate::fault::{Fault, Verdict};
use crate::report::Observation;
use crate::runtime::clock::Clock;
use crate::runtime::device::Device;
use crate::runtime::marks::Marks;
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
            let retry_ms = whole_millis(retry_at.since(now));
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

/// What a driver says of a property: its number, its value, and the device's own time.
pub(crate) type Said = (usize, Result<Value, Fault>, Option<Timestamp>);

/// Guards against a driver that never comes back.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
    timeout(DRIVER_DEADLINE, work).await.unwrap_or(Err(Fault::TimedOut(DRIVER_DEADLINE)))
}

/// For the log, which writes wider numbers as texts.
fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
