//! How others speak to the service.

use std::collections::BTreeMap;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use twin_core::history::Place;
use twin_core::{Alarm, DeviceDefinition, DeviceId, DeviceState, Revision, Timestamp};

use crate::alarm::{AlarmError, AlarmRequest};
use crate::command::{Command, OverrideRequest, Report, ReportError, Updated};
use crate::figures::Figures;
use crate::memory::Wish;
use crate::service::Event;
use crate::trouble::StoreHealth;

/// The service has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device twin service has ended")]
pub struct Stopped;

/// A report that is not answered yet.
#[derive(Debug)]
pub struct PendingReport(oneshot::Receiver<Result<Updated, ReportError>>);

impl PendingReport {
    /// Waits for the commit.
    ///
    /// # Errors
    /// [`ReportError`] when the report is not taken.
    pub async fn answer(self) -> Result<Updated, ReportError> {
        self.0.await.unwrap_or(Err(ReportError::Stopping))
    }
}

/// A device's state that is not committed yet.
#[derive(Debug)]
pub struct PendingState(oneshot::Receiver<Result<Timestamp, ReportError>>);

impl PendingState {
    /// Waits for the commit; gives the time since when.
    ///
    /// # Errors
    /// [`ReportError`] when the device is unknown.
    pub async fn answer(self) -> Result<Timestamp, ReportError> {
        self.0.await.unwrap_or(Err(ReportError::Stopping))
    }
}

/// Speaks to the service; cheap to clone. Its queue is bounded: a caller waits when the store is behind.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) health: watch::Receiver<StoreHealth>,
    pub(crate) figures: Figures,
    pub(crate) logged: watch::Sender<Option<Place>>,
}

impl Handle {
    /// Stores a report and answers when it is committed.
    ///
    /// # Errors
    /// [`ReportError`] when it is not taken; nothing of it is stored then.
    pub async fn report(&self, report: Report) -> Result<Updated, ReportError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Report(report, reply), answer).await
    }

    /// Hands over a report; the answer comes when it is committed, in the order in which reports were handed over. So
    /// many reports can be on their way at once.
    ///
    /// # Errors
    /// [`Stopped`] when the service has ended.
    pub async fn begin_report(&self, report: Report) -> Result<PendingReport, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Report(report, reply)).await.map_err(|_| Stopped)?;
        Ok(PendingReport(answer))
    }

    /// Stores whether a device answers; gives the time since when.
    ///
    /// # Errors
    /// [`ReportError`] when the device is unknown.
    pub async fn state(&self, device: DeviceId, state: DeviceState) -> Result<Timestamp, ReportError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::State(device, state, reply), answer).await
    }

    /// Hands over whether a device answers; the answer comes when it is committed.
    ///
    /// # Errors
    /// [`Stopped`] when the service has ended.
    pub async fn begin_state(&self, device: DeviceId, state: DeviceState) -> Result<PendingState, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::State(device, state, reply)).await.map_err(|_| Stopped)?;
        Ok(PendingState(answer))
    }

    /// Says which devices there are. Those that are no longer named are deleted with all they hold.
    ///
    /// # Errors
    /// [`Stopped`] when the service has ended.
    pub async fn declare(&self, devices: BTreeMap<DeviceId, DeviceDefinition>) -> Result<(), Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Declare(devices, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Sets or releases a local operator's values, all or none; answers when they are committed.
    ///
    /// # Errors
    /// [`ReportError`] when one of them may not be set; none is then.
    pub async fn set_overrides(&self, requests: Vec<OverrideRequest>) -> Result<Revision, ReportError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Override(requests, reply), answer).await
    }

    /// Does what a person asks of an alarm; answers when it is committed, with the alarm as it stands then, or none when
    /// nothing is left of it.
    ///
    /// # Errors
    /// [`AlarmError`] when it cannot be done.
    pub async fn act_on_alarm(&self, request: AlarmRequest) -> Result<Option<Alarm>, AlarmError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Alarm(request, reply);
        self.commands.send(command).await.map_err(|_| AlarmError::Stopping)?;
        answer.await.unwrap_or(Err(AlarmError::Stopping))
    }

    /// What is to be written to a device now.
    ///
    /// # Errors
    /// [`Stopped`] when the service has ended.
    pub async fn wishes(&self, device: DeviceId) -> Result<Vec<Wish>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Wishes(device, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// What the service has done so far.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// How many requests wait for the service, and how many may.
    #[must_use]
    pub fn queue(&self) -> (usize, usize) {
        let most = self.commands.max_capacity();
        (most - self.commands.capacity(), most)
    }

    /// Answers when the service comes to it: whether it works, for a watchdog.
    ///
    /// # Errors
    /// [`Stopped`] when the service has ended.
    pub async fn ping(&self) -> Result<(), Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Ping(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Everything committed from now on. A listener that falls behind is told so and reads the store.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// How the store stands.
    #[must_use]
    pub fn store_health(&self) -> StoreHealth {
        self.health.borrow().clone()
    }

    /// Where the log of samples ends, and every time that it grows; none before this start has logged one.
    #[must_use]
    pub fn logged(&self) -> watch::Receiver<Option<Place>> {
        self.logged.subscribe()
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, ReportError>>,
    ) -> Result<T, ReportError> {
        self.commands.send(command).await.map_err(|_| ReportError::Stopping)?;
        answer.await.unwrap_or(Err(ReportError::Stopping))
    }
}
