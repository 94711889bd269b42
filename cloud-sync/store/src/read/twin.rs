//! One device with all parts of its twin, as one moment saw them.

use std::collections::BTreeMap;

use twin_core::{
    Change, Desired, Device, DeviceId, Entry, NodeName, Override, PropertyName, Reported, Revision, Timestamp,
};

use crate::codec;
use crate::error::StoreError;
use crate::store::CloudStore;
use crate::tables::heads;

/// A document's body with its revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// What it holds.
    pub body: T,
    /// Its revision.
    pub revision: Revision,
    /// When the cloud has stored it.
    pub cloud_time: Timestamp,
}

/// All documents of one device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinRows {
    /// The device; none when its node has none of that name (any more).
    pub device: Option<Versioned<Device>>,
    /// What was reported of each property.
    pub reported: BTreeMap<PropertyName, Versioned<Reported>>,
    /// What local operators want.
    pub overrides: BTreeMap<PropertyName, Versioned<Override>>,
    /// What the cloud wants.
    pub desired: BTreeMap<PropertyName, Versioned<Desired>>,
    /// The revision of the last change of any desired value, which `if_match` is compared with.
    pub desired_revision: Revision,
}

impl CloudStore {
    /// All that is stored of one device.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn twin(&self, node: &NodeName, device: &DeviceId) -> Result<TwinRows, StoreError> {
        let mut reader = self.readers().begin().await?;
        let rows: Vec<(i64, String, i64, i64, String)> = sqlx::query_as(
            "SELECT part, property, revision, cloud_time, body FROM documents
             WHERE node = ? AND part IN (1, 2, 3, 4) AND device = ? AND body IS NOT NULL",
        )
        .bind(node.as_str())
        .bind(device.as_str())
        .fetch_all(&mut *reader)
        .await?;
        let mut twin = TwinRows {
            desired_revision: heads::read(&mut reader, node.as_str(), device.as_str()).await?,
            ..TwinRows::default()
        };
        for (part, property, revision, cloud_time, body) in rows {
            let entry = codec::entry(part, device.as_str(), &property, revision, Some(&body))?;
            twin.put(entry, Timestamp::from_millis(cloud_time));
        }
        Ok(twin)
    }
}

impl TwinRows {
    fn put(&mut self, entry: Entry, cloud_time: Timestamp) {
        let revision = entry.revision;
        match entry.change {
            Change::Device(_, body) => {
                self.device = body.map(|body| Versioned { body, revision, cloud_time });
            }
            Change::Reported(id, Some(body)) => {
                self.reported.insert(id.property, Versioned { body, revision, cloud_time });
            }
            Change::Override(id, Some(body)) => {
                self.overrides.insert(id.property, Versioned { body, revision, cloud_time });
            }
            Change::Desired(id, Some(body)) => {
                self.desired.insert(id.property, Versioned { body, revision, cloud_time });
            }
            Change::Reported(_, None)
            | Change::Override(_, None)
            | Change::Desired(_, None)
            | Change::Alarm(..) => {}
        }
    }
}
