//! What the file system of a folder has, and how much a folder takes of it.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The most files that are counted in a folder, so that a folder given by mistake does not hold the caller up.
const MOST_FILES: usize = 100_000;

/// What a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What an ordinary user may still write, in bytes.
    pub free_bytes: u64,
    /// Files that may still be made; none where the file system does not count them.
    pub free_files: Option<u64>,
    /// Whether nothing can be written at all.
    pub read_only: bool,
}

/// The file system that holds `path`.
///
/// # Errors
/// [`io::Error`] when there is no such path, or it may not be looked at.
pub fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// How many bytes of the disk the files in a folder take; links are not followed, what cannot be read is left out.
#[must_use]
pub fn used_bytes(folder: &Path) -> u64 {
    let (mut folders, mut bytes, mut files): (Vec<PathBuf>, u64, usize) = (vec![folder.to_owned()], 0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            }
            files += 1;
            if files == MOST_FILES {
                return bytes;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_what_its_files_take_and_its_disk_has_more() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), vec![7; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        assert!((100_000..10_000_000).contains(&used_bytes(folder.path())));
        let space = space(folder.path()).unwrap();
        assert!(space.free_bytes <= space.total_bytes && !space.read_only);
        assert!(super::space(Path::new("/no/such/folder")).is_err());
    }
}
