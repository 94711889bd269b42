//! Files that nobody else is to read.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a file, if it is not there, readable by the owner of the folder only, whoever makes it.
///
/// # Errors
/// [`std::io::Error`] when it cannot be made.
pub fn private_file(dir: &Path, path: &Path) -> std::io::Result<()> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => {
            let (folder, file) = (fs::metadata(dir)?, fs::metadata(path)?);
            if (folder.uid(), folder.gid()) == (file.uid(), file.gid()) {
                return Ok(());
            }
            std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
