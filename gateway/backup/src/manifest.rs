//! What is in a backup.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{MANIFEST, Place};

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format: 1.
    pub format: u32,
    /// Name and version of the program that wrote it.
    pub program: String,
    /// When, in milliseconds since 1970.
    pub created_at: i64,
    /// Whether keys are in it.
    pub with_keys: bool,
    /// The files, in the order of the archive.
    pub files: Vec<FileEntry>,
    /// Files that hold keys and were left out.
    #[serde(default)]
    pub left_out: Vec<Place>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it lies in the data folder.
    pub path: Place,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// What it is, when it is a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
}

/// What is known of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// The version of its schema (`PRAGMA user_version`).
    pub schema: i64,
}

/// Why a manifest is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It is not one.
    #[error("its manifest cannot be read: {0}")]
    Unreadable(String),
    /// It is of a newer format.
    #[error(
        "it has format {found}, this program knows up to {}; restore it with the newer program",
        Manifest::FORMAT
    )]
    TooNew {
        /// Its format.
        found: u32,
    },
    /// It names a file that cannot be one.
    #[error("its manifest is wrong at {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: &'static str,
    },
}

impl Manifest {
    /// The version of the format that this program writes.
    pub const FORMAT: u32 = 1;
    /// The longest manifest that is read, in bytes.
    pub const MAX_BYTES: u64 = 4 * 1024 * 1024;
    const MAX_FILES: usize = 10_000;

    /// Reads and checks one.
    ///
    /// # Errors
    /// [`InvalidManifest`] says what is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| InvalidManifest::Unreadable(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format > Self::FORMAT {
            return Err(InvalidManifest::TooNew { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), InvalidManifest> {
        let wrong = |path: &Place, why| Err(InvalidManifest::File { path: path.to_string(), why });
        if self.files.len().saturating_add(self.left_out.len()) > Self::MAX_FILES {
            return Err(InvalidManifest::Unreadable("it names too many files".into()));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if file.path.as_str() == MANIFEST {
                return wrong(&file.path, "the manifest is not a file of the folder");
            }
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            {
                return wrong(&file.path, "its digest is none");
            }
            if !seen.insert(file.path.as_str()) {
                return wrong(&file.path, "it is named twice");
            }
        }
        // A file cannot be a folder of another one as well.
        for place in self.files.iter().map(|file| &file.path) {
            let text = place.as_str();
            let above = text.match_indices('/').map(|(at, _)| &text[..at]);
            if above.into_iter().any(|folder| seen.contains(folder)) {
                return wrong(place, "a part of its path is a file");
            }
        }
        Ok(())
    }

    /// The length of all files together, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}
