//! Small disks that can be filled, made read-only and taken away. Only root may make them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::peers::SKIP_PEERS;

/// A file system of its own on a folder; it goes with its owner.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
    fillers: usize,
}

impl Disk {
    /// A file system of so many KiB in memory; none when it is to be skipped.
    ///
    /// # Panics
    /// When it cannot be mounted, and may not be skipped.
    #[must_use]
    pub fn small(at: &Path, kib: usize) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder to mount on");
        let size = format!("size={kib}k,mode=0700");
        if run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &at.display().to_string()]) {
            return Some(Self { at: at.to_owned(), fillers: 0 });
        }
        let skip = std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1");
        assert!(
            skip,
            "a file system cannot be mounted: run this as root, or set {SKIP_PEERS}=1 to skip this test"
        );
        eprintln!("skipped: only root can mount a file system");
        None
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When it cannot.
    pub fn fill(&mut self) {
        self.fillers += 1;
        let mut file =
            std::fs::File::create(self.filler(self.fillers)).expect("a file to fill the disk with");
        let block = [b'x'; 4096];
        while file.write_all(&block).is_ok() {}
    }

    /// Gives it back.
    ///
    /// # Panics
    /// When it cannot.
    pub fn make_room(&mut self) {
        for filler in 1..=self.fillers {
            std::fs::remove_file(self.filler(filler)).expect("a file of our own can be deleted");
        }
        self.fillers = 0;
    }

    /// Makes it read-only, or writable again. It must not be in use for writing.
    ///
    /// # Panics
    /// When it cannot.
    pub fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        assert!(run("mount", &["-o", &options, &self.at.display().to_string()]), "{options} failed");
    }

    fn filler(&self, number: usize) -> PathBuf {
        self.at.join(format!("filler-{number}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it keeps it until its own end.
        run("umount", &["-l", &self.at.display().to_string()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            eprintln!("{program}: {error}");
            false
        }
    }
}
