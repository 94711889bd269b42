//! The disk of the data folder.

use std::path::PathBuf;

use host::disk::Space;

use super::Finding;

const TOPIC: &str = "disk";
const MB: u64 = 1_000_000;
/// The databases' logs alone may take this much.
const LEAST_BYTES: u64 = 100 * MB;
const LOW_BYTES: u64 = 500 * MB;
const LEAST_FILES: u64 = 100;

/// What is known of the disk of the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The folder, or the one above it that is there.
    pub folder: PathBuf,
    /// What its file system has; or why that is not known.
    pub space: Result<Space, String>,
    /// The kind of its file system, for example `ext4`.
    pub file_system: Option<String>,
    /// Whether it lies on a memory card.
    pub card: bool,
    /// How much the data takes.
    pub used_bytes: u64,
    /// Why nothing can be written there, if that is so.
    pub cannot_write: Option<String>,
}

/// What is to be said of it.
#[must_use]
pub fn judge(disk: &Disk) -> Vec<Finding> {
    let folder = disk.folder.display();
    let mut findings = Vec::new();
    match &disk.space {
        Err(why) => findings.push(Finding::fail(
            TOPIC,
            format!("{folder} cannot be looked at: {why}"),
            "see that the disk is mounted (`findmnt`), and run this as root or as the gateway's user",
        )),
        Ok(space) => {
            let (free, used) = (megabytes(space.free_bytes), megabytes(disk.used_bytes));
            let says = format!("{free} MB are free where {folder} lies; its data takes {used} MB");
            let mend =
                format!("make room on that disk (`df -h {folder}`), or give `gateway.data_dir` another one");
            findings.push(if space.free_bytes < LEAST_BYTES {
                Finding::fail(TOPIC, says, mend)
            } else if space.free_bytes < LOW_BYTES {
                Finding::warn(TOPIC, says, mend)
            } else {
                Finding::ok(TOPIC, says)
            });
            if let Some(files) = space.free_files.filter(|files| *files < LEAST_FILES) {
                findings.push(Finding::fail(
                    TOPIC,
                    format!("only {files} more files can be made where {folder} lies"),
                    format!("delete files there that nobody needs (`df -i {folder}`)"),
                ));
            }
            if space.read_only {
                findings.push(Finding::fail(
                    TOPIC,
                    format!("the file system of {folder} is read-only"),
                    format!(
                        "a disk that fails is made read-only: read `dmesg`, then `mount -o remount,rw` it; or give \
                         `gateway.data_dir` another disk (`findmnt --target {folder}` names this one)"
                    ),
                ));
            }
        }
    }
    if let Some(why) = &disk.cannot_write {
        findings.push(Finding::fail(
            TOPIC,
            format!("nothing can be written to {folder}: {why}"),
            format!("give the gateway's user the folder: `chown -R USER: {folder}`"),
        ));
    }
    if let Some(kind) = &disk.file_system {
        findings.push(of_kind(kind, disk.card));
    }
    findings
}

fn of_kind(kind: &str, card: bool) -> Finding {
    let needs_a_disk = "give `gateway.data_dir` a disk of this machine with ext4, xfs, btrfs or f2fs";
    match kind {
        "tmpfs" | "ramfs" | "overlay" => Finding::warn(
            TOPIC,
            format!("the data lies on {kind}, which does not outlive the machine or the container"),
            "give `gateway.data_dir` a disk, or in a container a volume",
        ),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "fuse.sshfs" | "virtiofs" => Finding::fail(
            TOPIC,
            format!("the data lies on {kind}, whose locks SQLite cannot rely on"),
            needs_a_disk,
        ),
        "vfat" | "exfat" | "msdos" | "ntfs" | "ntfs3" | "fuseblk" => Finding::fail(
            TOPIC,
            format!("the data lies on {kind}, which a power cut can damage, and which keeps no permissions"),
            needs_a_disk,
        ),
        other if card => Finding::warn(
            TOPIC,
            format!("the data lies on a memory card ({other}), which wears out by being written"),
            "use a card made for it, keep `deadband` and `max_silence` as large as the plant allows, and keep backups",
        ),
        other => Finding::ok(TOPIC, format!("its file system is {other}")),
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes / MB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn disk(free_bytes: u64) -> Disk {
        let space = Space { total_bytes: 10_000 * MB, free_bytes, free_files: Some(1_000), read_only: false };
        Disk {
            folder: "/data".into(),
            space: Ok(space),
            file_system: Some("ext4".into()),
            card: false,
            used_bytes: 5,
            cannot_write: None,
        }
    }

    fn worst(disk: &Disk) -> Level {
        judge(disk).iter().map(|finding| finding.level).max().unwrap()
    }

    #[test]
    fn room_is_judged_by_what_the_databases_need() {
        assert_eq!(worst(&disk(9_000 * MB)), Level::Ok);
        assert_eq!(worst(&disk(400 * MB)), Level::Warn);
        assert_eq!(worst(&disk(99 * MB)), Level::Fail);
        let space = Space { free_files: Some(3), ..disk(9_000 * MB).space.unwrap() };
        assert_eq!(worst(&Disk { space: Ok(space), ..disk(0) }), Level::Fail);
    }

    #[test]
    fn file_systems_that_lose_data_are_named() {
        for (kind, level) in
            [("ext4", Level::Ok), ("tmpfs", Level::Warn), ("nfs4", Level::Fail), ("vfat", Level::Fail)]
        {
            assert_eq!(worst(&Disk { file_system: Some(kind.into()), ..disk(9_000 * MB) }), level, "{kind}");
        }
        assert_eq!(worst(&Disk { card: true, ..disk(9_000 * MB) }), Level::Warn);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_said_with_its_mend() {
        let space = Space { read_only: true, ..disk(9_000 * MB).space.unwrap() };
        let found = judge(&Disk { space: Ok(space), ..disk(0) });
        assert!(
            found.iter().any(|finding| finding.mend.as_deref().is_some_and(|mend| mend.contains("remount")))
        );
        assert_eq!(worst(&Disk { cannot_write: Some("no".into()), ..disk(9_000 * MB) }), Level::Fail);
    }
}
