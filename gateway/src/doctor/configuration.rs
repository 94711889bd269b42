//! The configuration.

use super::Finding;

const TOPIC: &str = "configuration";

/// What checking it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It is right; how many devices it has, and how many warnings there are.
    Right {
        /// Devices.
        devices: usize,
        /// Warnings.
        warnings: usize,
    },
    /// It cannot be used: the first lines that say why.
    Wrong(String),
}

/// What is to be said of it.
#[must_use]
pub fn judge(path: &str, checked: &Checked) -> Finding {
    match checked {
        Checked::Right { devices, warnings: 0 } => {
            Finding::ok(TOPIC, format!("{path} is right: {devices} devices"))
        }
        Checked::Right { devices, warnings } => Finding::warn(
            TOPIC,
            format!("{path} is right, {devices} devices, with {warnings} warnings"),
            format!("`twinspan check {path}` prints them"),
        ),
        Checked::Wrong(why) => Finding::fail(
            TOPIC,
            format!("{path} cannot be used: {why}"),
            format!("`twinspan check {path}` prints all faults with their mends"),
        ),
    }
}
