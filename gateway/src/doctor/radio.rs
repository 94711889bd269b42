//! What Bluetooth LE devices need: D-Bus, BlueZ and an adapter.

use super::Finding;

const TOPIC: &str = "bluetooth";

/// What is there for Bluetooth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Radio {
    /// Whether the socket of D-Bus is there.
    pub bus: bool,
    /// Whether `bluetoothd` runs; none when that cannot be told.
    pub daemon: Option<bool>,
    /// The adapters that the kernel knows.
    pub adapters: Vec<String>,
}

/// What is to be said of it.
#[must_use]
pub fn judge(radio: &Radio) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !radio.bus {
        findings.push(Finding::fail(
            TOPIC,
            "there is no D-Bus, through which BlueZ is spoken to",
            "`apt-get install dbus bluez`; in a container share /run/dbus/system_bus_socket",
        ));
    }
    if radio.daemon == Some(false) {
        findings.push(Finding::fail(
            TOPIC,
            "bluetoothd does not run",
            "`apt-get install bluez`, then `systemctl enable --now bluetooth`",
        ));
    }
    findings.push(if radio.adapters.is_empty() {
        Finding::fail(
            TOPIC,
            "the kernel knows no Bluetooth adapter",
            "plug one in; `rfkill unblock bluetooth` if it is switched off",
        )
    } else {
        Finding::ok(TOPIC, format!("there are adapters: {}", radio.adapters.join(", ")))
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn what_is_missing_for_bluetooth_is_named() {
        let all = Radio { bus: true, daemon: Some(true), adapters: vec!["hci0".into()] };
        assert!(judge(&all).iter().all(|finding| finding.level == Level::Ok));
        assert_eq!(judge(&Radio { daemon: Some(false), ..Radio::default() }).len(), 3);
    }
}
