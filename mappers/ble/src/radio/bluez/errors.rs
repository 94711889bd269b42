//! What the errors of BlueZ mean (BlueZ: doc/org.bluez.GattCharacteristic; Core Specification, Vol 3, Part F, 3.4.1.1).

use mapper_sdk::Fault;

/// The mend for a device that wants to know who speaks.
const WANTS_A_BOND: &str =
    "the device wants a bond: write `bond: true` in its `ble`, and put it into pairing mode once";

/// What an error of a call means.
pub(super) fn fault(error: &zbus::Error) -> Fault {
    if let zbus::Error::MethodError(name, text, _) = error {
        return named(name.as_str(), text.as_deref().unwrap_or_default());
    }
    if let zbus::Error::FDO(error) = error {
        return of_the_bus(error);
    }
    Fault::Link(format!("D-Bus: {error}"))
}

/// An error that BlueZ names.
fn named(name: &str, text: &str) -> Fault {
    let short = name.strip_prefix("org.bluez.Error.").unwrap_or(name);
    let said = if text.is_empty() || text == short { short.to_owned() } else { format!("{text} ({short})") };
    match short {
        "NotConnected" | "ConnectionAttemptFailed" | "DoesNotExist" => Fault::Link(said),
        "AuthenticationCanceled"
        | "AuthenticationFailed"
        | "AuthenticationRejected"
        | "AuthenticationTimeout" => {
            Fault::Denied(format!("no bond could be made, {said}: put the device into pairing mode"))
        }
        "NotReady" => Fault::Denied(format!(
            "the Bluetooth adapter is off, {said}: rfkill unblock bluetooth; bluetoothctl power on"
        )),
        "NotAuthorized" => Fault::Refused(format!("{said}: {WANTS_A_BOND}")),
        "NotPermitted" | "NotSupported" | "InvalidOffset" | "InvalidValueLength" | "InvalidArguments"
        | "InvalidLength" | "NotAllowed" => Fault::Refused(said),
        "Failed" => failed(text),
        _ => Fault::Busy(said),
    }
}

/// `Failed` stands for everything else, and says in its text what.
fn failed(text: &str) -> Fault {
    let code = text.rsplit_once("0x").and_then(|(_, hex)| {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        u8::from_str_radix(&hex[..end], 16).ok()
    });
    match code.filter(|_| text.contains("ATT error")) {
        Some(0x05 | 0x08 | 0x0C | 0x0F) => Fault::Refused(format!("{text}: {WANTS_A_BOND}")),
        Some(0x09 | 0x0E | 0x11 | 0xFE) => Fault::Busy(text.to_owned()),
        Some(_) => Fault::Refused(text.to_owned()),
        None if text.to_ascii_lowercase().contains("connect") => Fault::Link(text.to_owned()),
        None => Fault::Busy(text.to_owned()),
    }
}

/// An error that the bus itself names.
fn of_the_bus(error: &zbus::fdo::Error) -> Fault {
    use zbus::fdo::Error as E;
    let text = error.to_string();
    if matches!(error, E::ServiceUnknown(_) | E::NameHasNoOwner(_) | E::SpawnServiceNotFound(_)) {
        return Fault::Denied(
            "BlueZ is not running: systemctl start bluetooth (apt-get install bluez)".into(),
        );
    }
    if matches!(error, E::AccessDenied(_) | E::AuthFailed(_)) {
        return Fault::Denied(format!(
            "BlueZ may not be used ({text}): add the gateway's user to the group bluetooth, or run it as root"
        ));
    }
    if matches!(error, E::InvalidArgs(_)) {
        return Fault::Refused(text);
    }
    // The object is gone with its connection or its adapter, or BlueZ is.
    Fault::Link(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper_sdk::Verdict;

    #[test]
    fn errors_of_the_link_break_it_and_those_of_a_characteristic_do_not() {
        let verdict = |name: &str, text: &str| named(name, text).verdict();
        assert_eq!(verdict("org.bluez.Error.NotConnected", ""), Verdict::Reconnect);
        assert_eq!(verdict("org.bluez.Error.Failed", "Not connected"), Verdict::Reconnect);
        assert_eq!(verdict("org.bluez.Error.InProgress", "In Progress"), Verdict::RetryLater);
        assert_eq!(verdict("org.bluez.Error.NotPermitted", "Read not permitted"), Verdict::GiveUpOnPoint);
        assert_eq!(
            verdict("org.bluez.Error.Failed", "Operation failed with ATT error: 0x0e"),
            Verdict::RetryLater
        );
        assert_eq!(
            verdict("org.bluez.Error.Failed", "Operation failed with ATT error: 0x80 (application)"),
            Verdict::GiveUpOnPoint
        );
        assert_eq!(verdict("com.example.Whatever", "boom"), Verdict::RetryLater);
    }

    #[test]
    fn a_device_that_wants_a_bond_is_named_with_the_mend() {
        let said = failed("Operation failed with ATT error: 0x05").to_string();
        assert!(said.contains("bond: true"), "{said}");
    }
}
