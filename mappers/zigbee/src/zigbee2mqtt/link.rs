//! How a device of zigbee2mqtt is reached, and where a property lives in it.

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a device is reached: `zigbee2mqtt: {broker: "mqtt://10.0.0.5:1883", device: kitchen/lamp}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The broker that zigbee2mqtt speaks to, `mqtt://HOST:1883` or `mqtts://HOST:8883`.
    pub(super) broker: String,
    /// The friendly name of the device, or its address.
    pub(super) device: String,
    /// The base topic of zigbee2mqtt.
    #[serde(default = "default_base")]
    pub(super) base: String,
    /// The user at the broker.
    #[serde(default)]
    pub(super) username: Option<String>,
    /// The user's password: `${file:...}` or `${env:...}`.
    #[serde(default)]
    pub(super) password: Option<Secret>,
    /// How long an answer may take. Default: 10s
    #[serde(default)]
    timeout: Option<BoundedDuration<50, 60_000>>,
}

fn default_base() -> String {
    "zigbee2mqtt".to_owned()
}

impl Link {
    /// A device at this broker, with everything else as it is when nothing is written.
    #[must_use]
    pub fn new(broker: &str, device: &str) -> Self {
        Self {
            broker: broker.to_owned(),
            device: device.to_owned(),
            base: default_base(),
            username: None,
            password: None,
            timeout: None,
        }
    }

    /// The same with another time-out, 50 ms to 60 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(60_000);
        self.timeout = BoundedDuration::from_millis(ms.clamp(50, 60_000)).ok();
        self
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(10), BoundedDuration::get)
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        if !(self.broker.starts_with("mqtt://") || self.broker.starts_with("mqtts://")) {
            let message = format!("`{}` is no MQTT broker", self.broker);
            return Err(CheckFault::new("broker", message, "write mqtt://HOST:1883 or mqtts://HOST:8883"));
        }
        for (field, text) in [("device", &self.device), ("base", &self.base)] {
            if text.is_empty() || text.contains(['#', '+']) || text.starts_with('/') || text.ends_with('/') {
                let message = format!("`{text}` is not a part of a topic");
                return Err(CheckFault::new(field, message, "write it as zigbee2mqtt shows it"));
            }
        }
        Ok(())
    }
}

/// Where a property lives: `zigbee2mqtt: {property: temperature}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The name of the property in the messages of the device; what lies in an object after a dot, as in `color.x`.
    pub property: String,
}

impl Point {
    /// This property.
    #[must_use]
    pub fn new(property: &str) -> Self {
        Self { property: property.to_owned() }
    }
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        if self.property.is_empty() || self.property.split('.').any(str::is_empty) {
            let message = format!("`{}` is not the name of a property", self.property);
            return Err(CheckFault::new(
                "property",
                message,
                "write it as the device's page of zigbee2mqtt shows it",
            ));
        }
        Ok(())
    }
}
