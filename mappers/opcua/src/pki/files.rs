//! Files that are whole or not there, and that nobody else reads.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder that only its owner may enter.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only its owner may read, by way of another name.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut other = path.as_os_str().to_owned();
    other.push(".new");
    let other = Path::new(&other);
    match fs::remove_file(other) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(other)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(other, path)
}

/// Reads a file of at most `most` bytes; none when it is not there.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > most => {
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {most} bytes")))
        }
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
