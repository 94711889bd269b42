//! Bringing a backup back.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ::backup::{Manifest, Place, UnpackError, unpack};
use twin_store::{StoreError, copy};

use super::swap::{self, SwapError};
use crate::wiring::{self, StartError};

/// A backup that was brought back.
#[derive(Debug)]
pub struct Restored {
    /// What was in it.
    pub manifest: Manifest,
    /// Where the data is that was there before.
    pub before: Option<PathBuf>,
    /// Keys that were not in the backup and were taken over from the data that was there before.
    pub kept_keys: Vec<Place>,
}

/// Why a backup was not brought back. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup is not one, or damaged.
    #[error("{file}: {source}")]
    Backup {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: UnpackError,
    },
    /// A gateway runs on the folder, or it cannot be taken.
    #[error(transparent)]
    Folder(#[from] StartError),
    /// The folder holds data.
    #[error("{folder} holds data already; --force puts it aside and brings the backup in its place")]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A database of the backup is damaged.
    #[error("the database {path} of the backup is damaged: {what}")]
    Damaged {
        /// Which.
        path: Place,
        /// What SQLite says.
        what: String,
    },
    /// A database of the backup cannot be read.
    #[error("the database {path} of the backup cannot be read: {source}")]
    Database {
        /// Which.
        path: Place,
        /// Why.
        source: StoreError,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}; run this as root or as the gateway's user")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folders cannot be exchanged.
    #[error(transparent)]
    Swap(#[from] SwapError),
}

fn at(path: &Path) -> impl Fn(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::File { path: path.clone(), source }
}

/// Brings the backup `file` back as the data folder `folder`, whole or not at all. With `force` what is there is put
/// aside, not deleted.
///
/// # Errors
/// [`RestoreError`] says what to do; the folder is as it was.
pub async fn restore(file: &Path, folder: &Path, force: bool) -> Result<Restored, RestoreError> {
    let is_there = folder.exists();
    // Nobody may begin to work in the folder while it is exchanged.
    let _lock = is_there.then(|| wiring::lock_folder(folder)).transpose()?;
    let is_empty = !is_there || is_empty(folder).map_err(at(folder))?;
    if !is_empty && !force {
        return Err(RestoreError::NotEmpty { folder: folder.to_owned() });
    }
    let staging = swap::beside(folder, "restoring");
    let _ = fs::remove_dir_all(&staging);
    DirBuilder::new().recursive(true).mode(0o700).create(&staging).map_err(at(&staging))?;
    let done = fill_and_swap(file, folder, &staging, is_there).await;
    if done.is_err() {
        let _ = fs::remove_dir_all(&staging);
    }
    done
}

async fn fill_and_swap(
    file: &Path,
    folder: &Path,
    staging: &Path,
    is_there: bool,
) -> Result<Restored, RestoreError> {
    let manifest = extract(file, staging)?;
    for entry in manifest.files.iter().filter(|entry| entry.database.is_some()) {
        let path = entry.path.within(staging);
        let failed = |source| RestoreError::Database { path: entry.path.clone(), source };
        if let Some(what) = copy::damage(&path).await.map_err(failed)? {
            return Err(RestoreError::Damaged { path: entry.path.clone(), what });
        }
    }
    let mut kept_keys = Vec::new();
    for place in &manifest.left_out {
        if take_over(place, folder, staging).map_err(at(&place.within(folder)))? {
            kept_keys.push(place.clone());
        }
    }
    if is_there {
        let owner = fs::metadata(folder).map_err(at(folder))?;
        give_to(staging, owner.uid(), owner.gid()).map_err(at(staging))?;
    }
    let before = swap::swap(staging, folder, is_there)?;
    Ok(Restored { manifest, before, kept_keys })
}

fn extract(file: &Path, staging: &Path) -> Result<Manifest, RestoreError> {
    let from = BufReader::new(File::open(file).map_err(at(file))?);
    let free = host::disk::space(staging).map_or(u64::MAX, |space| space.free_bytes);
    let accept = |manifest: &Manifest| {
        if manifest.total_bytes() > free {
            return Err(format!("it needs {} bytes, and the disk has {free} left", manifest.total_bytes()));
        }
        for entry in &manifest.files {
            let newest =
                copy::SCHEMAS.iter().find(|(name, _)| *name == entry.path.as_str()).map(|(_, known)| *known);
            if let (Some(found), Some(newest)) = (entry.database, newest)
                && found.schema > newest
            {
                return Err(format!(
                    "{} has schema version {}, this program knows up to {newest}; restore it with {} or a newer program",
                    entry.path, found.schema, manifest.program
                ));
            }
        }
        Ok(())
    };
    let open = |entry: &::backup::FileEntry| {
        let path = entry.path.within(staging);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map(BufWriter::new)
    };
    let close = |mut file: BufWriter<File>| {
        file.flush()?;
        file.get_ref().sync_all()
    };
    unpack(from, accept, open, close).map_err(|source| RestoreError::Backup { file: file.to_owned(), source })
}

/// Takes a key over from the data that is there; false when there is none.
fn take_over(place: &Place, folder: &Path, staging: &Path) -> io::Result<bool> {
    let (from, to) = (place.within(folder), place.within(staging));
    let is_file = fs::symlink_metadata(&from).is_ok_and(|metadata| metadata.is_file());
    if !is_file || to.exists() {
        return Ok(false);
    }
    if let Some(parent) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    // With its mode.
    fs::copy(&from, &to)?;
    File::open(&to)?.sync_all()?;
    Ok(true)
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != "lock" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives everything to the owner of the folder that it replaces: the gateway runs as a user of its own.
fn give_to(folder: &Path, user: u32, group: u32) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                std::os::unix::fs::lchown(entry.path(), Some(user), Some(group))?;
            }
        }
        std::os::unix::fs::lchown(&folder, Some(user), Some(group))?;
    }
    Ok(())
}
