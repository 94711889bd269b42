//! The file of a backup: a gzipped tar archive whose first entry, `manifest.json`, names every other with its length and
//! digest. Nothing here opens a file: bytes come in, and whoever calls says where they go.

mod manifest;
mod pack;
mod place;
mod unpack;

pub use manifest::{Database, FileEntry, InvalidManifest, Manifest};
pub use pack::{PackError, Packer};
pub use place::{InvalidPlace, Place};
pub use unpack::{UnpackError, unpack};

use sha2::{Digest as _, Sha256};

/// The name of the manifest in the archive.
pub const MANIFEST: &str = "manifest.json";

/// The SHA-256 of what was given to it, in hexadecimal digits.
#[derive(Debug, Clone, Default)]
pub struct Hash(Sha256);

impl Hash {
    /// Takes some more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
