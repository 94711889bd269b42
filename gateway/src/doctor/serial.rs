//! Serial ports that devices of the configuration are on.

use super::Finding;

const TOPIC: &str = "serial ports";

/// How a serial port stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serial {
    /// There is no such thing.
    Missing,
    /// It is not a device.
    NotADevice,
    /// It is there; whether the gateway's user may use it, and whose it is.
    There {
        /// Whether the gateway's user may read and write it.
        usable: bool,
        /// The name of its group.
        group: String,
    },
}

/// What is to be said of one; `user` is the gateway's.
#[must_use]
pub fn judge(path: &str, serial: &Serial, user: &str) -> Finding {
    match serial {
        Serial::Missing => Finding::fail(
            TOPIC,
            format!("there is no {path}"),
            "plug the adapter in (`ls -l /dev/serial/by-id` shows those that are there), and name it in the device's configuration",
        ),
        Serial::NotADevice => Finding::fail(
            TOPIC,
            format!("{path} is not a serial port"),
            "name the port in the device's configuration; `ls -l /dev/serial/by-id` shows those that are there",
        ),
        Serial::There { usable: true, .. } => {
            Finding::ok(TOPIC, format!("{path} is there, and {user} may use it"))
        }
        Serial::There { usable: false, group } => Finding::fail(
            TOPIC,
            format!("{user} may not use {path}"),
            format!("`usermod -aG {group} {user}`, then start the gateway again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_port_that_may_not_be_used_is_mended_by_its_group() {
        let there = |usable| Serial::There { usable, group: "dialout".into() };
        assert_eq!(judge("/dev/ttyS0", &there(true), "twinspan").level, Level::Ok);
        let found = judge("/dev/ttyS0", &there(false), "twinspan");
        assert!(found.mend.unwrap().contains("usermod -aG dialout twinspan"));
        assert_eq!(judge("/dev/ttyS0", &Serial::Missing, "twinspan").level, Level::Fail);
    }
}
