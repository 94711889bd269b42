//! `twinspan backup` and `twinspan restore`.

use std::path::Path;
use std::process::ExitCode;

use super::configure::date;
use crate::backup::{Restored, make, restore};

/// Ends with 0, 1 when there is no backup.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn backup(file: &Path, data_dir: &Path, with_keys: bool) -> ExitCode {
    super::block_on(async {
        let made = make(data_dir, file, with_keys).await?;
        let (files, left_out) = (made.manifest.files.len(), made.manifest.left_out.len());
        println!(
            "{}: {files} files of {}, {} kB",
            file.display(),
            data_dir.display(),
            made.bytes.div_ceil(1000)
        );
        if with_keys {
            println!("keys are in it: keep it as safe as they are");
        } else if left_out > 0 {
            println!("without the {left_out} files that hold keys; --with-keys takes them too");
        }
        for left in &made.left {
            eprintln!("left out: {}: {}", left.path.display(), left.why);
        }
        Ok(())
    })
}

/// Ends with 0, 1 when nothing was brought back.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn restore_backup(file: &Path, data_dir: &Path, force: bool) -> ExitCode {
    super::block_on(async {
        let Restored { manifest, before, kept_keys } = restore(file, data_dir, force).await?;
        println!(
            "{} holds the {} files of the backup of {} UTC ({})",
            data_dir.display(),
            manifest.files.len(),
            date(manifest.created_at),
            manifest.program
        );
        if let Some(before) = before {
            println!("what was there is in {}; delete it when it is not needed any more", before.display());
        }
        for key in &kept_keys {
            println!("{key} was not in the backup and stays as it was");
        }
        for key in manifest.left_out.iter().filter(|key| !kept_keys.contains(key)) {
            println!("{key} was not in the backup; see docs/operations.md for how to get a new one");
        }
        Ok(())
    })
}
