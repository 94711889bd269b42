//! The whole: two ends, the link, the clock and the dice.

use std::io::Write;
use std::time::Duration;

use fastrand::Rng;
use sync_proto::Session;
use twin_core::replica::{Limits, Replica};
use twin_core::{Side, Timestamp};

use super::change::{Plant, brief, serial};
use super::end::End;
use super::link::{Link, Weather};
use super::trace::Trace;
use super::wire::Parcel;
use super::{Options, Report, index, other};

pub(super) const SIDES: [Side; 2] = [Side::Edge, Side::Cloud];

/// How often what goes wrong, per 1,000 steps.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    crash: u16,
    cut: u16,
    open: u16,
    back_up: u16,
    restart: u16,
    /// Of 100 crashes so many end with a restored backup.
    restore: u8,
    write: u16,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Timestamp,
    pub(super) ends: [End; 2],
    pub(super) link: Link<Parcel>,
    pub(super) options: Options,
    pub(super) trace: Trace,
    pub(super) report: Report,
    /// Whether sessions, and with them bytes, are between the replicas.
    pub(super) sessions: bool,
    /// The length in bytes over which sessions cut batches.
    pub(super) cut_over_bytes: usize,
    plant: Plant,
}

impl World {
    pub(super) fn new(seed: u64, options: Options, out: Option<Box<dyn Write>>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut limits = || Limits {
            batch_entries: rng.usize(1..=4),
            window_batches: rng.usize(1..=3),
            ack_timeout: Duration::from_millis(rng.u64(200..4000)),
        };
        let mut ends = [End::new(Side::Edge, limits()), End::new(Side::Cloud, limits())];
        let plant = Plant::new(rng.usize(1..=3), rng.usize(1..=5));
        let sessions = options.only_cut || rng.u8(..3) == 0;
        let mut cut_over_bytes = Session::CUT_OVER_BYTES;
        if sessions && (options.only_cut || rng.bool()) {
            // From every entry for itself to a few together; and batches that have something to cut.
            cut_over_bytes = [0, 150, 250, 400][rng.usize(..4)];
            for end in &mut ends {
                end.limits.batch_entries = rng.usize(2..=20);
                end.limits.window_batches = rng.usize(1..=6);
            }
        }
        let mut world = Self {
            rng,
            now: Timestamp::from_millis(0),
            ends,
            link: Link::new(Weather::FAIR),
            options,
            trace: Trace::new(out),
            report: Report::default(),
            sessions,
            cut_over_bytes,
            plant,
        };
        SIDES.into_iter().for_each(|side| world.start(side));
        world
    }

