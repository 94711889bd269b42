//! `twinspan check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use config::{Config, Loaded};

use super::BAD_SETTINGS;
use crate::files::{self, ReadError};

/// Prints all faults and ends with 64, or a line that sums the configuration up.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn check(path: &Path, secrets: bool) -> ExitCode {
    let loaded = if secrets { files::load(path) } else { files::check(path) };
    match loaded {
        Ok(loaded) => {
            print_warnings(&loaded);
            println!("{} is right: {}", path.display(), summary(&loaded.config));
            ExitCode::SUCCESS
        }
        Err(error) => print_error(&error),
    }
}

/// Prints to standard error; faults in colour on a terminal.
pub(super) fn print_error(error: &ReadError) -> ExitCode {
    match error {
        ReadError::Faults(faults) => eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        ReadError::Unreadable { .. }
        | ReadError::Empty { .. }
        | ReadError::NotText { .. }
        | ReadError::TooLong { .. } => eprintln!("error: {error}"),
    }
    ExitCode::from(BAD_SETTINGS)
}

pub(super) fn print_warnings(loaded: &Loaded) {
    for warning in &loaded.warnings {
        eprintln!("{}", warning.render("warning", std::io::stderr().is_terminal()));
    }
}

/// `3 devices (2 modbus, 1 over MQTT), 24 properties, 1 writable`.
fn summary(config: &Config) -> String {
    let mut protocols: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut properties, mut writable) = (0, 0);
    for device in config.devices.values() {
        *protocols.entry(device.protocol.as_deref().unwrap_or("over MQTT")).or_default() += 1;
        properties += device.properties.len();
        writable += device.properties.values().filter(|p| p.definition.access.writable()).count();
    }
    let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut text = plural(config.devices.len(), "device", "devices");
    if !protocols.is_empty() {
        let each: Vec<String> = protocols.iter().map(|(name, n)| format!("{n} {name}")).collect();
        let _ = write!(text, " ({})", each.join(", "));
    }
    let _ = write!(text, ", {}, {writable} writable", plural(properties, "property", "properties"));
    text
}
