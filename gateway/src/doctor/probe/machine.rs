//! What the machine has: its clock, its serial ports, its radio.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::doctor::account::{Account, group_name};
use crate::doctor::radio::Radio;
use crate::doctor::serial::Serial;

/// Whether the clock is set by the network; none when nobody knows.
pub(super) async fn synchronised() -> Option<bool> {
    // systemd-timesyncd leaves this when it has set the clock, in containers as well, where it is not asked.
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    // `timedatectl` asks the kernel, so it knows of chrony and ntpd too.
    let asked =
        Command::new("timedatectl").args(["show", "--property=NTPSynchronized"]).kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(3), asked).await.ok()?.ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "NTPSynchronized=yes" => Some(true),
        "NTPSynchronized=no" => Some(false),
        _ => None,
    }
}

/// A serial port, and whether `user` may use it.
pub(super) fn serial(path: &str, user: &Account) -> Serial {
    let Ok(metadata) = std::fs::metadata(path) else { return Serial::Missing };
    if !metadata.file_type().is_char_device() {
        return Serial::NotADevice;
    }
    let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
    Serial::There {
        usable: user.may_use(metadata.uid(), metadata.gid(), metadata.mode()),
        group: group_name(metadata.gid(), &group),
    }
}

/// What is there for Bluetooth.
pub(super) fn radio() -> Radio {
    let adapters = std::fs::read_dir("/sys/class/bluetooth").into_iter().flatten().flatten();
    let names = adapters.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    let socket = address.strip_prefix("unix:path=").unwrap_or("/run/dbus/system_bus_socket");
    Radio {
        bus: Path::new(socket).exists(),
        daemon: runs("bluetoothd"),
        // `hci0:11` is a connection, not an adapter.
        adapters: names.filter(|name| !name.contains(':')).collect(),
    }
}

/// Whether a process of this name runs; none when processes of others cannot be seen.
fn runs(name: &str) -> Option<bool> {
    let mut seen = 0;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(found) = std::fs::read_to_string(entry.path().join("comm")) else { continue };
        seen += 1;
        if found.trim() == name {
            return Some(true);
        }
    }
    (seen > 5).then_some(false)
}
