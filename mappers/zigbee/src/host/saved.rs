//! What survives a restart: the network, its key and its devices, in a file of the gateway that only it may read.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use crate::Ieee;

/// Devices that are kept.
pub const MOST_DEVICES: usize = 1_000;
/// The most bytes of a file that is read.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What distinguishes a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkIds {
    /// The PAN id, 1 to 0xFFFE.
    pub pan_id: u16,
    /// The extended PAN id.
    pub ext_pan_id: u64,
    /// The channel, 11 to 26.
    pub channel: u8,
}

impl NetworkIds {
    /// Whether both are one network; its channel may have changed.
    #[must_use]
    pub fn is_same_network(&self, other: &Self) -> bool {
        (self.pan_id, self.ext_pan_id) == (other.pan_id, other.ext_pan_id)
    }
}

impl fmt::Display for NetworkIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PAN {:#06x} / {:#018x} on channel {}", self.pan_id, self.ext_pan_id, self.channel)
    }
}

/// A network key; it is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; 16]);

impl Key {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A random one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(not shown)")
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let wrong = "a network key has 32 hexadecimal digits";
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        u128::from_str_radix(&text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| wrong)
    }
}

/// An endpoint of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its profile.
    pub profile: u16,
    /// What kind of device it is in the profile.
    pub device: u16,
    /// The clusters that it serves.
    pub inputs: Vec<u16>,
    /// The clusters that it uses.
    pub outputs: Vec<u16>,
}

/// A device of the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    /// Its short address; none once it has left.
    pub nwk: Option<u16>,
    /// Whether it sleeps; none while nobody knows.
    pub sleepy: Option<bool>,
    /// Its maker as it says itself.
    pub manufacturer: String,
    /// Its model as it says itself.
    pub model: String,
    /// The code of its maker.
    pub manufacturer_code: Option<u16>,
    /// Its endpoints.
    pub endpoints: BTreeMap<u8, Endpoint>,
    /// Whether it has been asked all of this.
    pub interviewed: bool,
}

/// A network with its devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The coordinator.
    pub coordinator: Ieee,
    /// What distinguishes it.
    pub ids: NetworkIds,
    /// Its key, where the gateway has formed it.
    pub key: Option<Key>,
    /// Its devices.
    pub devices: BTreeMap<Ieee, Device>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct FileFault {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// The file of this coordinator.
#[must_use]
pub fn path(data_dir: &Path, coordinator: Ieee) -> PathBuf {
    data_dir.join(format!("zigbee-{:016x}.json", coordinator.0))
}

/// Reads the file of a coordinator; none when there is none.
///
/// # Errors
/// [`FileFault`] when it cannot be read, or is not what the gateway wrote.
pub async fn load(data_dir: &Path, coordinator: Ieee) -> Result<Option<Saved>, FileFault> {
    let path = path(data_dir, coordinator);
    let read = async {
        if tokio::fs::metadata(&path).await?.len() > MOST_BYTES {
            return Err(io::Error::other("it is too large to be the file of a network"));
        }
        let bytes = tokio::fs::read(&path).await?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    };
    match read.await {
        Ok(saved) => Ok(Some(saved)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileFault { path, error }),
    }
}

/// Writes the file of a network, at once or not at all, so that only its owner can read it.
///
/// # Errors
/// [`FileFault`] when it cannot be written.
pub async fn save(data_dir: &Path, saved: &Saved) -> Result<(), FileFault> {
    let path = path(data_dir, saved.coordinator);
    let new = path.with_extension("json.new");
    let write = async {
        tokio::fs::create_dir_all(data_dir).await?;
        let bytes = serde_json::to_vec_pretty(saved).map_err(io::Error::other)?;
        let mut options = tokio::fs::OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(&new).await?;
        file.write_all(&bytes).await?;
        file.sync_all().await?;
        tokio::fs::rename(&new, &path).await
    };
    write.await.map_err(|error| FileFault { path, error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn saved() -> Saved {
        Saved {
            coordinator: Ieee(5),
            ids: NetworkIds { pan_id: 1, ext_pan_id: 2, channel: 15 },
            key: Some(Key::new([0xAB; 16])),
            devices: [(Ieee(7), Device { nwk: Some(3), ..Device::default() })].into(),
        }
    }

    #[tokio::test]
    async fn what_is_written_reads_back_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path(), Ieee(5)).await.unwrap().is_none());
        save(folder.path(), &saved()).await.unwrap();
        assert_eq!(load(folder.path(), Ieee(5)).await.unwrap(), Some(saved()));
        let mode = std::fs::metadata(path(folder.path(), Ieee(5))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path(folder.path(), Ieee(5)), "{").unwrap();
        assert!(load(folder.path(), Ieee(5)).await.is_err());
    }

    #[test]
    fn the_key_is_never_shown() {
        assert!(!format!("{:?}", saved()).to_lowercase().contains("abab"));
    }
}
