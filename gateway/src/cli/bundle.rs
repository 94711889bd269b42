//! `twinspan support-bundle`.

use std::path::Path;
use std::process::ExitCode;

use super::remote::Remote;
use crate::bundle::{Wanted, collect};

/// Ends with 0, 1 when the bundle cannot be written.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn bundle(
    file: &Path,
    config: &Path,
    data_dir: &Path,
    log: Option<&Path>,
    remote: &Remote,
) -> ExitCode {
    super::block_on(async {
        let bundled = collect(file, Wanted { config, data_dir, log, remote }).await?;
        println!("{}: {}", file.display(), bundled.files.join(", "));
        println!("secrets, user names and keys are out; look through it before you send it");
        Ok(())
    })
}
