//! Reading a backup, which may come from anybody.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::{FileEntry, Hash, InvalidManifest, InvalidPlace, MANIFEST, Manifest, Place};

/// Why a backup is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no archive, or it ends early.
    #[error("it is not a backup of twinspan, or a part of it is missing: {0}")]
    Archive(io::Error),
    /// It does not begin with a manifest.
    #[error("it is not a backup of twinspan: it does not begin with {MANIFEST}")]
    NoManifest,
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// An entry lies outside the data folder.
    #[error("an entry cannot be taken: {0}")]
    Place(#[from] InvalidPlace),
    /// An entry is a link, a device or another thing that no backup holds.
    #[error("{path} is not an ordinary file; nothing else is taken from a backup")]
    NotAFile {
        /// The entry.
        path: String,
    },
    /// An entry that the manifest does not name, or the second of its name.
    #[error("{path} is not in the manifest, or comes twice")]
    NotNamed {
        /// The entry.
        path: Place,
    },
    /// A file is not as the manifest says.
    #[error("{path} is damaged: {what} is not what the manifest says")]
    Damaged {
        /// The file.
        path: Place,
        /// Its length or its digest.
        what: &'static str,
    },
    /// A file of the manifest is missing.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: Place,
    },
    /// What is to hold the files does not take them.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: Place,
        /// Why.
        source: io::Error,
    },
    /// The caller does not want it.
    #[error("{0}")]
    Unwanted(String),
}

/// Reads a backup. `accept` is given the manifest, and may refuse it, before any file is read; `open` gives what each
/// file is written to. What was written before an error is of no use.
///
/// # Errors
/// [`UnpackError`] names the entry and what is wrong with it.
pub fn unpack<W: Write>(
    from: impl Read,
    accept: impl FnOnce(&Manifest) -> Result<(), String>,
    mut open: impl FnMut(&FileEntry) -> io::Result<W>,
    mut close: impl FnMut(W) -> io::Result<()>,
) -> Result<Manifest, UnpackError> {
    let mut archive = Archive::new(GzDecoder::new(from));
    // Raw: entries that only name others, whose length nobody bounds, are entries like any other, and refused.
    let mut entries = archive.entries().map_err(UnpackError::Archive)?.raw(true);
    let first = entries.next().ok_or(UnpackError::NoManifest)?.map_err(UnpackError::Archive)?;
    let manifest = read_manifest(first)?;
    accept(&manifest).map_err(UnpackError::Unwanted)?;
    let mut wanted: BTreeMap<&Place, &FileEntry> =
        manifest.files.iter().map(|file| (&file.path, file)).collect();
    for entry in entries {
        let entry = entry.map_err(UnpackError::Archive)?;
        let path = place(&entry)?;
        let file = wanted.remove(&path).ok_or(UnpackError::NotNamed { path })?;
        if entry.size() != file.bytes {
            return Err(UnpackError::Damaged { path: file.path.clone(), what: "its length" });
        }
        let failed = |source| UnpackError::Write { path: file.path.clone(), source };
        let mut to = open(file).map_err(failed)?;
        copy(entry, &mut to, file)?;
        close(to).map_err(failed)?;
    }
    let missing = wanted.into_keys().next().cloned();
    match missing {
        Some(path) => Err(UnpackError::Missing { path }),
        None => Ok(manifest),
    }
}

fn read_manifest(entry: Entry<'_, impl Read>) -> Result<Manifest, UnpackError> {
    let is_manifest = place(&entry)?.as_str() == MANIFEST;
    if !is_manifest || entry.size() > Manifest::MAX_BYTES {
        return Err(UnpackError::NoManifest);
    }
    let mut json = Vec::new();
    entry.take(Manifest::MAX_BYTES).read_to_end(&mut json).map_err(UnpackError::Archive)?;
    Ok(Manifest::from_json(&json)?)
}

fn place(entry: &Entry<'_, impl Read>) -> Result<Place, UnpackError> {
    let bytes = entry.path_bytes();
    let text = String::from_utf8_lossy(&bytes);
    if entry.header().entry_type() != EntryType::Regular {
        return Err(UnpackError::NotAFile { path: text.chars().take(100).collect() });
    }
    Ok(text.parse()?)
}

fn copy(mut from: impl Read, to: &mut impl Write, file: &FileEntry) -> Result<(), UnpackError> {
    let (mut hash, mut buffer, mut bytes) = (Hash::default(), vec![0; 64 * 1024], 0_u64);
    loop {
        let read = from.read(&mut buffer).map_err(UnpackError::Archive)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        bytes = bytes.saturating_add(read as u64);
        hash.update(part);
        to.write_all(part).map_err(|source| UnpackError::Write { path: file.path.clone(), source })?;
    }
    let damaged = |what| Err(UnpackError::Damaged { path: file.path.clone(), what });
    if bytes != file.bytes {
        return damaged("its length");
    }
    if hash.hex() != file.sha256 {
        return damaged("its digest");
    }
    Ok(())
}
