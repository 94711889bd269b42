//! Which devices a mapper serves, and how that changes while it runs.

use std::sync::Arc;
use std::time::Duration;

use config::DeviceConfig;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::controls::Controls;
use crate::figures::Figures;

/// Says which devices a mapper serves.
#[derive(Debug)]
pub struct Assigner {
    wanted: watch::Sender<Wanted>,
    done: watch::Receiver<u64>,
    figures: Figures,
    controls: Controls,
}

/// Which devices a mapper is to serve. A clone says the same: a mapper that is started again takes it up.
#[derive(Debug, Clone)]
pub struct Assignment {
    wanted: watch::Receiver<Wanted>,
    done: Arc<watch::Sender<u64>>,
    figures: Figures,
    controls: Controls,
}

#[derive(Debug, Clone)]
struct Wanted {
    generation: u64,
    devices: Arc<[Arc<DeviceConfig>]>,
}

/// The mapper did not take the devices in time; it will when it works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mapper did not take the change of its devices in time; it does so as soon as it works again")]
pub struct NotTaken;

/// Both ends, with these devices to begin with.
#[must_use]
pub fn assignment(devices: Vec<Arc<DeviceConfig>>) -> (Assigner, Assignment) {
    let (wanted, wanted_rx) = watch::channel(Wanted { generation: 0, devices: devices.into() });
    let (done, done_rx) = watch::channel(0);
    let figures = Figures::default();
    let controls = Controls::default();
    let assigner = Assigner { wanted, done: done_rx, figures: figures.clone(), controls: controls.clone() };
    (assigner, Assignment { wanted: wanted_rx, done: Arc::new(done), figures, controls })
}

impl Assigner {
    /// Says anew which devices the mapper serves: all of them. Returns when it does: those that are the same notice nothing,
    /// those that are gone will not be heard of again.
    ///
    /// # Errors
    /// [`NotTaken`] when that takes longer than `patience`.
    pub async fn assign(
        &mut self,
        devices: Vec<Arc<DeviceConfig>>,
        patience: Duration,
    ) -> Result<(), NotTaken> {
        let mut generation = 0;
        self.wanted.send_modify(|wanted| {
            generation = wanted.generation + 1;
            *wanted = Wanted { generation, devices: devices.into() };
        });
        let taken = timeout(patience, self.done.wait_for(|done| *done >= generation)).await;
        if matches!(taken, Ok(Ok(_))) { Ok(()) } else { Err(NotTaken) }
    }

    /// What the lanes of the mapper have done so far.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What can be asked of the devices beside what is configured.
    #[must_use]
    pub fn controls(&self) -> &Controls {
        &self.controls
    }

    /// The devices that were said last.
    #[must_use]
    pub fn devices(&self) -> Arc<[Arc<DeviceConfig>]> {
        Arc::clone(&self.wanted.borrow().devices)
    }
}

impl Assignment {
    /// The devices to serve now.
    pub(crate) fn take(&mut self) -> (u64, Arc<[Arc<DeviceConfig>]>) {
        let wanted = self.wanted.borrow_and_update();
        (wanted.generation, Arc::clone(&wanted.devices))
    }

    /// What was taken was only looked at.
    pub(crate) fn mark_untaken(&mut self) {
        self.wanted.mark_changed();
    }

    /// Returns when there is something to take; pending for ever when nobody will say anything any more. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if self.wanted.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    pub(crate) fn controls(&self) -> &Controls {
        &self.controls
    }

    pub(crate) fn handle_done(&self, generation: u64) {
        self.done.send_modify(|done| *done = (*done).max(generation));
    }
}
