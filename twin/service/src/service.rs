//! The task: takes what is asked, lets the pure parts decide, commits, and speaks only then.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use twin_core::history::Place;
use twin_core::replica::{Commit, Limits, LinkCommand, LinkEvent};
use twin_core::{Alarm, Change, DeviceId, Entry, Incarnation, Revision, Stream, Timestamp};
use twin_store::{HistoryBounds, OpenError, Reader, StoreError, TwinStore, Verdict};

use crate::alarm::AlarmReply;
use crate::command::{Command, Reply, Updated};
use crate::figures::{Figures, Progress};
use crate::handle::Handle;
use crate::memory::{Memory, Wish};
use crate::recorder::Recorder;
use crate::replicas::Replicas;
use crate::steady::Steady;
use crate::trouble::{Held, StoreHealth};

/// What the service needs to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the database is.
    pub data_dir: PathBuf,
    /// Drawn at random for this start.
    pub incarnation: Incarnation,
    /// Bounds of the replication.
    pub limits: Limits,
    /// How long the service waits, when it is stopped, for the cloud to acknowledge what it owes.
    pub settle: Duration,
    /// The bounds of all histories.
    pub history: HistoryBounds,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What others are told, after the commit.
#[derive(Debug, Clone)]
pub enum Event {
    /// This is committed.
    Committed(Arc<Commit>),
    /// What is to be written to a device has changed: all of it, as it is now.
    Wishes(DeviceId, Arc<Vec<Wish>>),
}

/// Why the service ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed for good: the process cannot go on without it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database is damaged, and another cannot be made.
    #[error(transparent)]
    Rebuild(OpenError),
}

/// The service before it runs.
#[derive(Debug)]
pub struct DeviceTwin {
    pub(crate) settings: Settings,
    pub(crate) store: TwinStore,
    pub(crate) replicas: Replicas,
    pub(crate) memory: Memory,
    commands: mpsc::Receiver<Command>,
    pub(crate) events: broadcast::Sender<Event>,
    link_events: mpsc::Receiver<LinkEvent>,
    pub(crate) link: mpsc::Sender<LinkCommand>,
    pub(crate) connection: Option<Connection>,
    pub(crate) waiting: VecDeque<(Revision, Waiter)>,
    /// Those who wait for a revision of the alarms.
    pub(crate) waiting_alarms: VecDeque<(Revision, AlarmReply, Option<Alarm>)>,
    /// Devices whose wishes may have changed.
    pub(crate) touched: BTreeSet<DeviceId>,
    /// Those of them whose guards were asked: their wishes are to be published after the next commit.
    pub(crate) judged: BTreeSet<DeviceId>,
    /// What was last published of a device's wishes; absent: nothing wanted.
    pub(crate) published: std::collections::HashMap<DeviceId, Arc<Vec<Wish>>>,
    pub(crate) recorder: Recorder,
    /// Where the log of samples ends.
    pub(crate) logged: watch::Sender<Option<Place>>,
    /// When the history is looked after next, if nothing else is to be done then.
    tend_at: Instant,
    /// Followed entries of a reset that is going on.
    pub(crate) staged: Vec<Entry>,
    /// Commits that the store could not take.
    pub(crate) held: Option<Held>,
    pub(crate) health: watch::Sender<StoreHealth>,
    pub(crate) steady: Steady,
    pub(crate) progress: Progress,
}

/// A connection to the cloud.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) streams: Vec<Stream>,
}

#[derive(Debug)]
pub(crate) enum Waiter {
    Report(Reply<Updated>, Updated),
    State(Reply<Timestamp>, Timestamp),
    Override(Reply<Revision>, Revision),
    Declared(oneshot::Sender<()>),
}

const COMMANDS: usize = 4096;
const EVENTS: usize = 4096;
/// How often it is asked whether the history needs something.
const TEND_EVERY: Duration = Duration::from_secs(30);
/// The pause between two steps, so that others can write to the disk as well.
const TEND_AGAIN: Duration = Duration::from_millis(20);

