//! The store cannot take a commit: what waits for it meanwhile, when it is tried again, and what others are told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info};
use twin_core::Timestamp;
use twin_core::replica::Commit;
use twin_store::{StoreError, Trouble};

/// How the store stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoreHealth {
    /// What keeps it from taking a commit, while something does.
    pub trouble: Option<StoreTrouble>,
    /// What became of a database that was damaged, since the start.
    pub damage: Option<StoreDamage>,
    /// How many commits have failed since the start.
    pub failed_commits: u64,
}

/// What keeps the store from taking a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreTrouble {
    /// Its kind.
    pub trouble: Trouble,
    /// The words of the database.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// How many documents wait in memory: the newest state of each.
    pub waiting_documents: u64,
}

/// What became of a database that was damaged.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreDamage {
    /// When it was found.
    pub at: Timestamp,
    /// What was wrong with it.
    pub reason: String,
    /// Where the file lies now.
    pub moved_to: PathBuf,
    /// How many documents are in the new one, from what could be read of the old or from memory.
    pub kept_documents: u64,
    /// Whether all of them were still in memory, so that nothing is lost.
    pub is_whole: bool,
}

/// The pause after the first failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Commits that wait for the store.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) commits: Vec<Arc<Commit>>,
    pub(crate) trouble: Trouble,
    pub(crate) error: StoreError,
    since: Timestamp,
    begun: Instant,
    pause: Duration,
    next: Instant,
}

impl Held {
    pub(crate) fn new(commit: Arc<Commit>, trouble: Trouble, error: StoreError, now: Timestamp) -> Self {
        error!(reason = %error, mend = trouble.mend(), "{trouble}: nothing is stored until that ends; devices are read on");
        let begun = Instant::now();
        let next = begun + FIRST_PAUSE;
        Self { commits: vec![commit], trouble, error, since: now, begun, pause: FIRST_PAUSE, next }
    }

    /// When to try again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// It has failed once more.
    pub(crate) fn handle_failed(&mut self, trouble: Trouble, error: StoreError) {
        if self.trouble == trouble {
            debug!(%error, "still not stored");
        } else {
            error!(reason = %error, mend = trouble.mend(), "{trouble}: still nothing is stored");
        }
        (self.trouble, self.error) = (trouble, error);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.next = Instant::now() + self.pause;
    }

    /// The store takes commits again.
    pub(crate) fn handle_over(&self) {
        let kept_documents: usize = self.commits.iter().map(|commit| commit.authored.len()).sum();
        info!(
            took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            kept_documents, "stored again: {} no more", self.trouble
        );
    }

    /// What others are told.
    pub(crate) fn told(&self, waiting_documents: usize) -> StoreTrouble {
        StoreTrouble {
            trouble: self.trouble,
            reason: self.error.to_string(),
            since: self.since,
            waiting_documents: waiting_documents as u64,
        }
    }
}

/// Tells the new state where it differs.
pub(crate) fn tell(health: &watch::Sender<StoreHealth>, change: impl FnOnce(&mut StoreHealth)) {
    health.send_if_modified(|health| {
        let before = health.clone();
        change(health);
        *health != before
    });
}