    /// Some rounds of trouble, each with calm after it.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for _ in 0..self.rng.usize(1..=3) {
            self.link.weather = self.draw_weather();
            let trouble = self.draw_trouble();
            let weather = self.link.weather;
            self.say(format_args!("{weather:?} {trouble:?}"));
            for _ in 0..self.rng.usize(100..800) {
                self.step(trouble)?;
            }
            self.calm_down()?;
        }
        Ok(())
    }

    fn draw_weather(&mut self) -> Weather {
        let rng = &mut self.rng;
        Weather {
            // A session is on a transport that keeps the order.
            ordered: self.sessions || rng.u8(..3) == 0,
            lost: rng.u8(..20),
            doubled: rng.u8(..30),
            delay_ms: [10, 100, 1500][rng.usize(..3)],
        }
    }

    fn draw_trouble(&mut self) -> Trouble {
        let rng = &mut self.rng;
        Trouble {
            crash: rng.u16(..12),
            cut: rng.u16(..25),
            open: rng.u16(30..200),
            back_up: rng.u16(2..15),
            restart: rng.u16(50..300),
            restore: rng.u8(..60),
            write: rng.u16(20..300),
        }
    }

    fn step(&mut self, trouble: Trouble) -> Result<(), String> {
        self.report.steps += 1;
        let ms = self.rng.i64(0..25);
        self.advance(Timestamp::from_millis(self.now.as_millis() + ms));
        let side = SIDES[self.rng.usize(..2)];
        if self.chance(trouble.crash) {
            self.crash(side, trouble.restore);
        }
        if self.chance(trouble.cut) && self.link.connection().is_some() {
            self.say(format_args!("the connection is cut"));
            self.link.cut();
        }
        if self.chance(trouble.open) && self.link.connection().is_none() {
            self.open();
        }
        if self.chance(trouble.back_up) {
            self.say(format_args!("{side:?} is backed up"));
            self.ends[index(side)].back_up();
        }
        if self.chance(trouble.restart) && self.ends[index(side)].process.is_none() {
            self.start(side);
        }
        if self.chance(trouble.write) {
            self.write(side)?;
        }
        match self.rng.u8(..20) {
            0 => {
                self.jump();
            }
            1..=8 => self.deliver(side)?,
            _ => {
                self.turn(side)?;
            }
        }
        self.check_memory(side)
    }

    fn chance(&mut self, of_1000: u16) -> bool {
        self.rng.u16(..1000) < of_1000
    }

    /// On to whatever comes next.
    pub(super) fn jump(&mut self) -> bool {
        let timers = self
            .ends
            .iter()
            .filter_map(|end| end.process.as_ref())
            .flat_map(|process| {
                let session = process.session.as_ref().and_then(Session::poll_timeout);
                [process.replica.as_ref().and_then(Replica::poll_timeout), session]
            })
            .flatten();
        let Some(next) = timers.chain(self.link.next_arrival()).min() else { return false };
        self.advance(next);
        self.say(format_args!("time passes"));
        true
    }

    fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        for process in self.ends.iter_mut().filter_map(|end| end.process.as_mut()) {
            if let Some(replica) = &mut process.replica {
                replica.handle_timeout(self.now);
            }
            if let Some(session) = &mut process.session {
                session.handle_timeout(self.now);
            }
        }
    }

    pub(super) fn start(&mut self, side: Side) {
        let random = self.rng.u64(..);
        let end = &mut self.ends[index(side)];
        end.start(random, self.options.sabotage);
        let (last, followed) = (end.table.last(), end.table.followed.map(|c| c.revision));
        self.say(format_args!("{side:?} starts at {last}, follows at {followed:?}"));
    }

    pub(super) fn open(&mut self) {
        let number = self.link.open();
        self.say(format_args!("connection {number} opens"));
    }

    fn crash(&mut self, side: Side, restore: u8) {
        self.end_process(side);
        if self.rng.u8(..100) < restore {
            self.restore(side);
            if self.rng.u8(..4) == 0 {
                self.end_process(other(side));
                self.restore(other(side));
            }
        }
    }

    fn end_process(&mut self, side: Side) {
        self.report.crashes += 1;
        self.break_half_committed(side);
        self.ends[index(side)].crash();
        self.link.cut();
        self.say(format_args!("{side:?} crashes"));
    }

    fn restore(&mut self, side: Side) {
        let end = &mut self.ends[index(side)];
        if !end.backups.is_empty() {
            self.report.restores += 1;
            end.restore(self.rng.usize(..end.backups.len()));
            let last = end.table.last();
            self.say(format_args!("{side:?} is restored to {last}"));
        }
    }

    fn write(&mut self, side: Side) -> Result<(), String> {
        for _ in 0..self.rng.usize(1..=3) {
            match side {
                Side::Edge => self.write_at_edge()?,
                Side::Cloud => self.write_at_cloud(),
            }
        }
        Ok(())
    }

    fn write_at_edge(&mut self) -> Result<(), String> {
        let end = &mut self.ends[index(Side::Edge)];
        let Some(process) = &mut end.process else { return Ok(()) };
        let Some(replica) = &mut process.replica else { return Ok(()) };
        for change in self.plant.edge_changes(&mut self.rng) {
            let (key, serial) = (change.key(), serial(&change));
            let revision = replica.write(change).map_err(|rejected| rejected.to_string())?;
            if revision <= process.last_written {
                return Err(format!("{revision} was given twice"));
            }
            process.last_written = revision;
            process.waiting += 1;
            self.trace.add(self.now, format_args!("Edge writes {} {serial:?} at {revision}", brief(&key)));
            end.intended.insert(key, serial);
        }
        Ok(())
    }

    /// The cloud's database takes the revision in the transaction that stores the change, whether a replica is there
    /// or not, and a replica is told later.
    fn write_at_cloud(&mut self) {
        let end = &mut self.ends[index(Side::Cloud)];
        let Some(process) = &mut end.process else { return };
        let change = self.plant.cloud_change(&mut self.rng);
        let entry = end.table.author(change, process.incarnation);
        let cursor = twin_core::Cursor { incarnation: process.incarnation, revision: entry.revision };
        end.truth.take_entry(&entry, &mut end.ever);
        end.truth.take_end(cursor);
        let (key, serial) = (entry.change.key(), serial(&entry.change));
        self.trace
            .add(self.now, format_args!("Cloud stores {} {serial:?} at {}", brief(&key), entry.revision));
        if process.replica.is_some() {
            process.notices.push((cursor, entry.change.is_deletion().then_some(entry.revision)));
        }
        end.answered.insert(key.clone(), entry.revision);
        end.intended.insert(key, serial);
    }

    pub(super) fn say(&mut self, text: std::fmt::Arguments<'_>) {
        self.trace.add(self.now, text);
    }
}