impl DeviceTwin {
    /// Opens the store and restores the twins.
    ///
    /// # Errors
    /// [`OpenError`] or [`StoreError`], in words for the operator.
    pub async fn open(
        settings: Settings,
        link_events: mpsc::Receiver<LinkEvent>,
        link: mpsc::Sender<LinkCommand>,
    ) -> Result<(Self, Handle, Reader), StartError> {
        let (mut store, reader) = TwinStore::open(&settings.data_dir).await?;
        let (alarm, twin) = (store.stored(Stream::Alarm).await?, store.stored(Stream::Twin).await?);
        let replicas = Replicas::new(settings.incarnation, &alarm, &twin, settings.limits);
        let mut memory = Memory::default();
        let stored = store.all().await?;
        let mut recorder = Recorder::default();
        recorder.restore(&stored);
        memory.restore(stored);
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (events, _) = broadcast::channel(EVENTS);
        let (health, told) = watch::channel(StoreHealth::default());
        let figures = Figures::new();
        let progress = Progress::new(figures.clone());
        let (logged, _) = watch::channel(None);
        let handle = Handle {
            commands: command_sender,
            events: events.clone(),
            health: told,
            figures,
            logged: logged.clone(),
        };
        let damage = store.take_damage();
        let steady = Steady::start((settings.now)());
        let mut service = Self {
            settings,
            store,
            replicas,
            memory,
            commands,
            events,
            link_events,
            link,
            connection: None,
            waiting: VecDeque::new(),
            waiting_alarms: VecDeque::new(),
            touched: BTreeSet::new(),
            judged: BTreeSet::new(),
            published: std::collections::HashMap::new(),
            recorder,
            logged,
            tend_at: Instant::now() + TEND_EVERY,
            staged: Vec::new(),
            held: None,
            health,
            steady,
            progress,
        };
        if let Some(damage) = damage {
            service.take_over(damage).await?;
        }
        let doubts = service.memory.doubt_everything();
        service.write(doubts);
        service.touched.extend(service.memory.devices().cloned());
        Ok((service, handle, reader))
    }

