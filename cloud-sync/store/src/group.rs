//! One transaction in the making: what several requests write is collected per table and written in one statement each.

use std::collections::{HashMap, HashSet};

use sqlx::SqliteConnection;
use twin_core::replica::{Commit, Followed};
use twin_core::{Cursor, DeviceId, Entry, Key, NodeName, Revision, Stream};

use crate::codec;
use crate::error::StoreError;
use crate::rows::Rows;
use crate::tables::{counters, cursors, documents, floors, heads, incarnations, nodes, staging};

type DocumentKey = (NodeName, Key);

/// What is to be written, and where the numbers stand.
#[derive(Debug)]
pub(crate) struct Group {
    /// When, in milliseconds since 1970.
    now: i64,
    /// The seq of the last change.
    seq: i64,
    stored_seq: i64,
    documents: Rows<DocumentKey, documents::Row>,
    staging: Rows<DocumentKey, staging::Row>,
    cursors: Rows<(NodeName, Stream), cursors::Row>,
    incarnations: HashMap<(NodeName, Stream, u64), i64>,
    floors: HashMap<(NodeName, Stream), i64>,
    heads: HashMap<(NodeName, DeviceId), i64>,
    seen: HashMap<NodeName, i64>,
}

impl Group {
    pub(crate) async fn begin(connection: &mut SqliteConnection, now: i64) -> Result<Self, StoreError> {
        let seq = counters::get(connection, counters::SEQ).await?;
        Ok(Self {
            now,
            seq,
            stored_seq: seq,
            documents: Rows::default(),
            staging: Rows::default(),
            cursors: Rows::default(),
            incarnations: HashMap::new(),
            floors: HashMap::new(),
            heads: HashMap::new(),
            seen: HashMap::new(),
        })
    }

    /// Takes all of one commit. A reset is carried out at once, after what was collected before it.
    pub(crate) async fn commit(
        &mut self,
        connection: &mut SqliteConnection,
        node: &NodeName,
        commit: &Commit,
    ) -> Result<(), StoreError> {
        let stream = commit.stream;
        self.node_seen(node, self.now);
        for entry in &commit.authored {
            self.document(node, entry)?;
        }
        if let Some(cursor) = commit.author {
            self.incarnation(node, stream, cursor);
        }
        if let Some(forget) = commit.forget {
            let floor = self.floors.entry((node.clone(), stream)).or_default();
            *floor = (*floor).max(codec::number(forget.floor));
        }
        for step in &commit.followed {
            match step {
                Followed::Apply { entries, cursor } => {
                    for entry in entries {
                        self.document(node, entry)?;
                    }
                    self.cursor(node, stream, *cursor);
                }
                Followed::ResetBegin => {
                    self.flush(connection).await?;
                    staging::clear(connection, node.as_str(), stream).await?;
                }
                Followed::Stage { entries } => {
                    for entry in entries {
                        let (device, property) = names(entry);
                        let part = entry.change.part() as i64;
                        let revision = codec::number(entry.revision);
                        let body = codec::body(&entry.change)?;
                        let row = (node.to_string(), part, device, property, revision, body);
                        self.staging.put((node.clone(), entry.change.key()), row);
                    }
                }
                Followed::ResetEnd { cursor } => {
                    self.flush(connection).await?;
                    self.seq =
                        documents::replace_by_staging(connection, node.as_str(), stream, self.seq, self.now)
                            .await?;
                    staging::clear(connection, node.as_str(), stream).await?;
                    self.cursor(node, stream, *cursor);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn document(&mut self, node: &NodeName, entry: &Entry) -> Result<(), StoreError> {
        let (device, property) = names(entry);
        let part = entry.change.part() as i64;
        let revision = codec::number(entry.revision);
        let body = codec::body(&entry.change)?;
        self.seq += 1;
        let row = (node.to_string(), part, device, property, revision, self.seq, self.now, body);
        self.documents.put((node.clone(), entry.change.key()), row);
        Ok(())
    }

    /// The body of a document that waits to be written: outer none when it does not wait, inner when it is deleted.
    pub(crate) fn waiting(&self, node: &NodeName, key: &Key) -> Option<Option<&str>> {
        self.documents.get(&(node.clone(), key.clone())).map(|row| row.7.as_deref())
    }

    pub(crate) fn incarnation(&mut self, node: &NodeName, stream: Stream, cursor: Cursor) {
        let revision = codec::number(cursor.revision);
        let last = self.incarnations.entry((node.clone(), stream, cursor.incarnation.get())).or_default();
        *last = (*last).max(revision);
    }

    pub(crate) fn head(&mut self, node: &NodeName, device: &DeviceId, revision: Revision) {
        let head = self.heads.entry((node.clone(), device.clone())).or_default();
        *head = (*head).max(codec::number(revision));
    }

    pub(crate) fn node_seen(&mut self, node: &NodeName, at: i64) {
        let last = self.seen.entry(node.clone()).or_insert(at);
        *last = (*last).max(at);
    }

    fn cursor(&mut self, node: &NodeName, stream: Stream, cursor: Cursor) {
        let row = (node.to_string(), stream as i64, cursor.incarnation.get(), codec::number(cursor.revision));
        self.cursors.put((node.clone(), stream), row);
    }

    /// Writes what is collected, one statement for each table.
    pub(crate) async fn flush(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let seen: Vec<nodes::Row> = self.seen.drain().map(|(node, at)| (node.to_string(), at)).collect();
        nodes::seen(connection, &seen).await?;
        documents::write(connection, &self.documents.take()).await?;
        staging::write(connection, &self.staging.take()).await?;
        cursors::write(connection, &self.cursors.take()).await?;
        let rows: Vec<incarnations::Row> = self
            .incarnations
            .drain()
            .map(|((node, stream, incarnation), revision)| {
                (node.to_string(), stream as i64, incarnation, revision)
            })
            .collect();
        incarnations::write(connection, &rows).await?;
        let touched: HashSet<&str> = rows.iter().map(|row| row.0.as_str()).collect();
        incarnations::prune(connection, &Vec::from_iter(touched)).await?;
        let rows: Vec<floors::Row> = self
            .floors
            .drain()
            .map(|((node, stream), floor)| (node.to_string(), stream as i64, floor))
            .collect();
        floors::write(connection, &rows).await?;
        let rows: Vec<heads::Row> = self
            .heads
            .drain()
            .map(|((node, device), revision)| (node.to_string(), device.to_string(), revision))
            .collect();
        heads::write(connection, &rows).await?;
        Ok(())
    }

    /// Writes what is left. Gives the seq of the last change.
    pub(crate) async fn finish(mut self, connection: &mut SqliteConnection) -> Result<i64, StoreError> {
        self.flush(connection).await?;
        if self.seq != self.stored_seq {
            counters::set(connection, counters::SEQ, self.seq).await?;
        }
        Ok(self.seq)
    }
}

fn names(entry: &Entry) -> (String, String) {
    let key = entry.change.key();
    (key.device().to_string(), key.property().to_owned())
}
