//! Backups of a data folder, made while the gateway runs, and brought back while it does not.

mod make;
mod restore;
mod survey;
mod swap;

pub use make::{BackupError, Made, make};
pub use restore::{RestoreError, Restored, restore};
pub use survey::{Left, Survey, survey};
pub use swap::SwapError;
