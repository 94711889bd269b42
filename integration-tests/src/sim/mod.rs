//! The seeded simulation: two replicas, a link that does what links do, crashes between any two effects, databases
//! restored from backups; and beside them a model that knows the truth.
//!
//! No runtime, no socket, no clock: everything follows from the seed, so a failing seed can be run again.

mod calm;
mod change;
mod check;
mod end;
mod link;
pub mod month;
pub mod offline;
mod sabotage;
mod shell;
mod table;
mod trace;
mod truth;
mod wire;
mod world;

use std::fmt;
use std::io::Write;

use twin_core::Side;

pub use sabotage::Sabotage;
use world::World;

/// How a run is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What is done wrong on purpose.
    pub sabotage: Sabotage,
    /// Whether each step is checked, or only the end.
    pub check_steps: bool,
    /// Whether every seed has sessions that cut its batches; otherwise about one in six.
    pub only_cut: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { sabotage: Sabotage::None, check_steps: true, only_cut: false }
    }
}

/// What a run that holds has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Of its trace: the same for the same seed.
    pub hash: u64,
    /// Steps of either side, the link or the weather.
    pub steps: u64,
    /// Commits that became durable.
    pub commits: u64,
    /// Messages that arrived.
    pub delivered: u64,
    /// Processes that ended without warning.
    pub crashes: u64,
    /// Databases that went back to a backup.
    pub restores: u64,
    /// Resets that were finished.
    pub resets: u64,
    /// Parts of cut batches that arrived, not counting the last of each.
    pub cuts: u64,
}

impl Report {
    /// Adds up what several runs have done; the hash is of no use then.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.commits += other.commits;
        self.delivered += other.delivered;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.resets += other.resets;
        self.cuts += other.cuts;
    }
}

/// What does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// In words.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} fails at step {}: {}", self.seed, self.step, self.what)
    }
}

impl std::error::Error for Failure {}

/// Runs one seed; the trace goes to `trace`.
///
/// # Errors
/// [`Failure`] with the first thing that does not hold.
pub fn run(seed: u64, options: Options, trace: Option<Box<dyn Write>>) -> Result<Report, Failure> {
    let mut world = World::new(seed, options, trace);
    world.run().map_err(|what| Failure { seed, step: world.report.steps, what })?;
    Ok(Report { hash: world.trace.hash(), ..world.report })
}

/// Where a side stands in a pair.
fn index(side: Side) -> usize {
    match side {
        Side::Edge => 0,
        Side::Cloud => 1,
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Edge => Side::Cloud,
        Side::Cloud => Side::Edge,
    }
}
