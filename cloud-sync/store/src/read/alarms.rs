//! Alarms of one node or of all.

use twin_core::{Alarm, AlarmId, AlarmState, Change, NodeName, Revision, Severity};

use crate::codec;
use crate::error::StoreError;
use crate::read::node_name;
use crate::store::CloudStore;
use crate::tables::json_rows;

/// Which alarms. An empty list means all.
#[derive(Debug, Clone, Default)]
pub struct AlarmFilter {
    /// Only those of this node.
    pub node: Option<NodeName>,
    /// Only those in these states.
    pub states: Vec<AlarmState>,
    /// Only those of these severities.
    pub severities: Vec<Severity>,
    /// Only those of this device, `namespace/name`.
    pub device: Option<String>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRow {
    /// Its node.
    pub node: NodeName,
    /// Which one.
    pub id: AlarmId,
    /// As it stands.
    pub alarm: Alarm,
    /// Its revision.
    pub revision: Revision,
}

impl AlarmRow {
    /// Its place in the order of alarms.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.node, self.id.device(), self.id.column())
    }
}

/// Those on the shelf first, as in [`Alarm::state`].
const ALARMS: &str = "
    SELECT d.node, d.device, d.property, d.revision, d.body
    FROM nodes AS n CROSS JOIN documents AS d ON d.node = n.node AND d.part = 5
    WHERE (?1 IS NULL OR n.node = ?1) AND d.body IS NOT NULL
      AND (?2 IS NULL OR d.node || '/' || d.device || '/' || d.property > ?2)
      AND (?3 = '[]' OR CASE
             WHEN d.body ->> 'shelved' IS NOT NULL THEN 'shelved'
             WHEN d.body ->> 'active' THEN iif(d.body ->> 'acknowledged' IS NULL, 'active', 'acknowledged')
             ELSE iif(d.body ->> 'acknowledged' IS NULL, 'cleared_unacknowledged', 'cleared')
           END IN (SELECT value FROM json_each(?3)))
      AND (?4 = '[]' OR d.body ->> 'severity' IN (SELECT value FROM json_each(?4)))
      AND (?5 IS NULL OR d.device = ?5)
    ORDER BY d.node || '/' || d.device || '/' || d.property LIMIT ?6";

impl CloudStore {
    /// Alarms in order of node, device and name, after a [`place`](AlarmRow::place), at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn alarms(
        &self,
        filter: &AlarmFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AlarmRow>, StoreError> {
        let words = |words: Vec<&str>| json_rows(&words);
        let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(ALARMS)
            .bind(filter.node.as_ref().map(NodeName::as_str))
            .bind(after)
            .bind(words(filter.states.iter().map(|state| state.word()).collect())?)
            .bind(words(filter.severities.iter().map(|severity| severity.word()).collect())?)
            .bind(filter.device.as_deref())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.readers())
            .await?;
        let mut alarms = Vec::with_capacity(rows.len());
        for (node, device, property, revision, body) in rows {
            let entry = codec::entry(5, &device, &property, revision, Some(&body))?;
            if let Change::Alarm(id, Some(alarm)) = entry.change {
                alarms.push(AlarmRow { node: node_name(node)?, id, alarm, revision: entry.revision });
            }
        }
        Ok(alarms)
    }
}
