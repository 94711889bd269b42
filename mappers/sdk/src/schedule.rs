//! The planner of time for one lane: what is asked next of the devices that share a connection or bus.
//!
//! The shell takes a [`Job`], does it, and tells how it ended. One job is out at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use twin_core::Timestamp;

use crate::breaker::{Breaker, Pauses};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Write what is wanted of a device.
    Write {
        /// The device.
        device: usize,
    },
    /// Read what is due at a device, in one go.
    Read {
        /// The device.
        device: usize,
        /// Its polls, in ascending order.
        polls: Vec<usize>,
        /// Whether the device did not answer when it was last asked.
        probe: bool,
    },
}

/// After so many writes in a row, a read that is due goes ahead.
const WRITES_IN_A_ROW: u32 = 16;

/// How far, in parts of a period, the phase of each device lies behind that of the one before: with the golden ratio any
/// number of devices, and any that remain of them, are spread evenly.
const PHASE_STEP: f64 = 0.618_033_988_749_895;

/// The devices of one lane, by numbers that the caller gives.
#[derive(Debug)]
pub struct Schedule {
    members: BTreeMap<usize, Member>,
    pauses: Pauses,
    random: fastrand::Rng,
    writes_in_a_row: u32,
    /// The phase of the next device, 0 to 1.
    phase: f64,
    /// Of devices that are gone.
    past_overruns: u64,
}

#[derive(Debug, Default)]
struct Member {
    polls: Vec<Poll>,
    breaker: Breaker,
    write_at: Option<Timestamp>,
    /// Nothing is done with it.
    paused: bool,
}

#[derive(Debug)]
struct Poll {
    period: Duration,
    /// A moment at which it is due; it is due again a period after each.
    grid: Timestamp,
    due: Timestamp,
    overruns: u64,
}

impl Poll {
    /// Moves on to the first moment of its grid after `now`, and gives how many lie between: what cannot be kept is
    /// left out, never made up for.
    fn advance(&mut self, now: Timestamp) -> u64 {
        let period = u64::try_from(self.period.as_millis()).unwrap_or(u64::MAX).max(1);
        let step =
            |from: Timestamp, periods: u64| from.after(Duration::from_millis(period.saturating_mul(periods)));
        if self.due < self.grid {
            // The first reading came at once; from here on its phase holds.
            self.due = self.grid;
        } else {
            self.due = step(self.due, 1);
        }
        if self.due > now {
            return 0;
        }
        let missed = u64::try_from(now.since(self.due).as_millis()).unwrap_or(u64::MAX) / period + 1;
        self.due = step(self.due, missed);
        missed
    }

    /// Is due at `now`, then at its phase again.
    fn resume(&mut self, now: Timestamp) {
        let period = u64::try_from(self.period.as_millis()).unwrap_or(u64::MAX).max(1);
        if self.grid <= now {
            let past = u64::try_from(now.since(self.grid).as_millis()).unwrap_or(u64::MAX) / period + 1;
            self.grid = self.grid.after(Duration::from_millis(period.saturating_mul(past)));
        }
        self.due = now;
    }

    fn deadline(&self) -> Timestamp {
        self.due.after(self.period)
    }
}

impl Schedule {
    /// A schedule without devices. `seed` rules the chance in the pauses.
    #[must_use]
    pub fn new(pauses: Pauses, seed: u64) -> Self {
        Self {
            members: BTreeMap::new(),
            pauses,
            random: fastrand::Rng::with_seed(seed),
            writes_in_a_row: 0,
            phase: 0.0,
            past_overruns: 0,
        }
    }

    /// Takes in a device with polls of these periods. All are due at `now` for the first time, then at a phase of its own,
    /// the same for all polls of the device. The others keep theirs.
    pub fn insert(&mut self, device: usize, periods: &[Duration], now: Timestamp) {
        let shortest = periods.iter().min().copied().unwrap_or_default();
        let grid = now.after(shortest.mul_f64(self.phase));
        self.phase = (self.phase + PHASE_STEP).fract();
        let poll = |period: &Duration| Poll { period: *period, grid, due: now, overruns: 0 };
        let member = Member { polls: periods.iter().map(poll).collect(), ..Member::default() };
        self.members.insert(device, member);
    }

    /// Forgets a device.
    pub fn remove(&mut self, device: usize) {
        if let Some(member) = self.members.remove(&device) {
            self.past_overruns += member.overruns();
        }
    }

    /// Something is to be written to a device, not before `at`.
    pub fn handle_write_wanted(&mut self, device: usize, at: Timestamp) {
        if let Some(member) = self.members.get_mut(&device) {
            member.write_at = Some(member.write_at.map_or(at, |earlier| earlier.min(at)));
        }
    }

