//! An edge to test with: the hub, and as its owner a replica over a table in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgehub::{EdgeHub, Error, LinkState, LinkStatus, Settings};
use sync_proto::JoinToken;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use twin_core::replica::{Commit, Effect, Followed, Limits, LinkCommand, LinkEvent, Replica, Stored};
use twin_core::{Change, Entry, Incarnation, Key, Side, Stream, Timestamp, Value};

use crate::support::{eventually, node, property};

pub(crate) struct Edge {
    pub(crate) table: Arc<Mutex<Table>>,
    pub(crate) writes: mpsc::Sender<Change>,
    pub(crate) status: watch::Receiver<LinkStatus>,
    _dir: Option<tempfile::TempDir>,
    stop: CancellationToken,
    hub: JoinSet<Result<(), Error>>,
    _owner: JoinSet<()>,
}

impl Edge {
    pub(crate) fn start(url: &str, name: &str, token: Option<JoinToken>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut edge = Self::start_in(dir.path(), url, name, token);
        edge._dir = Some(dir);
        edge
    }

    /// An edge whose folder belongs to the caller.
    pub(crate) fn start_in(dir: &Path, url: &str, name: &str, token: Option<JoinToken>) -> Self {
        let state_dir: PathBuf = dir.join("edge");
        let mut settings = Settings::new(url.parse().unwrap(), node(name), state_dir, token);
        settings.backoff = (Duration::from_millis(5), Duration::from_millis(50));
        let (events, from_link) = mpsc::channel(4);
        let (to_link, commands) = mpsc::channel(4);
        let (hub, status) = EdgeHub::new(settings, events, commands);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(hub.run(stop.clone()));
        let table = Arc::new(Mutex::new(Table::default()));
        let (writes, changes) = mpsc::channel(64);
        let mut owner = JoinSet::new();
        owner.spawn(own(Arc::clone(&table), from_link, to_link, changes));
        Self { table, writes, status, _dir: None, stop, hub: tasks, _owner: owner }
    }

    pub(crate) async fn write(&self, change: Change) {
        self.writes.send(change).await.unwrap();
    }

    pub(crate) fn desired(&self, n: usize) -> Option<Value> {
        let table = self.table.lock().unwrap();
        let entry = table.rows.get(&Key::Desired(property(n)))?;
        let Change::Desired(_, desired) = &entry.change else { return None };
        desired.as_ref().map(|desired| desired.value.clone())
    }

    pub(crate) async fn connected(&self) -> u64 {
        let mut status = self.status.clone();
        let wait = status.wait_for(|status| status.state == LinkState::Connected);
        let reached = timeout(Duration::from_secs(20), wait).await.map(|s| s.map(|s| s.connection));
        match reached {
            Ok(connection) => connection.unwrap(),
            Err(_) => panic!("not connected: {:?}", *self.status.borrow()),
        }
    }

    /// Waits for an error that says `words`.
    pub(crate) async fn complains(&self, words: &str) {
        let said = || async { self.status.borrow().last_error.as_ref().is_some_and(|e| e.contains(words)) };
        eventually(&format!("the edge says `{words}` and not {:?}", *self.status.borrow()), said).await;
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let ended = timeout(Duration::from_secs(3), self.hub.join_next()).await;
        ended.expect("the hub ends within its deadline").unwrap().unwrap().unwrap();
        assert_eq!(self.status.borrow().state, LinkState::Stopped);
    }
}

pub(crate) fn wss(address: SocketAddr) -> String {
    format!("wss://localhost:{}", address.port())
}

pub(crate) fn ws(address: SocketAddr) -> String {
    format!("ws://{address}")
}

/// A store that is a map.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: BTreeMap<Key, Entry>,
    staging: BTreeMap<Key, Entry>,
    stored: Stored,
}

