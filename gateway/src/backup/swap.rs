//! Putting one folder in the place of another, in one step.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::clock;

/// Why the folders were not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// A disk is mounted there.
    #[error(
        "{folder} is where a disk is mounted, and cannot be exchanged as a whole; let `gateway.data_dir` be a folder \
         on that disk, and restore there"
    )]
    MountPoint {
        /// The folder.
        folder: PathBuf,
    },
    /// Another reason.
    #[error("{folder} cannot be exchanged: {source}")]
    Other {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// `FOLDER.WORD`, beside the folder.
pub(super) fn beside(folder: &Path, word: &str) -> PathBuf {
    // What ends in `/` or `..` has no name of its own.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{word}"));
    folder.with_file_name(name)
}

/// Puts `new` in the place of `folder`; gives where what was there is now. An empty folder, or one with nothing but its
/// lock in it, is gone.
pub(super) fn swap(new: &Path, folder: &Path, is_there: bool) -> Result<Option<PathBuf>, SwapError> {
    let failed = |error: io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::BUSY | rustix::io::Errno::XDEV) => {
            SwapError::MountPoint { folder: folder.to_owned() }
        }
        Some(_) | None => SwapError::Other { folder: folder.to_owned(), source: error },
    };
    sync_tree(new).map_err(failed)?;
    if !is_there {
        fs::rename(new, folder).map_err(failed)?;
        sync_above(folder);
        return Ok(None);
    }
    let folder = folder.canonicalize().map_err(failed)?;
    exchange(new, &folder).map_err(failed)?;
    // From here on what was restored is in its place; what follows only tidies.
    let old = new;
    let lock = old.join("lock");
    let nothing_else =
        fs::read_dir(old).is_ok_and(|entries| entries.flatten().all(|entry| entry.path() == lock));
    if nothing_else {
        let _ = fs::remove_dir_all(old);
        sync_above(&folder);
        return Ok(None);
    }
    let aside = beside(&folder, &format!("before-restore-{}", clock::now().as_millis()));
    let aside = if fs::rename(old, &aside).is_ok() { aside } else { old.to_owned() };
    sync_above(&folder);
    Ok(Some(aside))
}

/// Both names at once where the file system can, which leaves no moment without a data folder.
fn exchange(new: &Path, folder: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            let aside = beside(folder, "leaving");
            fs::rename(folder, &aside)?;
            if let Err(error) = fs::rename(new, folder) {
                let _ = fs::rename(&aside, folder);
                return Err(error);
            }
            fs::rename(&aside, new)
        }
        Err(error) => Err(error.into()),
    }
}

/// The names in the folders are on the disk as well, not only the files.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

fn sync_above(folder: &Path) {
    if let Some(parent) = folder.parent() {
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
}
