//! What the service has done so far, for whoever watches it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use twin_core::{Revision, Timestamp};

/// Bounds of the time that a commit takes, in seconds.
const COMMIT_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Bounds of the time from a commit to the cloud's acknowledgement, in seconds.
const LAG_SECONDS: [f64; 12] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86_400.0, 604_800.0];
/// Nobody knows.
const UNKNOWN: u64 = u64::MAX;
const NONE: i64 = i64::MIN;

/// What the service has done so far; cheap to clone.
#[derive(Debug, Clone)]
pub struct Figures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    commits: Histogram,
    lag: Histogram,
    committed: AtomicU64,
    acked: AtomicU64,
    oldest_owed: AtomicI64,
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            commits: Histogram::new(COMMIT_SECONDS),
            lag: Histogram::new(LAG_SECONDS),
            committed: AtomicU64::new(0),
            acked: AtomicU64::new(UNKNOWN),
            oldest_owed: AtomicI64::new(NONE),
        }))
    }

    /// How long the commits took, in seconds.
    #[must_use]
    pub fn commits(&self) -> &Histogram {
        &self.0.commits
    }

    /// How long after its commit the cloud had acknowledged a change, in seconds.
    #[must_use]
    pub fn lag(&self) -> &Histogram {
        &self.0.lag
    }

    /// The newest revision that is committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.0.committed.load(Relaxed)
    }

    /// How many revisions the cloud has not acknowledged; none before the first connection since the start.
    #[must_use]
    pub fn owed(&self) -> Option<u64> {
        let acked = self.0.acked.load(Relaxed);
        (acked != UNKNOWN).then(|| self.committed().saturating_sub(acked))
    }

    /// When the oldest of those was committed, counted from the start at the earliest; none when nothing is owed.
    #[must_use]
    pub fn oldest_owed(&self) -> Option<Timestamp> {
        let at = self.0.oldest_owed.load(Relaxed);
        (at != NONE).then(|| Timestamp::from_millis(at))
    }
}

/// What the service itself keeps to count with.
#[derive(Debug)]
pub(crate) struct Progress {
    figures: Figures,
    /// Revisions that are not acknowledged, each with when it was committed; of too many the last ones are missing.
    waiting: VecDeque<(Revision, Timestamp)>,
}

impl Progress {
    const MOST_WAITING: usize = 1024;

    pub(crate) fn new(figures: Figures) -> Self {
        Self { figures, waiting: VecDeque::new() }
    }

    pub(crate) fn note_commit(&self, took: Duration) {
        self.figures.0.commits.observe(took.as_secs_f64());
    }

    /// Notes how far the service and the cloud are. `acked` is none while there is no connection, or when the cloud
    /// has nothing yet that it could go on from.
    pub(crate) fn note(
        &mut self,
        committed: Revision,
        acked: Option<Revision>,
        connected: bool,
        now: Timestamp,
    ) {
        let inner = &self.figures.0;
        let before = inner.committed.swap(committed.get(), Relaxed);
        if committed.get() > before && self.waiting.len() < Self::MOST_WAITING {
            self.waiting.push_back((committed, now));
        }
        if connected {
            let acked = acked.unwrap_or(Revision::ZERO);
            inner.acked.store(acked.get(), Relaxed);
            while let Some((_, at)) = self.waiting.pop_front_if(|(revision, _)| *revision <= acked) {
                inner.lag.observe(now.since(at).as_secs_f64());
            }
            if acked >= committed {
                self.waiting.clear();
            }
        }
        inner.oldest_owed.store(self.waiting.front().map_or(NONE, |(_, at)| at.as_millis()), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn what_is_owed_grows_without_a_connection_and_is_gone_when_it_is_acknowledged() {
        let figures = Figures::new();
        let mut progress = Progress::new(figures.clone());
        let revision = Revision::new;
        progress.note(revision(5), None, false, at(100));
        assert_eq!(
            (figures.owed(), figures.oldest_owed()),
            (None, Some(at(100))),
            "nobody has said what it has"
        );
        progress.note(revision(9), Some(revision(3)), true, at(200));
        assert_eq!((figures.owed(), figures.oldest_owed()), (Some(6), Some(at(100))));
        progress.note(revision(9), Some(revision(5)), true, at(300));
        assert_eq!((figures.owed(), figures.oldest_owed()), (Some(4), Some(at(200))));
        progress.note(revision(9), Some(revision(9)), true, at(400));
        assert_eq!((figures.owed(), figures.oldest_owed()), (Some(0), None));
        progress.note(revision(12), None, false, at(500));
        assert_eq!(
            (figures.owed(), figures.oldest_owed()),
            (Some(3), Some(at(500))),
            "as it was when the link broke"
        );
    }

    #[test]
    fn weeks_without_a_cloud_take_no_memory() {
        let mut progress = Progress::new(Figures::new());
        for n in 1..10_000 {
            progress.note(Revision::new(n), None, false, at(0));
        }
        assert_eq!(progress.waiting.len(), Progress::MOST_WAITING);
    }
}