    /// Runs until `stop`, then empties the mailbox, commits, lets the link settle and closes the store.
    ///
    /// # Errors
    /// [`Error`] when the store fails.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(COMMANDS);
        self.settle_effects().await?;
        loop {
            let timeout = self.next_timeout();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(event) = self.link_events.recv() => self.handle_link(event),
                count = self.commands.recv_many(&mut batch, COMMANDS) => {
                    if count == 0 {
                        break;
                    }
                    self.handle_clock();
                    for command in batch.drain(..) {
                        self.handle_command(command);
                    }
                }
                () = sleep_until(timeout) => self.handle_timeout(),
                () = tokio::time::sleep_until(self.tend_at), if self.held.is_none() => {
                    self.tend_history().await?;
                }
            }
            while let Ok(event) = self.link_events.try_recv() {
                self.handle_link(event);
            }
            if self.held.as_ref().is_some_and(|held| held.next() <= Instant::now()) {
                self.retry().await?;
            }
            self.settle_effects().await?;
        }
        self.drain(batch).await
    }

    async fn drain(mut self, mut batch: Vec<Command>) -> Result<(), Error> {
        self.commands.close();
        while self.commands.recv_many(&mut batch, COMMANDS).await > 0 {
            for command in batch.drain(..) {
                self.handle_command(command);
            }
            self.settle_effects().await?;
        }
        let deadline = Instant::now() + self.settings.settle;
        while let Some(held) = self.held.as_ref().filter(|held| held.next() < deadline) {
            tokio::time::sleep_until(held.next()).await;
            self.retry().await?;
            self.settle_effects().await?;
        }
        while !self.is_settled() {
            match tokio::time::timeout_at(deadline, self.link_events.recv()).await {
                Ok(Some(event)) => self.handle_link(event),
                Ok(None) | Err(_) => break,
            }
            self.settle_effects().await?;
        }
        if let Some(connection) = self.connection.as_ref().filter(|_| !self.is_settled()) {
            let owed_revisions = self.replicas.owed(&connection.streams);
            info!(owed_revisions, "stopping before the cloud has acknowledged everything; it is kept");
        }
        if let Some(held) = &self.held {
            let documents = self.replicas.uncommitted();
            warn!(
                documents,
                "stopping although not all is stored: {}; devices are read anew at the start", held.trouble
            );
        }
        match self.store.close().await {
            // What was committed is safe all the same; only the log is longer than it need be.
            Err(error) if matches!(error.verdict(), Verdict::Retry(_)) => {
                warn!(%error, "the log of the database could not be written back");
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }

    /// Whether there is nothing to wait for: no cloud that listens, or none that has not acknowledged everything.
    fn is_settled(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| self.replicas.are_settled(&connection.streams))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.settings.now)()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let replica = self.replicas.poll_timeout().map(|at| self.steady.instant(at));
        let memory = self.memory.poll_timeout().map(|at| Steady::look_at(at, self.now()));
        [replica, memory, self.held.as_ref().map(Held::next)].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self) {
        self.handle_clock();
        self.replicas.handle_timeout(self.steady.now());
        let (changes, touched) = self.memory.handle_timeout(self.now());
        self.touched.extend(touched);
        self.write(changes);
    }

    /// Looks whether the wall clock was set: what is dated is judged by the new time, ages go on from where they were.
    fn handle_clock(&mut self) {
        if let Some(by_ms) = self.steady.was_set(self.now()) {
            warn!(by_ms, "the clock of this machine was set");
            self.memory.handle_clock_set(by_ms);
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected { connection, streams } => {
                self.replicas.handle_connected(&streams);
                self.connection = Some(Connection { number: connection, streams });
            }
            LinkEvent::Disconnected { connection } if self.is_connected_as(connection) => {
                self.connection = None;
                self.replicas.handle_disconnected();
            }
            LinkEvent::Message { connection, stream, message } if self.is_connected_as(connection) => {
                let now = self.steady.now();
                if let Err(error) = self.replicas.handle_message(stream, message, now) {
                    warn!(%error, connection, "the cloud broke the protocol of the link; closing it");
                    let close = LinkCommand::Close { connection, reason: error.to_string() };
                    let _ = self.link.try_send(close);
                }
            }
            LinkEvent::Disconnected { .. } | LinkEvent::Message { .. } => {}
        }
    }

    fn is_connected_as(&self, number: u64) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.number == number)
    }

    /// Does one step of what the history needs.
    async fn tend_history(&mut self) -> Result<(), Error> {
        let now = self.now();
        let done = self.store.tend_history(self.recorder.policies(), self.settings.history, now).await;
        let more = match done {
            Ok(done) => {
                if done.dropped > 0 {
                    debug!(samples = done.dropped, "samples that were too old or too many are gone");
                }
                done.more
            }
            Err(error) => match error.verdict() {
                Verdict::Retry(_) => {
                    warn!(%error, "the history could not be looked after; it is tried again");
                    false
                }
                Verdict::Rebuild => {
                    self.rebuild(&error).await?;
                    false
                }
                Verdict::GiveUp => return Err(error.into()),
            },
        };
        self.tend_at = Instant::now() + if more { TEND_AGAIN } else { TEND_EVERY };
        Ok(())
    }

    /// Gives the changes to the replicas; the revision of the last one of a twin, or of the last before when there is none.
    pub(crate) fn write(&mut self, changes: Vec<Change>) -> Revision {
        self.recorder.note(&changes, self.now());
        let alarms = self.memory.judge_alarms(&changes, self.now());
        let mut last = self.replicas.of(Stream::Twin).last();
        for change in changes.into_iter().chain(alarms) {
            let stream = change.part().stream();
            match self.replicas.write(change) {
                Ok(revision) if stream == Stream::Twin => last = revision,
                Ok(_) => {}
                Err(error) => warn!(%error, "a change was not written"),
            }
        }
        last
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was saved of a damaged one cannot be stored.
    #[error(transparent)]
    TakeOver(#[from] Error),
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
