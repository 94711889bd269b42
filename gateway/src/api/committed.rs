//! Waiting until something of a device is committed.

use std::time::Duration;

use device_twin::Event;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use twin_core::DeviceId;
use twin_store::{Reader, StoredTwin};

use super::State;
use super::problem::Rejection;

/// Hears of commits from when it was made.
pub(super) struct Committed {
    device: DeviceId,
    reader: Reader,
    events: broadcast::Receiver<Event>,
    stop: CancellationToken,
}

impl Committed {
    pub(super) fn of(state: &State, device: &DeviceId) -> Self {
        Self {
            device: device.clone(),
            reader: state.reader.clone(),
            events: state.service.events(),
            stop: state.stop.clone(),
        }
    }

    /// Waits until the twin is as wanted; none when it is not so in time.
    pub(super) async fn until(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&StoredTwin) -> bool,
    ) -> Result<Option<StoredTwin>, Rejection> {
        let deadline = Instant::now() + patience;
        loop {
            let twin = self.reader.twin(&self.device).await?;
            if wanted(&twin) {
                return Ok(Some(twin));
            }
            loop {
                let event = tokio::select! {
                    () = self.stop.cancelled() => return Ok(None),
                    () = sleep_until(deadline) => return Ok(None),
                    event = self.events.recv() => event,
                };
                match event {
                    Ok(Event::Committed(commit)) => {
                        let concerns = |entry: &twin_core::Entry| *entry.change.key().device() == self.device;
                        if commit.authored.iter().any(concerns) {
                            break;
                        }
                    }
                    Ok(Event::Wishes(..)) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(None),
                }
            }
        }
    }
}
