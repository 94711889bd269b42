//! What the lanes of a mapper have done so far, for whoever watches it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use crate::driver::LaneKey;

/// What one lane has done since its mapper began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneFigures {
    /// Devices in it.
    pub devices: u64,
    /// Readings that were answered.
    pub reads: u64,
    /// Readings and connects that were not.
    pub failures: u64,
    /// Writes, however they ended.
    pub writes: u64,
    /// Readings that were left out because the lane was too slow for what is to be read.
    pub overruns: u64,
    /// How long the lane was at work. What is close to the whole time has nothing left.
    pub busy: Duration,
    /// How long the longest reading took.
    pub longest_read: Duration,
}

/// Bounds of the time that a reading takes, in seconds.
const READ_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The figures of all lanes of a mapper; cheap to clone.
#[derive(Debug, Clone)]
pub struct Figures {
    lanes: Arc<Mutex<BTreeMap<LaneKey, Arc<Counts>>>>,
    reads: Histogram,
}

impl Default for Figures {
    fn default() -> Self {
        Self { lanes: Arc::default(), reads: Histogram::new(READ_SECONDS) }
    }
}

impl Figures {
    /// How long the readings of all lanes took that were answered, in seconds.
    #[must_use]
    pub fn reads(&self) -> &Histogram {
        &self.reads
    }

    /// The lanes by their names.
    #[must_use]
    pub fn lanes(&self) -> BTreeMap<LaneKey, LaneFigures> {
        self.lock().iter().map(|(key, counts)| (key.clone(), counts.figures())).collect()
    }

    /// The counts of a lane, which go on where they were when it begins again.
    pub(crate) fn of(&self, lane: &LaneKey) -> Arc<Counts> {
        let counts = || Arc::new(Counts::new(self.reads.clone()));
        Arc::clone(self.lock().entry(lane.clone()).or_insert_with(counts))
    }

    pub(crate) fn forget(&self, lane: &LaneKey) {
        self.lock().remove(lane);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LaneKey, Arc<Counts>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a lane counts.
#[derive(Debug)]
pub(crate) struct Counts {
    all_reads: Histogram,
    devices: AtomicU64,
    reads: AtomicU64,
    failures: AtomicU64,
    writes: AtomicU64,
    overruns: AtomicU64,
    busy_us: AtomicU64,
    longest_read_us: AtomicU64,
}

impl Counts {
    fn new(all_reads: Histogram) -> Self {
        let zero = AtomicU64::default;
        Self {
            all_reads,
            devices: zero(),
            reads: zero(),
            failures: zero(),
            writes: zero(),
            overruns: zero(),
            busy_us: zero(),
            longest_read_us: zero(),
        }
    }

    pub(crate) fn set_devices(&self, devices: usize) {
        self.devices.store(u64::try_from(devices).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn note_read(&self, took: Duration, answered: bool) {
        let counter = if answered { &self.reads } else { &self.failures };
        counter.fetch_add(1, Ordering::Relaxed);
        if answered {
            self.all_reads.observe(took.as_secs_f64());
            self.longest_read_us.fetch_max(micros(took), Ordering::Relaxed);
        }
        self.busy_us.fetch_add(micros(took), Ordering::Relaxed);
    }

    pub(crate) fn note_write(&self, took: Duration) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.busy_us.fetch_add(micros(took), Ordering::Relaxed);
    }

    pub(crate) fn note_overruns(&self, more: u64) {
        self.overruns.fetch_add(more, Ordering::Relaxed);
    }

    fn figures(&self) -> LaneFigures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LaneFigures {
            devices: get(&self.devices),
            reads: get(&self.reads),
            failures: get(&self.failures),
            writes: get(&self.writes),
            overruns: get(&self.overruns),
            busy: Duration::from_micros(get(&self.busy_us)),
            longest_read: Duration::from_micros(get(&self.longest_read_us)),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
