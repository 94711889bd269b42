//! The one task that writes: all that is queued becomes one transaction.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use twin_core::replica::{Commit, Followed};
use twin_core::{Cursor, Desired, Entry, Incarnation, NodeName, PropertyId, Revision, Timestamp};

use crate::desired::DesiredWriter;
use crate::error::{RedeemError, SetDesiredError, StoreError, TokenRefused};
use crate::group::Group;
use crate::store::{Authored, Committed};
use crate::tables::{counters, documents, join_tokens};

/// The most requests and, beyond the first request, entries in one transaction.
const MOST_REQUESTS: usize = 512;
const MOST_ENTRIES: usize = 20_000;
/// How long those who follow the changes can be away and still see every deletion.
const DELETIONS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// What is asked of the writer, with the place for the answer.
#[derive(Debug)]
pub(crate) enum Request {
    Commit {
        node: NodeName,
        commit: Arc<Commit>,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    SetDesired {
        node: NodeName,
        wishes: Vec<(PropertyId, Option<Desired>)>,
        if_match: Option<Revision>,
        done: oneshot::Sender<Result<Vec<Entry>, SetDesiredError>>,
    },
    CreateToken {
        node: NodeName,
        secret_sha256: [u8; 32],
        expires: Timestamp,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    RedeemToken {
        node: NodeName,
        secret_sha256: [u8; 32],
        now: Timestamp,
        done: oneshot::Sender<Result<(), RedeemError>>,
    },
    NodeSeen {
        node: NodeName,
        now: Timestamp,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

/// What came of a request, to be told once the transaction is on the disk.
enum Outcome {
    Done,
    Set(Result<Vec<Entry>, SetDesiredError>),
    Redeemed(Result<(), TokenRefused>),
}

/// Who is told without having asked.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) changes: broadcast::Sender<Arc<Committed>>,
    pub(crate) failed: watch::Sender<Option<StoreError>>,
}

pub(crate) async fn run(
    mut connection: SqliteConnection,
    incarnation: Incarnation,
    mut queue: mpsc::Receiver<Request>,
    listeners: Listeners,
) {
    let mut purged: Option<Instant> = None;
    let mut closed = None;
    while closed.is_none() {
        let Some(first) = queue.recv().await else { break };
        if purged.is_none_or(|at| at.elapsed() >= PURGE_EVERY) {
            purged = Some(Instant::now());
            if let Err(error) = purge(&mut connection, now_ms()).await {
                tracing::warn!(%error, "old deletions could not be purged");
            }
        }
        let mut requests = Vec::new();
        let mut entries = 0;
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Close { done } => {
                    closed = Some(done);
                    break;
                }
                Request::Commit { .. }
                | Request::SetDesired { .. }
                | Request::CreateToken { .. }
                | Request::RedeemToken { .. }
                | Request::NodeSeen { .. } => {
                    entries += weight(&request);
                    requests.push(request);
                }
            }
            next = if requests.len() < MOST_REQUESTS && entries < MOST_ENTRIES {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        if requests.is_empty() {
            continue;
        }
        match transaction(&mut connection, incarnation, &requests).await {
            Ok((outcomes, seq)) => {
                tracing::trace!(requests = requests.len(), entries, seq, "committed");
                for (request, outcome) in requests.into_iter().zip(outcomes) {
                    answer(request, outcome, seq, incarnation, &listeners.changes);
                }
            }
            Err(error) => {
                requests.into_iter().for_each(|request| fail(request, &error));
                listeners.failed.send_replace(Some(error));
            }
        }
    }
    queue.close();
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await {
        tracing::warn!(%error, "the log could not be written into the database file; the next start does it");
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database did not close cleanly; the next start repairs it");
    }
    if let Some(done) = closed {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

async fn transaction(
    connection: &mut SqliteConnection,
    incarnation: Incarnation,
    requests: &[Request],
) -> Result<(Vec<Outcome>, u64), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut group = Group::begin(&mut transaction, now_ms()).await?;
    let mut outcomes: Vec<Outcome> = requests.iter().map(|_| Outcome::Done).collect();
    // Commits first: wishes are checked against the devices as they are after them.
    for request in requests {
        if let Request::Commit { node, commit, .. } = request {
            group.commit(&mut transaction, node, commit).await?;
        }
    }
    group.flush(&mut transaction).await?;
    let mut writer = DesiredWriter::default();
    for (request, outcome) in requests.iter().zip(&mut outcomes) {
        match request {
            Request::Commit { .. } | Request::Close { .. } => {}
            Request::SetDesired { node, wishes, if_match, .. } => {
                let set = writer.set(&mut transaction, &mut group, incarnation, node, wishes, *if_match);
                *outcome = match set.await {
                    Err(SetDesiredError::Store(error @ StoreError::Database(_))) => return Err(error),
                    set => Outcome::Set(set),
                };
            }
            Request::CreateToken { node, secret_sha256, expires, .. } => {
                let expires = expires.as_millis();
                join_tokens::create(&mut transaction, node.as_str(), secret_sha256, expires).await?;
            }
            Request::RedeemToken { node, secret_sha256, now, .. } => {
                let redeemed =
                    join_tokens::redeem(&mut transaction, node.as_str(), secret_sha256, now.as_millis());
                *outcome = Outcome::Redeemed(redeemed.await?);
            }
            Request::NodeSeen { node, now, .. } => group.node_seen(node, now.as_millis()),
        }
    }
    let seq = group.finish(&mut transaction).await?;
    transaction.commit().await?;
    Ok((outcomes, u64::try_from(seq).unwrap_or(0)))
}

/// Tells listeners and then whoever asked; either may have gone, which is no fault.
fn answer(
    request: Request,
    outcome: Outcome,
    seq: u64,
    incarnation: Incarnation,
    changes: &broadcast::Sender<Arc<Committed>>,
) {
    match (request, outcome) {
        (Request::Commit { node, commit, done }, _) => {
            let mut entries = commit.authored.clone();
            let mut reset = false;
            for step in &commit.followed {
                match step {
                    Followed::Apply { entries: applied, .. } => entries.extend_from_slice(applied),
                    Followed::ResetEnd { .. } => reset = true,
                    Followed::ResetBegin | Followed::Stage { .. } => {}
                }
            }
            if reset || !entries.is_empty() {
                let _ = changes.send(Arc::new(Committed { node, seq, entries, authored: None, reset }));
            }
            let _ = done.send(Ok(()));
        }
        (Request::SetDesired { node, done, .. }, Outcome::Set(set)) => {
            if let Ok(entries) = &set
                && let Some(last) = entries.last()
            {
                let cursor = Cursor { incarnation, revision: last.revision };
                let tombstone = entries.iter().filter(|e| e.change.is_deletion()).map(|e| e.revision).max();
                let authored = Some(Authored { cursor, tombstone });
                let entries = entries.clone();
                let _ = changes.send(Arc::new(Committed { node, seq, entries, authored, reset: false }));
            }
            let _ = done.send(set);
        }
        (Request::RedeemToken { done, .. }, Outcome::Redeemed(redeemed)) => {
            let _ = done.send(redeemed.map_err(RedeemError::Refused));
        }
        (Request::CreateToken { done, .. } | Request::NodeSeen { done, .. }, _) => {
            let _ = done.send(Ok(()));
        }
        (request @ (Request::SetDesired { .. } | Request::RedeemToken { .. } | Request::Close { .. }), _) => {
            fail(request, &StoreError::Closed);
        }
    }
}

fn fail(request: Request, error: &StoreError) {
    let error = error.clone();
    // Whoever asked may have gone.
    match request {
        Request::Commit { done, .. } | Request::CreateToken { done, .. } | Request::NodeSeen { done, .. } => {
            drop(done.send(Err(error)))
        }
        Request::SetDesired { done, .. } => drop(done.send(Err(SetDesiredError::Store(error)))),
        Request::RedeemToken { done, .. } => drop(done.send(Err(RedeemError::Store(error)))),
        Request::Close { done } => drop(done.send(())),
    }
}

/// Drops deletions that nobody needs any more, and notes up to where.
pub(crate) async fn purge(connection: &mut SqliteConnection, now: i64) -> Result<(), sqlx::Error> {
    let kept = i64::try_from(DELETIONS_KEPT.as_millis()).unwrap_or(i64::MAX);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(seq) = documents::purge(&mut transaction, now - kept).await? {
        let floor = counters::get(&mut transaction, counters::CHANGES_FLOOR).await?;
        counters::set(&mut transaction, counters::CHANGES_FLOOR, floor.max(seq)).await?;
    }
    join_tokens::purge(&mut transaction, now).await?;
    transaction.commit().await
}

fn weight(request: &Request) -> usize {
    match request {
        Request::Commit { commit, .. } => {
            let of = |step: &Followed| match step {
                Followed::Apply { entries, .. } | Followed::Stage { entries } => entries.len(),
                Followed::ResetBegin | Followed::ResetEnd { .. } => 1,
            };
            commit.authored.len() + commit.followed.iter().map(of).sum::<usize>()
        }
        Request::SetDesired { wishes, .. } => wishes.len(),
        Request::CreateToken { .. }
        | Request::RedeemToken { .. }
        | Request::NodeSeen { .. }
        | Request::Close { .. } => 1,
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
