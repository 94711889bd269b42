//! How a device is reached.

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Ieee;
use crate::host::PortPlace;

/// The channel of a network that is formed when nothing is written.
const CHANNEL: u8 = 15;

/// How a ZigBee device is reached: `zigbee: {coordinator: "tcp://10.0.0.7:6638", ieee: "0x00124b0001020304"}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The coordinator: `tcp://HOST:PORT`, or a serial device such as `/dev/ttyUSB0`. Devices with the same one share it.
    coordinator: String,
    /// The address of the device, 16 hexadecimal digits.
    ieee: String,
    /// The endpoint that points mean when they name none, 1 to 240.
    #[serde(default = "default_endpoint")]
    endpoint: u8,
    /// How long an answer may take. Default: 10s
    #[serde(default)]
    timeout: Option<BoundedDuration<50, 60_000>>,
    /// Whether the device sleeps. Default: as it says itself
    #[serde(default)]
    sleepy: Option<bool>,
    /// How long a write waits for a device that sleeps to ask for its messages. Default: 30s
    #[serde(default)]
    patience: Option<BoundedDuration<100, 100_000>>,
    /// How long a device that sleeps may be silent before it is taken as gone. Default: 2h
    #[serde(default)]
    silence: Option<BoundedDuration<1_000, 604_800_000>>,
    /// The channel when the network is formed, 11 to 26; the same for all devices of a coordinator. Default: 15
    #[serde(default)]
    channel: Option<u8>,
    /// The PAN id when the network is formed, 1 to 65533; the same for all devices of a coordinator. Default: a random one
    #[serde(default)]
    pan_id: Option<u16>,
}

fn default_endpoint() -> u8 {
    1
}

impl Link {
    /// A device at this coordinator, with everything else as it is when nothing is written.
    #[must_use]
    pub fn new(coordinator: &str, ieee: Ieee) -> Self {
        Self {
            coordinator: coordinator.to_owned(),
            ieee: ieee.to_string(),
            endpoint: default_endpoint(),
            timeout: None,
            sleepy: None,
            patience: None,
            silence: None,
            channel: None,
            pan_id: None,
        }
    }

    /// The same with another time-out, 50 ms to 60 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = bounded(timeout);
        self
    }

    /// The same with another patience, 100 ms to 100 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = bounded(patience);
        self
    }

    /// The same with another silence, 1 s to a week.
    #[must_use]
    pub fn with_silence(mut self, silence: Duration) -> Self {
        self.silence = bounded(silence);
        self
    }

    /// Where the coordinator is.
    ///
    /// # Errors
    /// When it names none.
    pub fn place(&self) -> Result<PortPlace, CheckFault> {
        let hint = "for example tcp://10.0.0.7:6638 or /dev/ttyUSB0";
        self.coordinator
            .parse()
            .map_err(|fault: crate::host::PlaceFault| CheckFault::new("coordinator", fault.to_string(), hint))
    }

    /// The address of the device.
    ///
    /// # Errors
    /// When it is not one.
    pub fn ieee(&self) -> Result<Ieee, CheckFault> {
        let hint = "it is printed on the device, and `twinspan zigbee devices` lists those that have joined";
        self.ieee.parse().map_err(|fault: crate::NotAnIeee| CheckFault::new("ieee", fault.to_string(), hint))
    }

    /// The coordinator as it is written.
    #[must_use]
    pub fn coordinator(&self) -> &str {
        &self.coordinator
    }

    /// The endpoint of points that name none.
    #[must_use]
    pub fn endpoint(&self) -> u8 {
        self.endpoint
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(10), BoundedDuration::get)
    }

    /// Whether the device sleeps, where that is written.
    #[must_use]
    pub fn sleepy(&self) -> Option<bool> {
        self.sleepy
    }

    /// How long a write waits for a device that sleeps.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience.map_or(Duration::from_secs(30), BoundedDuration::get)
    }

    /// How long a device that sleeps may be silent.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.silence.map_or(Duration::from_secs(7_200), BoundedDuration::get)
    }

    /// The channel of a network that is formed.
    #[must_use]
    pub fn channel(&self) -> u8 {
        self.channel.unwrap_or(CHANNEL)
    }

    /// The PAN id of a network that is formed.
    #[must_use]
    pub fn pan_id(&self) -> Option<u16> {
        self.pan_id
    }
}

fn bounded<const MIN: u64, const MAX: u64>(time: Duration) -> Option<BoundedDuration<MIN, MAX>> {
    let ms = u64::try_from(time.as_millis()).unwrap_or(MAX);
    BoundedDuration::from_millis(ms.clamp(MIN, MAX)).ok()
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        self.place()?;
        self.ieee()?;
        if !(1..=240).contains(&self.endpoint) {
            let message = format!("{} is not an endpoint", self.endpoint);
            return Err(CheckFault::new("endpoint", message, "write a number from 1 to 240"));
        }
        if !(11..=26).contains(&self.channel()) {
            let message = format!("there is no channel {}", self.channel());
            return Err(CheckFault::new("channel", message, "write a number from 11 to 26"));
        }
        if self.pan_id.is_some_and(|pan_id| !(1..=0xFFFD).contains(&pan_id)) {
            let message = "a PAN id is a number from 1 to 65533";
            return Err(CheckFault::new("pan_id", message, "leave it out for a random one"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_refused_with_the_key_that_is_wrong() {
        let link = || Link::new("tcp://127.0.0.1:6638", Ieee(0x0012_4B00_0102_0304));
        assert_eq!(link().check(), Ok(()));
        let field = |link: Link| link.check().unwrap_err().field;
        assert_eq!(field(Link { coordinator: "127.0.0.1".into(), ..link() }), "coordinator");
        assert_eq!(field(Link { ieee: "0x12".into(), ..link() }), "ieee");
        assert_eq!(field(Link { endpoint: 0, ..link() }), "endpoint");
        assert_eq!(field(Link { channel: Some(27), ..link() }), "channel");
        assert_eq!(field(Link { pan_id: Some(0xFFFF), ..link() }), "pan_id");
    }
}
