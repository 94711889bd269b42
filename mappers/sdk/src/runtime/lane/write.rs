//! What a lane does with a wish, and what it tells of it.

use std::sync::Arc;
use std::time::Duration;

use twin_core::{Timestamp, WriteResult};

use crate::driver::Driver;
use crate::fault::{Fault, Verdict};
use crate::runtime::clock::wall;
use crate::runtime::lane::{Lane, within};
use crate::runtime::wishes::Wish;

/// When a device that said it cannot now is asked to take a value again.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What is told of a wish for a device that is left alone.
const PAUSED: &str = "the device is paused; the value is written when it is resumed";

impl<D: Driver> Lane<D> {
    pub(super) async fn write(&mut self, number: usize) {
        let Some(seat) = self.seats.get(&number) else { return };
        let device = Arc::clone(&seat.device);
        let Some((property, wish)) = device.wishes().poll_wish(wall()) else { return };
        let connected = self.connect(number).await;
        let Some(seat) = self.seats.get_mut(&number) else { return };
        let result = match connected {
            Ok(()) => seat.write(property, &wish.value).await,
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
        let Some(seat) = self.seats.get_mut(&number) else { return };
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
        let Some(seat) = self.seats.get(&number) else { return };
        let device = Arc::clone(&seat.device);
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
                self.tell_failure(number, &fault.to_string(), Some(again));
            }
            Verdict::Reconnect => {
                device.wishes().handle_put_back(property);
                self.device_down(number, fault);
            }
        }
    }

    /// Tells of the wishes for a device that does not answer that they have to wait.
    pub(super) fn tell_failures(&mut self, number: usize) {
        let Some(seat) = self.seats.get(&number) else { return };
        if seat.paused {
            self.tell_failure(number, PAUSED, None);
        } else if let Some((reason, retry_at)) = seat.down.clone() {
            self.tell_failure(number, &reason, Some(retry_at));
        }
    }

    fn tell_failure(&mut self, number: usize, reason: &str, retry_at: Option<Timestamp>) {
        let Some(seat) = self.seats.get(&number) else { return };
        let device = &seat.device;
        let unreported = device.wishes().handle_failure(reason, wall());
        for (property, wish) in unreported {
            let retry_at = retry_at.map(|at| self.parts.clock.date(at));
            let result = WriteResult::Failed { reason: reason.to_owned(), retry_at };
            device.set_outcome(property, &wish, result, wall());
            self.parts.news.mark(device.number);
        }
    }
}
