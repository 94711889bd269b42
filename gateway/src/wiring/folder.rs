//! One gateway to a data folder: two authors on one database would each undo what the other has told the cloud.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::StartError;

/// Takes the folder, making it when it is not there; it is given back when the file is dropped, or the process dies.
pub(crate) fn take(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let failed = |source| StartError::Folder { path: path.clone(), source };
    // Configurations with their secrets are kept in it.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let file = File::create(&path).or_else(|error| without_writing(folder, &path, error)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// On a disk that is full or read-only, the file that is there, or else the folder itself, is as good a lock.
fn without_writing(folder: &Path, path: &Path, error: Error) -> Result<File, Error> {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem];
    if !kinds.contains(&error.kind()) {
        return Err(error);
    }
    File::open(path).or_else(|_| File::open(folder))
}
