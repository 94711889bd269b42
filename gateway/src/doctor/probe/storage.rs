//! What the data folder has, and the disk that it is on.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::backup::survey;
use crate::doctor::account::Account;
use crate::doctor::disk::Disk;
use crate::doctor::folder::Folder;

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|folder| folder.is_dir()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// The user that the gateway runs as: whoever owns its data, or who asks.
pub(super) fn user(folder: &Path) -> Account {
    let uid =
        fs::metadata(folder).map_or_else(|_| rustix::process::getuid().as_raw(), |metadata| metadata.uid());
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Account::of(uid, &read("/etc/passwd"), &read("/etc/group"))
}

/// The disk of the data folder.
pub(super) fn disk(folder: &Path) -> Disk {
    let there = nearest(folder);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let real = there.canonicalize().unwrap_or_else(|_| there.clone());
    let mount = mount_of(&real, &mounts);
    Disk {
        space: host::disk::space(&there).map_err(|error| error.to_string()),
        card: mount.as_ref().is_some_and(|(_, source)| is_card(source)),
        file_system: mount.map(|(kind, _)| kind),
        used_bytes: if folder.is_dir() { host::disk::used_bytes(folder) } else { 0 },
        cannot_write: cannot_write(&there),
        folder: there,
    }
}

/// Kind and source of the file system that holds `path` (proc(5), `/proc/[pid]/mountinfo`).
fn mount_of(path: &Path, mounts: &str) -> Option<(String, String)> {
    let entry = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " "));
        let mut after = after.split(' ');
        Some((point, after.next()?.to_owned(), after.next()?.to_owned()))
    };
    let holding = mounts.lines().filter_map(entry).filter(|(point, ..)| path.starts_with(point));
    // Of those at one place the last one hides the others.
    let found = holding.enumerate().max_by_key(|(n, (point, ..))| (point.components().count(), *n));
    found.map(|(_, (_, kind, source))| (kind, source))
}

fn is_card(source: &str) -> bool {
    let Some(name) = source.strip_prefix("/dev/mmcblk") else { return false };
    let disk = name.split('p').next().unwrap_or_default();
    let kind = fs::read_to_string(format!("/sys/block/mmcblk{disk}/device/type")).unwrap_or_default();
    // What is soldered in is called MMC, and lasts longer.
    kind.trim() == "SD"
}

fn cannot_write(folder: &Path) -> Option<String> {
    let path = folder.join(format!(".twinspan-doctor-{}", std::process::id()));
    let mut file = match fs::File::create_new(&path) {
        Ok(file) => file,
        Err(error) => return Some(error.to_string()),
    };
    let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_all());
    let removed = fs::remove_file(&path);
    written.and(removed).err().map(|error| error.to_string())
}

/// Who owns the data, and who can read what is secret in it.
pub(super) fn folder(path: &Path) -> Folder {
    let Ok(metadata) = fs::metadata(path) else {
        return Folder { path: path.to_owned(), ..Folder::default() };
    };
    let mut found = Folder {
        path: path.to_owned(),
        mode: Some(metadata.mode()),
        owner: user(path).name,
        ..Folder::default()
    };
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(inside) = entry.metadata() else { continue };
            if inside.uid() != metadata.uid() {
                found.strangers.push(entry.path());
            }
            if inside.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    for key in survey(path).unwrap_or_default().keys {
        let key = key.within(path);
        let mode = fs::metadata(&key).map_or(0, |metadata| metadata.mode());
        if mode & 0o077 != 0 {
            found.open_keys.push((key, mode));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_holds_a_folder() {
        let mounts = "22 1 254:0 / / rw - ext4 /dev/vda1 rw\n30 22 179:1 / /var/lib/a\\040b rw shared:1 - ext4 /dev/mmcblk0p1 rw\n\
                      31 22 0:5 / /var rw - tmpfs tmpfs rw\nnonsense\n";
        let of = |path: &str| mount_of(Path::new(path), mounts).unwrap();
        assert_eq!(of("/var/lib/a b/data"), ("ext4".into(), "/dev/mmcblk0p1".into()));
        assert_eq!(of("/var/lib/other").0, "tmpfs");
        assert_eq!(of("/etc"), ("ext4".into(), "/dev/vda1".into()));
        assert_eq!(mount_of(Path::new("/etc"), ""), None);
        assert!(!is_card("/dev/vda1") && !is_card("tmpfs"));
    }

    #[test]
    fn a_folder_that_can_be_written_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(cannot_write(folder.path()), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(cannot_write(&folder.path().join("missing")).is_some());
    }
}
