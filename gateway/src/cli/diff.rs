//! `twinspan diff`.

use std::path::Path;
use std::process::ExitCode;

use config::Diff;

use super::check::print_error;
use crate::files;

/// Prints what differs; ends with 0 when nothing does, 1 when something does, 64 when a configuration is wrong.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn diff(old: &Path, new: &Path) -> ExitCode {
    let (old, new) = match (files::load(old), files::load(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(error), _) | (_, Err(error)) => return print_error(&error),
    };
    let diff = Diff::between(&old.config, &new.config);
    println!("{diff}");
    if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
