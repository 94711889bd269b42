//! What is asked of a device from outside: to leave it alone, to read it now, to find out whether it can be reached.

use std::sync::Arc;

use tokio::time::Instant;
use twin_core::{DeviceState, PropertyName, Quality, Why};

use crate::controls::{NotDone, Polled, Probed};
use crate::driver::Driver;
use crate::fault::{Fault, Verdict};
use crate::report::Observation;
use crate::runtime::lane::{Lane, Said, close, within};

impl<D: Driver> Lane<D> {
    /// Does what is asked of a device, once for all who ask.
    pub(super) async fn handle_orders(&mut self, number: usize) {
        self.follow_pause(number).await;
        let Some(seat) = self.seats.get(&number) else { return };
        let device = Arc::clone(&seat.device);
        let orders = device.desk.take_orders();
        for noted in orders.noted {
            let _ = noted.send(());
        }
        if !orders.polls.is_empty() {
            let polled = self.poll_now(number).await;
            for answer in orders.polls {
                let _ = answer.send(polled.clone());
            }
        }
        if !orders.probes.is_empty() {
            let probed = self.probe(number).await;
            for answer in orders.probes {
                let _ = answer.send(probed.clone());
            }
        }
    }

    /// Leaves the device alone, or no longer, as its desk says.
    async fn follow_pause(&mut self, number: usize) {
        let now = self.parts.clock.steady();
        let Some(seat) = self.seats.get_mut(&number) else { return };
        let paused = seat.device.desk.is_paused();
        if seat.paused == paused {
            return;
        }
        seat.paused = paused;
        seat.down = None;
        self.schedule.set_paused(number, paused, now);
        if !paused {
            tracing::info!(device = %seat.device.id, lane = %self.parts.key, "the device is asked again");
            if seat.device.wishes().is_waiting() {
                self.schedule.handle_write_wanted(number, now);
            }
            return;
        }
        tracing::info!(device = %seat.device.id, lane = %self.parts.key, "the device is paused");
        seat.observe_all(&Observation::bad(Quality::Bad(Why::Paused)), now);
        // Nobody asks it, so nobody knows.
        seat.set_state(DeviceState::Unknown);
        if let Some(session) = seat.session.take() {
            close(&self.parts.key, vec![session]).await;
        }
        self.tell_failures(number);
        self.parts.news.mark(number);
    }

    async fn poll_now(&mut self, number: usize) -> Result<Polled, NotDone> {
        let seat = self.seats.get(&number).ok_or(NotDone::NotServed)?;
        if seat.paused {
            return Err(NotDone::Paused);
        }
        let polls: Vec<usize> = (0..seat.device.polls.len()).collect();
        if polls.is_empty() {
            return Err(NotDone::NothingToRead);
        }
        let begun = Instant::now();
        let said = self.ask(number, &polls).await;
        let took = begun.elapsed();
        self.parts.counts.note_read(took, said.is_ok());
        let read = match said {
            Ok(said) => {
                self.device_up(number);
                let now = self.parts.clock.steady();
                let seat = self.seats.get_mut(&number).ok_or(NotDone::NotServed)?;
                let seen = seat.observe_forced(said, now);
                let name = |property: usize| seat.device.properties[property].name.clone();
                let seen = seen.into_iter().map(|(property, observation)| (name(property), observation));
                Ok(seen.collect())
            }
            Err(fault) => {
                self.device_down(number, &fault);
                Err(fault)
            }
        };
        self.parts.news.mark(number);
        Ok(Polled { took, read })
    }

    /// Tells nobody but who asks. A session that was made for it stays, unless the device is to be left alone.
    async fn probe(&mut self, number: usize) -> Result<Probed, NotDone> {
        let seat = self.seats.get(&number).ok_or(NotDone::NotServed)?;
        let (was_connected, paused) = (seat.session.is_some(), seat.paused);
        let polls: Vec<usize> = (0..seat.device.polls.len()).collect();
        let mut probed = Probed { connected: None, read: None, values: 0, without: Vec::new(), fault: None };
        let begun = Instant::now();
        let connected = self.connect(number).await;
        let took = begun.elapsed();
        let said = match connected {
            Ok(()) => {
                probed.connected = (!was_connected).then_some(took);
                let begun = Instant::now();
                let seat = self.seats.get_mut(&number).ok_or(NotDone::NotServed)?;
                let said = if polls.is_empty() { Ok(Vec::new()) } else { within(seat.read(&polls)).await };
                probed.read = said.is_ok().then(|| begun.elapsed());
                said
            }
            Err(fault) => Err(fault),
        };
        let seat = self.seats.get_mut(&number).ok_or(NotDone::NotServed)?;
        match said {
            Ok(said) => {
                let name = |property: usize| seat.device.properties[property].name.clone();
                (probed.values, probed.without) = sorted(said, name);
                // It need not wait for its next turn when it was thought not to answer.
                self.schedule.handle_hope(number, self.parts.clock.steady());
            }
            Err(fault) => {
                if fault.verdict() == Verdict::Reconnect {
                    seat.session = None;
                }
                probed.fault = Some(fault);
            }
        }
        if paused && let Some(session) = seat.session.take() {
            close(&self.parts.key, vec![session]).await;
        }
        Ok(probed)
    }
}

/// How many values there are, and which properties have none.
fn sorted(said: Vec<Said>, name: impl Fn(usize) -> PropertyName) -> (usize, Vec<(PropertyName, String)>) {
    let all = said.len();
    let without: Vec<_> = said
        .into_iter()
        .filter_map(|one| one.value.err().map(|fault: Fault| (name(one.property), fault.to_string())))
        .collect();
    (all - without.len(), without)
}
