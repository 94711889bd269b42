//! Devices of a node, chosen by what they are and how they are.

use twin_core::{Device, DeviceId, DeviceState, NodeName, Revision};

use crate::codec;
use crate::error::StoreError;
use crate::store::CloudStore;

/// Which devices are wanted; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// A label with its value.
    pub label: Option<(String, String)>,
    /// The protocol by which it is served.
    pub protocol: Option<String>,
    /// Whether it answers.
    pub state: Option<DeviceState>,
    /// The word of a quality that at least one of its properties has: `good`, `uncertain` or `bad`.
    pub quality: Option<String>,
}

/// A device with a summary of its properties.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRow {
    /// Its name.
    pub id: DeviceId,
    /// What its node says of it.
    pub device: Device,
    /// The revision of that.
    pub revision: Revision,
    /// How many of its properties are not good.
    pub not_good: u64,
}

/// The word of a reported document's quality: it is text when good, an object with one key otherwise.
macro_rules! quality_word {
    () => {
        "CASE json_type(r.body, '$.quality') WHEN 'text' THEN r.body ->> '$.quality'
         ELSE (SELECT key FROM json_each(r.body, '$.quality')) END"
    };
}

const DEVICES: &str = concat!(
    "SELECT d.device, d.revision, d.body,
            (SELECT count(*) FROM documents AS r WHERE r.node = d.node AND r.part = 2 AND r.device = d.device
             AND r.body IS NOT NULL AND ",
    quality_word!(),
    " <> 'good')
     FROM documents AS d
     WHERE d.node = ?1 AND d.part = 1 AND d.body IS NOT NULL AND d.device > ?2
       AND (?3 IS NULL OR EXISTS (
            SELECT 1 FROM json_each(d.body, '$.definition.labels') AS l WHERE l.key = ?3 AND l.value = ?4))
       AND (?5 IS NULL OR d.body ->> '$.definition.protocol' = ?5)
       AND (?6 IS NULL OR d.body ->> '$.state' = ?6)
       AND (?7 IS NULL OR EXISTS (
            SELECT 1 FROM documents AS r WHERE r.node = d.node AND r.part = 2 AND r.device = d.device
            AND r.body IS NOT NULL AND ",
    quality_word!(),
    " = ?7))
     ORDER BY d.device LIMIT ?8"
);

impl CloudStore {
    /// Devices of a node in order of name, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn devices(
        &self,
        node: &NodeName,
        filter: &DeviceFilter,
        after: Option<&DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let state = filter.state.map(|state| match state {
            DeviceState::Unknown => "unknown",
            DeviceState::Online => "online",
            DeviceState::Offline => "offline",
        });
        let rows: Vec<(String, i64, String, i64)> = sqlx::query_as(DEVICES)
            .bind(node.as_str())
            .bind(after.map_or("", DeviceId::as_str))
            .bind(filter.label.as_ref().map(|(key, _)| key.as_str()))
            .bind(filter.label.as_ref().map(|(_, value)| value.as_str()))
            .bind(filter.protocol.as_deref())
            .bind(state)
            .bind(filter.quality.as_deref())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|(id, revision, body, not_good)| {
                let what = || format!("device {id} of node {node}");
                let device = serde_json::from_str(body).map_err(|error| codec::corrupt(&what(), &error))?;
                Ok(DeviceRow {
                    id: id.parse().map_err(|error| codec::corrupt(&what(), &error))?,
                    device,
                    revision: codec::revision(*revision),
                    not_good: u64::try_from(*not_good).unwrap_or(0),
                })
            })
            .collect()
    }
}
