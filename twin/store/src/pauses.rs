//! Table `pauses`, in the database of the configurations: which devices are left alone, since when, by whom and why. A
//! device that is paused for work at it stays so when the gateway is started again.

use std::collections::BTreeMap;

use sqlx::Row as _;
use twin_core::{DeviceId, Timestamp};

use crate::{ConfigStore, StoreError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS pauses (
    device TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    paused_by TEXT NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID;
";

/// Why a device is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPause {
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: String,
    /// What they said of it.
    pub note: String,
}

impl ConfigStore {
    /// The devices that are paused.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pauses(&mut self) -> Result<BTreeMap<DeviceId, StoredPause>, StoreError> {
        let rows = sqlx::query("SELECT device, since, paused_by, note FROM pauses")
            .fetch_all(self.connection().await?)
            .await?;
        let mut pauses = BTreeMap::new();
        for row in &rows {
            let device: &str = row.try_get("device")?;
            let id = device.parse().map_err(|error| StoreError::unreadable("a pause", error))?;
            let pause = StoredPause {
                since: Timestamp::from_millis(row.try_get("since")?),
                by: row.try_get("paused_by")?,
                note: row.try_get("note")?,
            };
            pauses.insert(id, pause);
        }
        Ok(pauses)
    }

    /// Stores that a device is paused, or is not any more.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then it is as it was.
    pub async fn set_pause(
        &mut self,
        device: &DeviceId,
        pause: Option<&StoredPause>,
    ) -> Result<(), StoreError> {
        let query = match pause {
            Some(pause) => sqlx::query(
                "INSERT INTO pauses (device, since, paused_by, note) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (device) DO UPDATE SET since = ?2, paused_by = ?3, note = ?4",
            )
            .bind(device.as_str())
            .bind(pause.since.as_millis())
            .bind(&pause.by)
            .bind(&pause.note),
            None => sqlx::query("DELETE FROM pauses WHERE device = ?1").bind(device.as_str()),
        };
        query.execute(self.connection().await?).await?;
        Ok(())
    }
}
