//! Devices that are left alone: stored first, then told to the mapper.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;
use twin_core::DeviceId;
use twin_store::{StoreError, StoredPause};

use super::keeper::Keeper;

/// The devices that are left alone.
pub type Paused = BTreeMap<DeviceId, StoredPause>;

/// Why a device is not paused or resumed.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// No such device.
    #[error("there is no device {0} in the configuration; GET /api/v1/devices lists those that are")]
    UnknownDevice(DeviceId),
    /// The gateway has no mapper for it.
    #[error(
        "device {0} is served over MQTT by a mapper outside the gateway, which alone can do this: ask there"
    )]
    ServedOutside(DeviceId),
    /// It cannot be stored.
    #[error("it cannot be stored, so everything stays as it was: {0}")]
    Store(#[from] StoreError),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

impl Keeper {
    pub(super) async fn set_pause(
        &mut self,
        device: &DeviceId,
        pause: Option<StoredPause>,
    ) -> Result<(), PauseError> {
        let unknown = || PauseError::UnknownDevice(device.clone());
        let config = self.parts.devices.get(device).ok_or_else(unknown)?;
        if config.protocol.is_none() {
            return Err(PauseError::ServedOutside(device.clone()));
        }
        let paused = pause.is_some();
        self.store.set_pause(device, pause.as_ref()).await?;
        self.parts.fleet.set_pause(device, paused);
        self.pauses.send_modify(|pauses| {
            let pauses = Arc::make_mut(pauses);
            match pause {
                Some(pause) => {
                    info!(%device, by = pause.by, note = pause.note, "a device is paused");
                    pauses.insert(device.clone(), pause);
                }
                None => {
                    info!(%device, "a device is resumed");
                    pauses.remove(device);
                }
            }
        });
        Ok(())
    }
}
