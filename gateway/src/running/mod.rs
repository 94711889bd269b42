//! The configuration in force: kept, changed while the gateway runs, and rolled back.

mod apply;
mod choice;
mod keeper;
mod pause;
pub mod texts;
pub mod view;
mod watch;

use std::sync::Arc;

use config::Faults;
use tokio::sync::{mpsc, oneshot};
use twin_core::DeviceId;
use twin_store::{StoreError, StoredPause};

pub use choice::{Choice, Kept};
pub(crate) use keeper::{Keeper, Parts};
pub use pause::{PauseError, Paused};
use texts::Texts;
use view::{Applied, Revisions, Status};

/// Requests that wait while one is carried out.
const QUEUE: usize = 8;

/// Why a configuration does not come into force. The one before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is wrong.
    #[error("the configuration is wrong; the one in force stays\n{0}")]
    Faults(Faults),
    /// The files cannot be read.
    #[error("{0}; the configuration in force stays")]
    Unreadable(String),
    /// The gateway was not started from a file.
    #[error("this gateway was not started from a file; apply a configuration instead")]
    NoFile,
    /// No such revision is kept.
    #[error("no configuration with revision {0} is kept; `twinspan history` shows those that are")]
    UnknownRevision(i64),
    /// A mapper cannot be started with it.
    #[error("{0}; the configuration in force stays")]
    Mapper(String),
    /// It cannot be stored.
    #[error("the configuration cannot be stored, so the one in force stays: {0}{mend}", mend = mend_of(.0))]
    Store(#[from] StoreError),
    /// It cannot be written down.
    #[error("{0}; the configuration in force stays")]
    Audit(#[from] audit::NotWritten),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

fn mend_of(error: &StoreError) -> String {
    error.mend().map(|mend| format!("; {mend}")).unwrap_or_default()
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, ApplyError>>;

/// What is asked of the keeper.
pub(crate) enum Command {
    Apply { texts: Texts, note: String, dry_run: bool, answer: Answer<Applied> },
    Reload { answer: Answer<Applied> },
    Rollback { revision: i64, note: String, dry_run: bool, answer: Answer<Applied> },
    History { answer: Answer<Revisions> },
    Pause { device: DeviceId, pause: Option<StoredPause>, answer: oneshot::Sender<Result<(), PauseError>> },
}

/// Speaks with the keeper of the configuration; cheap to clone.
#[derive(Clone)]
pub struct Running {
    commands: mpsc::Sender<Command>,
    status: tokio::sync::watch::Receiver<Arc<Status>>,
    pauses: tokio::sync::watch::Receiver<Arc<Paused>>,
}

impl Running {
    /// What is in force.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    /// Brings these texts into force, all or nothing; `dry_run` only says what would differ.
    ///
    /// # Errors
    /// [`ApplyError`]; the configuration before goes on.
    pub async fn apply(&self, texts: Texts, note: String, dry_run: bool) -> Result<Applied, ApplyError> {
        self.ask(|answer| Command::Apply { texts, note, dry_run, answer }).await
    }

    /// Reads the file that the gateway was started with, and brings it into force.
    ///
    /// # Errors
    /// [`ApplyError`]; the configuration before goes on.
    pub async fn reload(&self) -> Result<Applied, ApplyError> {
        self.ask(|answer| Command::Reload { answer }).await
    }

    /// Brings an earlier configuration into force again.
    ///
    /// # Errors
    /// [`ApplyError`]; the configuration before goes on.
    pub async fn rollback(&self, revision: i64, note: String, dry_run: bool) -> Result<Applied, ApplyError> {
        self.ask(|answer| Command::Rollback { revision, note, dry_run, answer }).await
    }

    /// Those that were in force, the newest first.
    ///
    /// # Errors
    /// [`ApplyError`] when they cannot be read.
    pub async fn history(&self) -> Result<Revisions, ApplyError> {
        self.ask(|answer| Command::History { answer }).await
    }

    /// The devices that are left alone, also those that are not in the configuration any more.
    #[must_use]
    pub fn pauses(&self) -> Arc<Paused> {
        Arc::clone(&self.pauses.borrow())
    }

    /// Has a device left alone, or asked again when `pause` is none; stored, so that it outlives a restart.
    ///
    /// # Errors
    /// [`PauseError`]; then it is as it was.
    pub async fn set_pause(&self, device: DeviceId, pause: Option<StoredPause>) -> Result<(), PauseError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Pause { device, pause, answer };
        self.commands.send(command).await.map_err(|_| PauseError::Stopping)?;
        answered.await.unwrap_or(Err(PauseError::Stopping))
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, ApplyError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| ApplyError::Stopping)?;
        answered.await.unwrap_or(Err(ApplyError::Stopping))
    }
}
