//! The handle that everyone holds.

use std::path::Path;
use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use twin_core::replica::{Commit, Stored};
use twin_core::{Cursor, Desired, Entry, Incarnation, NodeName, PropertyId, Revision, Stream, Timestamp};

use crate::codec;
use crate::error::{OpenError, RedeemError, SetDesiredError, StoreError};
use crate::history::HistoryStore;
use crate::open;
use crate::tables::{cursors, documents, floors, incarnations};
use crate::writer::{self, Request};

/// What one request has changed, after it is on the disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The node.
    pub node: NodeName,
    /// All changes up to this place can be read.
    pub seq: u64,
    /// The documents that changed. After a reset they are not listed: read them again.
    pub entries: Vec<Entry>,
    /// Set when the cloud has written: to be told to the node's replica.
    pub authored: Option<Authored>,
    /// Whether all that the node has written was replaced.
    pub reset: bool,
}

/// What a replica is to know of desired values that were stored without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authored {
    /// This process's incarnation and the last revision given.
    pub cursor: Cursor,
    /// The newest deletion among them.
    pub tombstone: Option<Revision>,
}

/// The store of all twins of all nodes. Cloning is cheap: all clones are the same store.
#[derive(Debug, Clone)]
pub struct CloudStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    incarnation: Incarnation,
    history: HistoryStore,
    requests: mpsc::Sender<Request>,
    changes: broadcast::Sender<Arc<Committed>>,
    failure: watch::Receiver<Option<StoreError>>,
    readers: SqlitePool,
    writer: Mutex<JoinSet<()>>,
}

impl CloudStore {
    /// The most requests that wait to be written; whoever comes then, waits.
    const QUEUE: usize = 1024;
    /// The most announcements that a slow listener can be behind before it is told that it has missed some.
    const ANNOUNCEMENTS: usize = 1024;

    /// Opens the database in the folder `dir` or makes it, for a process that has drawn `incarnation`.
    ///
    /// # Errors
    /// [`OpenError`] when the folder cannot be used, or the database is a newer program's.
    pub async fn open(dir: &Path, incarnation: Incarnation) -> Result<Self, OpenError> {
        let (connection, readers) = open::open(dir).await?;
        let history = HistoryStore::open(dir).await?;
        let (requests, queue) = mpsc::channel(Self::QUEUE);
        let (changes, _) = broadcast::channel(Self::ANNOUNCEMENTS);
        let mut writer = JoinSet::new();
        let (failed, failure) = watch::channel(None);
        let listeners = writer::Listeners { changes: changes.clone(), failed };
        writer.spawn(writer::run(connection, incarnation, queue, listeners));
        let writer = Mutex::new(writer);
        Ok(Self {
            inner: Arc::new(Inner { incarnation, history, requests, changes, failure, readers, writer }),
        })
    }

    /// The histories of all nodes.
    #[must_use]
    pub fn history(&self) -> &HistoryStore {
        &self.inner.history
    }

    /// The incarnation of this process.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.inner.incarnation
    }

    /// What the replica of a stream of the node is to go on from.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn stored(&self, node: &NodeName, stream: Stream) -> Result<Stored, StoreError> {
        let mut reader = self.inner.readers.begin().await?;
        let floor = floors::read(&mut reader, node.as_str(), stream).await?;
        let tombstones = match stream {
            Stream::Twin => documents::tombstones(&mut reader, node.as_str(), floor).await?,
            // The cloud writes no alarms.
            Stream::Alarm => None,
        };
        Ok(Stored {
            incarnations: incarnations::read(&mut reader, node.as_str(), stream).await?,
            floor,
            tombstones,
            followed: cursors::read(&mut reader, node.as_str(), stream).await?,
        })
    }

    /// Stores all of a replica's commit; when this returns it is on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing of the commit is stored then.
    pub async fn commit(&self, node: &NodeName, commit: Arc<Commit>) -> Result<(), StoreError> {
        let node = node.clone();
        self.ask(|done| Request::Commit { node, commit, done }).await?
    }

    /// Reads what the cloud has written for the node in a stream, desired values, with `after < revision <= up_to` in order of revision, at most `limit`,
    /// deletions among them that the node has not acknowledged.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn fetch(
        &self,
        node: &NodeName,
        stream: Stream,
        after: Revision,
        up_to: Revision,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        match stream {
            Stream::Twin => {}
            Stream::Alarm => return Ok(Vec::new()),
        }
        let rows: Vec<(i64, String, String, i64, Option<String>)> = sqlx::query_as(
            "SELECT part, device, property, revision, body FROM documents
             WHERE node = ?1 AND part = 4 AND revision > ?2 AND revision <= ?3
               AND (body IS NOT NULL
                    OR revision > ifnull((SELECT floor FROM floors WHERE floors.node = ?1 AND stream = 16), 0))
             ORDER BY revision LIMIT ?4",
        )
        .bind(node.as_str())
        .bind(codec::number(after))
        .bind(codec::number(up_to))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        rows.iter()
            .map(|(part, device, property, revision, body)| {
                codec::entry(*part, device, property, *revision, body.as_deref())
            })
            .collect()
    }

    /// Announces what is stored from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.inner.changes.subscribe()
    }

    /// Sets or, for `None`, deletes desired values of the node: all of them or none. Each gets the node's next
    /// revision. With `if_match`, only when the last change of any desired value of the devices named has that
    /// revision (0 when there never was one). A deletion of what is not there is no change.
    ///
    /// # Errors
    /// [`SetDesiredError`] says which wish breaks which rule.
    pub async fn set_desired(
        &self,
        node: &NodeName,
        wishes: Vec<(PropertyId, Option<Desired>)>,
        if_match: Option<Revision>,
    ) -> Result<Vec<Entry>, SetDesiredError> {
        let node = node.clone();
        self.ask(|done| Request::SetDesired { node, wishes, if_match, done }).await?
    }

    /// Lets one node join with the secret that has this hash, until `expires`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn create_join_token(
        &self,
        node: &NodeName,
        secret_sha256: [u8; 32],
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let node = node.clone();
        self.ask(|done| Request::CreateToken { node, secret_sha256, expires, done }).await?
    }

    /// Uses up a join token.
    ///
    /// # Errors
    /// [`RedeemError`] when there is none for this node, it was used or it has expired.
    pub async fn redeem_join_token(
        &self,
        node: &NodeName,
        secret_sha256: [u8; 32],
        now: Timestamp,
    ) -> Result<(), RedeemError> {
        let node = node.clone();
        self.ask(|done| Request::RedeemToken { node, secret_sha256, now, done }).await?
    }

    /// Notes that the node was there at `now`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn node_seen(&self, node: &NodeName, now: Timestamp) -> Result<(), StoreError> {
        let node = node.clone();
        self.ask(|done| Request::NodeSeen { node, now, done }).await?
    }

    /// Waits until a transaction has failed, which is fatal to the process: what was to be stored is not. Waits for
    /// ever when none does.
    pub async fn failed(&self) -> StoreError {
        let mut failure = self.inner.failure.clone();
        match failure.wait_for(Option::is_some).await.ok().and_then(|failure| (*failure).clone()) {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Stores what is queued, writes the log into the database file and closes it. Further calls get
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        self.inner.history.close().await;
        self.inner.readers.close().await;
        // It is closed already when the writer does not answer.
        let _ = self.ask(|done| Request::Close { done }).await;
        while self.inner.writer.lock().await.join_next().await.is_some() {}
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.inner.requests.send(request(done)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}