    /// Leaves a device alone, or no longer: then all its polls are due at once.
    pub fn set_paused(&mut self, device: usize, paused: bool, now: Timestamp) {
        let Some(member) = self.members.get_mut(&device) else { return };
        member.paused = paused;
        if !paused {
            member.breaker = Breaker::Closed;
            for poll in &mut member.polls {
                // What was left out meanwhile is no overrun.
                poll.resume(now);
            }
        }
    }

    /// A device that is thought not to answer is asked at once.
    pub fn handle_hope(&mut self, device: usize, now: Timestamp) {
        if let Some(member) = self.members.get_mut(&device) {
            member.breaker.handle_hope(now);
        }
    }

    /// The device answered.
    pub fn handle_answer(&mut self, device: usize, now: Timestamp) {
        let Some(member) = self.members.get_mut(&device) else { return };
        if !member.breaker.is_open() {
            return;
        }
        member.breaker = Breaker::Closed;
        for other in self.members.values_mut() {
            other.breaker.handle_hope(now);
        }
    }

    /// The device did not answer. Gives when it is asked again.
    pub fn handle_silence(&mut self, device: usize, now: Timestamp) -> Timestamp {
        let Some(member) = self.members.get_mut(&device) else { return now };
        member.breaker.handle_silence(self.pauses, now, &mut self.random);
        member.breaker.probe_at().unwrap_or(now)
    }

    /// The device will not be spoken with until somebody changes something. Gives when it is asked again.
    pub fn handle_denial(&mut self, device: usize, now: Timestamp) -> Timestamp {
        let Some(member) = self.members.get_mut(&device) else { return now };
        member.breaker.handle_denial(self.pauses, now, &mut self.random);
        member.breaker.probe_at().unwrap_or(now)
    }

    /// What to do at `now`, if anything.
    pub fn poll_job(&mut self, now: Timestamp) -> Option<Job> {
        let read = self.next_read(now);
        let write = self.next_write(now);
        let device = match (write, read) {
            (Some(device), read) if read.is_none() || self.writes_in_a_row < WRITES_IN_A_ROW => {
                self.writes_in_a_row += 1;
                self.members.get_mut(&device)?.write_at = None;
                return Some(Job::Write { device });
            }
            (_, Some(device)) => device,
            (_, None) => return None,
        };
        self.writes_in_a_row = 0;
        let member = self.members.get_mut(&device)?;
        let probe = member.breaker.is_open();
        if probe {
            member.breaker.handle_probe(now.after(self.pauses.longest));
            if member.polls.is_empty() {
                member.write_at = None;
                return Some(Job::Write { device });
            }
        }
        let mut polls = Vec::with_capacity(member.polls.len());
        for (number, poll) in member.polls.iter_mut().enumerate() {
            if probe || poll.due <= now {
                let missed = poll.advance(now);
                poll.overruns += if probe { 0 } else { missed };
                polls.push(number);
            }
        }
        Some(Job::Read { device, polls, probe })
    }

    /// When [`poll_job`](Self::poll_job) has something to do, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.members.values().filter_map(Member::next_at).min()
    }

    /// How many readings were left out because the lane was too slow, so far.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.past_overruns + self.members.values().map(Member::overruns).sum::<u64>()
    }

    fn next_write(&self, now: Timestamp) -> Option<usize> {
        let due = |(number, member): (&usize, &Member)| {
            (!member.paused && !member.breaker.is_open())
                .then_some((member.write_at.filter(|at| *at <= now)?, *number))
        };
        self.members.iter().filter_map(due).min().map(|(_, number)| number)
    }

    fn next_read(&self, now: Timestamp) -> Option<usize> {
        let deadline = |(number, member): (&usize, &Member)| {
            if member.paused {
                return None;
            }
            let deadline = match member.breaker {
                // A probe may cost a whole time-out: all that answers goes first, but not for ever.
                Breaker::Open { probe_at, .. } if probe_at <= now && member.wants_anything() => {
                    probe_at.after(self.pauses.longest)
                }
                Breaker::Open { .. } => return None,
                Breaker::Closed => {
                    member.polls.iter().filter(|poll| poll.due <= now).map(Poll::deadline).min()?
                }
            };
            Some((deadline, *number))
        };
        self.members.iter().filter_map(deadline).min().map(|(_, number)| number)
    }
}

impl Member {
    fn overruns(&self) -> u64 {
        self.polls.iter().map(|poll| poll.overruns).sum()
    }

    fn wants_anything(&self) -> bool {
        !self.polls.is_empty() || self.write_at.is_some()
    }

    fn next_at(&self) -> Option<Timestamp> {
        if self.paused {
            return None;
        }
        if let Some(probe_at) = self.breaker.probe_at() {
            return self.wants_anything().then_some(probe_at);
        }
        self.polls.iter().map(|poll| poll.due).chain(self.write_at).min()
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
