//! Changes in order, with what their devices and properties are now.

use std::collections::{BTreeSet, HashMap};

use sqlx::SqliteConnection;
use twin_core::{
    Change, Desired, Device, DeviceId, Key, NodeName, Override, PropertyId, Reported, Timestamp,
};

use crate::codec;
use crate::error::StoreError;
use crate::read::twin::Versioned;
use crate::read::{ChangeRow, node_name};
use crate::store::CloudStore;
use crate::tables::json_rows;

/// Changes with what is there now, all as one moment saw it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChangesPage {
    /// The changes in order.
    pub changes: Vec<ChangeRow>,
    /// The devices that they belong to, as far as they are there.
    pub devices: HashMap<(NodeName, DeviceId), Device>,
    /// All parts of the properties that changed.
    pub properties: HashMap<(NodeName, PropertyId), PropertyRows>,
    /// All changes up to here, and of the node asked for, are in this page or before it.
    pub up_to: u64,
}

/// All parts of one property.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PropertyRows {
    /// What was reported.
    pub reported: Option<Versioned<Reported>>,
    /// What a local operator wants.
    pub override_: Option<Versioned<Override>>,
    /// What the cloud wants.
    pub desired: Option<Versioned<Desired>>,
}

const CHANGES: &str = "
    SELECT seq, node, part, device, property, revision, cloud_time, body
    FROM documents INDEXED BY documents_by_seq
    WHERE seq > ?1 AND (?2 IS NULL OR node = ?2) ORDER BY seq LIMIT ?3";

const DEVICES: &str = "
    SELECT d.node, d.device, d.body FROM json_each(?) AS k CROSS JOIN documents AS d
    ON d.node = k.value ->> 0 AND d.part = 1 AND d.device = k.value ->> 1 AND d.property = ''
    WHERE d.body IS NOT NULL";

const PROPERTIES: &str = "
    SELECT d.node, d.part, d.device, d.property, d.revision, d.cloud_time, d.body
    FROM json_each(?) AS k CROSS JOIN documents AS d
    ON d.node = k.value ->> 0 AND d.part IN (2, 3, 4) AND d.device = k.value ->> 1 AND d.property = k.value ->> 2
    WHERE d.body IS NOT NULL";

impl CloudStore {
    /// Documents whose last change lies after `since`, in order of change, at most `limit`; of one node or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn changes_since(
        &self,
        since: u64,
        node: Option<&NodeName>,
        limit: usize,
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let mut reader = self.readers().begin().await?;
        changes(&mut reader, since, node, limit).await
    }

    /// The same with what their devices and properties are now.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn changes_page(
        &self,
        since: u64,
        node: Option<&NodeName>,
        limit: usize,
    ) -> Result<ChangesPage, StoreError> {
        let mut reader = self.readers().begin().await?;
        let changes = changes(&mut reader, since, node, limit).await?;
        let last = crate::tables::counters::get(&mut reader, crate::tables::counters::SEQ).await?;
        let up_to = match changes.last() {
            Some(change) if changes.len() >= limit => change.seq,
            Some(_) | None => u64::try_from(last).unwrap_or(0).max(since),
        };
        let devices = devices(&mut reader, &changes).await?;
        let properties = properties(&mut reader, &changes).await?;
        Ok(ChangesPage { changes, devices, properties, up_to })
    }
}

async fn changes(
    reader: &mut SqliteConnection,
    since: u64,
    node: Option<&NodeName>,
    limit: usize,
) -> Result<Vec<ChangeRow>, StoreError> {
    type Row = (i64, String, i64, String, String, i64, i64, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(CHANGES)
        .bind(i64::try_from(since).unwrap_or(i64::MAX))
        .bind(node.map(NodeName::as_str))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(reader)
        .await?;
    rows.into_iter()
        .map(|(seq, node, part, device, property, revision, cloud_time, body)| {
            Ok(ChangeRow {
                seq: u64::try_from(seq).unwrap_or(0),
                node: node_name(node)?,
                cloud_time: Timestamp::from_millis(cloud_time),
                entry: codec::entry(part, &device, &property, revision, body.as_deref())?,
            })
        })
        .collect()
}

async fn devices(
    reader: &mut SqliteConnection,
    changes: &[ChangeRow],
) -> Result<HashMap<(NodeName, DeviceId), Device>, StoreError> {
    let keys: Vec<_> = changes.iter().map(|c| (c.node.as_str(), c.entry.change.key())).collect();
    let names: BTreeSet<(&str, &str)> =
        keys.iter().map(|(node, key)| (*node, key.device().as_str())).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names = json_rows(&Vec::from_iter(names))?;
    let rows: Vec<(String, String, String)> = sqlx::query_as(DEVICES).bind(names).fetch_all(reader).await?;
    rows.into_iter()
        .map(|(node, device, body)| {
            let what = || format!("device {device} of node {node}");
            let parsed = serde_json::from_str(&body).map_err(|error| codec::corrupt(&what(), &error))?;
            let id = device.parse().map_err(|error| codec::corrupt(&what(), &error))?;
            Ok(((node_name(node)?, id), parsed))
        })
        .collect()
}

async fn properties(
    reader: &mut SqliteConnection,
    changes: &[ChangeRow],
) -> Result<HashMap<(NodeName, PropertyId), PropertyRows>, StoreError> {
    let ids: BTreeSet<(NodeName, PropertyId)> = changes
        .iter()
        .filter_map(|c| match c.entry.change.key() {
            Key::Device(_) | Key::Alarm(_) => None,
            Key::Reported(id) | Key::Override(id) | Key::Desired(id) => Some((c.node.clone(), id)),
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<_> =
        ids.iter().map(|(node, id)| (node.as_str(), id.device.as_str(), id.property.as_str())).collect();
    type Row = (String, i64, String, String, i64, i64, String);
    let rows: Vec<Row> = sqlx::query_as(PROPERTIES).bind(json_rows(&names)?).fetch_all(reader).await?;
    let mut found: HashMap<_, PropertyRows> = HashMap::new();
    for (node, part, device, property, revision, cloud_time, body) in rows {
        let entry = codec::entry(part, &device, &property, revision, Some(&body))?;
        let node = node_name(node)?;
        let revision = entry.revision;
        let cloud_time = Timestamp::from_millis(cloud_time);
        match entry.change {
            Change::Reported(id, Some(body)) => {
                found.entry((node, id)).or_default().reported =
                    Some(Versioned { body, revision, cloud_time });
            }
            Change::Override(id, Some(body)) => {
                found.entry((node, id)).or_default().override_ =
                    Some(Versioned { body, revision, cloud_time });
            }
            Change::Desired(id, Some(body)) => {
                found.entry((node, id)).or_default().desired = Some(Versioned { body, revision, cloud_time });
            }
            Change::Device(..)
            | Change::Reported(..)
            | Change::Override(..)
            | Change::Desired(..)
            | Change::Alarm(..) => {}
        }
    }
    Ok(found)
}