impl Table {
    fn apply(&mut self, commit: &Commit) {
        for entry in &commit.authored {
            self.rows.insert(entry.change.key(), entry.clone());
        }
        if let Some(cursor) = commit.author {
            self.stored.incarnations.retain(|c| c.incarnation != cursor.incarnation);
            self.stored.incarnations.push(cursor);
        }
        if let Some(forget) = commit.forget {
            self.rows.retain(|key, e| {
                key.part().author() != Side::Edge || !e.change.is_deletion() || e.revision > forget.up_to
            });
            self.stored.floor = self.stored.floor.max(forget.floor);
        }
        for step in &commit.followed {
            match step {
                Followed::Apply { entries, cursor } => {
                    for entry in entries {
                        if entry.change.is_deletion() {
                            self.rows.remove(&entry.change.key());
                        } else {
                            self.rows.insert(entry.change.key(), entry.clone());
                        }
                    }
                    self.stored.followed = Some(*cursor);
                }
                Followed::ResetBegin => self.staging.clear(),
                Followed::Stage { entries } => {
                    self.staging.extend(entries.iter().map(|e| (e.change.key(), e.clone())));
                }
                Followed::ResetEnd { cursor } => {
                    self.rows.retain(|key, _| key.part().author() == Side::Edge);
                    let staged = std::mem::take(&mut self.staging);
                    self.rows.extend(staged.into_iter().filter(|(_, e)| !e.change.is_deletion()));
                    self.stored.followed = Some(*cursor);
                }
            }
        }
    }

    fn fetch(&self, after: u64, up_to: u64, limit: usize) -> Vec<Entry> {
        let ours = |e: &&Entry| e.change.part().author() == Side::Edge;
        let inside = |e: &&Entry| after < e.revision.get() && e.revision.get() <= up_to;
        let mut rows: Vec<_> = self.rows.values().filter(ours).filter(inside).cloned().collect();
        rows.sort_by_key(|e| e.revision);
        rows.truncate(limit);
        rows
    }
}

async fn own(
    table: Arc<Mutex<Table>>,
    mut events: mpsc::Receiver<LinkEvent>,
    commands: mpsc::Sender<LinkCommand>,
    mut writes: mpsc::Receiver<Change>,
) {
    let start = tokio::time::Instant::now();
    let now = || Timestamp::default().after(start.elapsed());
    let mut replica =
        Replica::new(Side::Edge, Incarnation::new(5), &table.lock().unwrap().stored, Limits::default());
    let mut connection = 0;
    loop {
        while let Some(effect) = replica.poll_effect() {
            match effect {
                Effect::Commit(commit) => {
                    table.lock().unwrap().apply(&commit);
                    replica.handle_committed(commit.token);
                }
                Effect::Fetch { token, after, up_to, limit } => {
                    let rows = table.lock().unwrap().fetch(after.get(), up_to.get(), limit);
                    replica.handle_fetched(token, up_to, rows, now());
                }
                Effect::Send(message) => {
                    if commands
                        .send(LinkCommand::Send { connection, stream: Stream::Twin, message })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Effect::Publish(_) => {}
            }
        }
        let wake = replica.poll_timeout().map(|at| start + at.since(Timestamp::default()));
        tokio::select! {
            event = events.recv() => match event {
                Some(LinkEvent::Connected { connection: number, .. }) => {
                    connection = number;
                    replica.handle_connected();
                }
                Some(LinkEvent::Disconnected { .. }) => replica.handle_disconnected(),
                Some(LinkEvent::Message { stream: Stream::Alarm, .. }) => {}
                Some(LinkEvent::Message { message, .. }) => replica.handle_message(message, now()).unwrap(),
                None => return,
            },
            Some(change) = writes.recv() => {
                replica.write(change).unwrap();
                while let Ok(change) = writes.try_recv() {
                    replica.write(change).unwrap();
                }
            }
            () = sleep_until(wake.unwrap_or(start)), if wake.is_some() => replica.handle_timeout(now()),
        }
    }
}
