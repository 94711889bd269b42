//! One server to a data folder: each would give out the other's revisions a second time.

use std::fs::{File, TryLockError, create_dir_all};
use std::path::Path;

use crate::error::Error;

/// Takes the folder, making it when it is not there; it is given back when the file is dropped, or the process dies.
pub(crate) fn take(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let failed = |source| Error::Folder { path: path.clone(), source };
    create_dir_all(folder).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let held = take(dir.path()).unwrap();
        assert!(matches!(take(dir.path()), Err(Error::InUse { .. })));
        drop(held);
        assert!(take(dir.path()).is_ok());
    }
}
