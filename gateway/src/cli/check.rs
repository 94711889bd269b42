//! `twinspan check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use config::{Checked, DeviceConfig, Fault, Loaded};
use twin_core::DeviceId;

use super::BAD_SETTINGS;
use crate::files::{self, ReadError};

/// Prints all faults and ends with 64, or a line that sums the configuration up.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn check(path: &Path, secrets: bool) -> ExitCode {
    let checked = if secrets {
        files::load(path).map(|Loaded { config, warnings }| Checked {
            devices: config.devices,
            unread: 0,
            warnings,
        })
    } else {
        files::check(path)
    };
    match checked {
        Ok(Checked { devices, unread, warnings }) => {
            print_warnings(&warnings);
            let unread = match unread {
                0 => String::new(),
                1 => "; 1 secret is not read, --secrets reads it too".to_owned(),
                n => format!("; {n} secrets are not read, --secrets reads them too"),
            };
            println!("{} is right: {}{unread}", path.display(), summary(&devices));
            ExitCode::SUCCESS
        }
        Err(error) => print_error(&error),
    }
}

/// Prints to standard error; faults in colour on a terminal.
pub(super) fn print_error(error: &ReadError) -> ExitCode {
    match error {
        ReadError::Faults(faults) => eprintln!("{}", faults.render(std::io::stderr().is_terminal())),
        ReadError::Unreadable { .. } | ReadError::Empty { .. } | ReadError::TooLong { .. } => {
            eprintln!("error: {error}")
        }
    }
    ExitCode::from(BAD_SETTINGS)
}

pub(super) fn print_warnings(warnings: &[Fault]) {
    for warning in warnings {
        eprintln!("{}", warning.render("warning", std::io::stderr().is_terminal()));
    }
}

/// `3 devices (2 modbus, 1 over MQTT), 24 properties, 1 writable`.
fn summary(devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>) -> String {
    let mut protocols: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut properties, mut writable) = (0, 0);
    for device in devices.values() {
        *protocols.entry(device.protocol.as_deref().unwrap_or("over MQTT")).or_default() += 1;
        properties += device.properties.len();
        writable += device.properties.values().filter(|p| p.definition.access.writable()).count();
    }
    let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut text = plural(devices.len(), "device", "devices");
    if !protocols.is_empty() {
        let each: Vec<String> = protocols.iter().map(|(name, n)| format!("{n} {name}")).collect();
        let _ = write!(text, " ({})", each.join(", "));
    }
    let _ = write!(text, ", {}, {writable} writable", plural(properties, "property", "properties"));
    text
}
