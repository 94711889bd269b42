//! `twinspan plan`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use config::DeviceConfig;
use modbus::{Link, Point};

use super::BAD_SETTINGS;
use super::check::print_error;
use crate::files;

/// Prints for every Modbus device the requests with which it will be read. Nothing is asked of any device.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn plan(path: &Path) -> ExitCode {
    let loaded = match files::check(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    for device in loaded.devices.values() {
        match shown(device) {
            Some(Ok(text)) => print!("{}: {text}", device.id),
            Some(Err(error)) => {
                eprintln!("error: {}: {error}", device.id);
                return ExitCode::from(BAD_SETTINGS);
            }
            None => println!("{}: not a Modbus device, there is nothing to plan", device.id),
        }
    }
    ExitCode::SUCCESS
}

fn shown(device: &DeviceConfig) -> Option<Result<String, String>> {
    let link = device.link::<Link>()?;
    let read = |property: &config::PropertyConfig| property.every;
    let points: Vec<(Duration, &Point)> = device
        .properties
        .values()
        .filter_map(|property| Some((read(property)?, property.point::<Point>()?)))
        .collect();
    Some(modbus::overview::overview(link, &points).map_err(|fault| fault.message))
}
