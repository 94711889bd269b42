//! What is read for people and programs, never by the replicas.

pub(crate) mod alarms;
pub(crate) mod devices;
pub(crate) mod page;
pub(crate) mod twin;

use twin_core::{Entry, NodeName, Timestamp};

use crate::codec;
use crate::error::StoreError;
use crate::store::CloudStore;
use crate::tables::counters;

/// A node that has ever been heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub node: NodeName,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of, as far as it is stored.
    pub last_seen: Timestamp,
    /// How many devices it has.
    pub devices: u64,
}

/// One document with the place of its last change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// The place among all changes of the database.
    pub seq: u64,
    /// The node.
    pub node: NodeName,
    /// When the cloud has stored it.
    pub cloud_time: Timestamp,
    /// What it has become.
    pub entry: Entry,
}

const NODES: &str = "
    SELECT node, first_seen, last_seen,
           (SELECT count(*) FROM documents AS d WHERE d.node = nodes.node AND d.part = 1 AND d.body IS NOT NULL)
    FROM nodes WHERE (?1 IS NULL OR node = ?1) ORDER BY node";

impl CloudStore {
    /// All nodes in order of name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.nodes_named(None).await
    }

    /// One node; none when it was never heard of.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn node(&self, node: &NodeName) -> Result<Option<NodeRow>, StoreError> {
        Ok(self.nodes_named(Some(node)).await?.pop())
    }

    async fn nodes_named(&self, node: Option<&NodeName>) -> Result<Vec<NodeRow>, StoreError> {
        let rows: Vec<(String, i64, i64, i64)> =
            sqlx::query_as(NODES).bind(node.map(NodeName::as_str)).fetch_all(self.readers()).await?;
        rows.into_iter()
            .map(|(node, first, last, devices)| {
                Ok(NodeRow {
                    node: node_name(node)?,
                    first_seen: Timestamp::from_millis(first),
                    last_seen: Timestamp::from_millis(last),
                    devices: u64::try_from(devices).unwrap_or(0),
                })
            })
            .collect()
    }

    /// The place before which deletions have been dropped, and the place of the last change. Whoever has followed to a
    /// place before the first has to read everything again.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn changes_range(&self) -> Result<(u64, u64), StoreError> {
        let mut reader = self.readers().begin().await?;
        let floor = counters::get(&mut reader, counters::CHANGES_FLOOR).await?;
        let last = counters::get(&mut reader, counters::SEQ).await?;
        Ok((u64::try_from(floor).unwrap_or(0), u64::try_from(last).unwrap_or(0)))
    }
}

pub(crate) fn node_name(node: String) -> Result<NodeName, StoreError> {
    NodeName::try_from(node).map_err(|error| codec::corrupt("nodes", &error))
}
