//! The recording.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// The calls that change a disk, and those that say which file is meant.
const CALLS: &str = "openat,open,creat,close,pwrite64,pwritev,write,writev,fsync,fdatasync,ftruncate,fallocate,unlink,\
     unlinkat,rename,renameat,renameat2";

/// The program that records; none when it is not installed.
#[must_use]
pub fn strace() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("strace")).find(|program| program.exists())
}

/// Runs the writer and gives the file with what it did.
///
/// # Errors
/// When it cannot be recorded.
pub fn record(writer: &Path, data: &Path, trace: &Path, seed: u64) -> anyhow::Result<PathBuf> {
    let strace = strace().context("strace is missing: scripts/test installs it")?;
    let output = Command::new(strace)
        .args(["-f", "-xx", "-s", "100000", "-e", &format!("trace={CALLS}"), "-e", "signal=none", "-o"])
        .arg(trace)
        .arg(writer)
        .args(["write", "--seed", &seed.to_string(), "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "the writer failed (seed {seed}): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(trace.to_owned())
}
