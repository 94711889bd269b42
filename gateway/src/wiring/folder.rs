//! One gateway to a data folder: two authors on one database would each undo what the other has told the cloud.

use std::fs::{File, TryLockError, create_dir_all};
use std::path::Path;

use super::StartError;

/// Takes the folder, making it when it is not there; it is given back when the file is dropped, or the process dies.
pub(super) fn take(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let failed = |source| StartError::Folder { path: path.clone(), source };
    create_dir_all(folder).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
