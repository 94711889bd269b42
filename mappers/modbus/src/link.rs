//! How a device is reached.

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::Limits;

/// How a Modbus device is reached: `modbus: {tcp: "10.0.0.7:502", unit: 3}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Host and port of a Modbus TCP device or gateway. Devices with the same host and port share one connection.
    #[serde(default)]
    tcp: Option<String>,
    /// A serial line with Modbus RTU, for example `/dev/ttyS1`.
    #[serde(default)]
    rtu: Option<String>,
    /// Host and port of a serial server that carries Modbus RTU frames.
    #[serde(default)]
    rtu_over_tcp: Option<String>,
    /// The unit id, 0 to 255.
    #[serde(default = "default_unit")]
    unit: u8,
    /// How long an answer may take.
    #[serde(default)]
    timeout: Option<BoundedDuration<10, 60_000>>,
    /// The most registers asked for at once, 1 to 125; of coils and discrete inputs it is 16 times as many.
    #[serde(default = "default_max_block")]
    max_block: u16,
    /// The most unused registers read along between two points; of coils and discrete inputs it is 16 times as many.
    #[serde(default = "default_max_gap")]
    max_gap: u16,
    /// How long the line stays quiet between an answer and the next request.
    #[serde(default)]
    pause: Option<BoundedDuration<0, 10_000>>,
}

fn default_unit() -> u8 {
    1
}

fn default_max_block() -> u16 {
    Limits::MOST_REGISTERS
}

fn default_max_gap() -> u16 {
    8
}

impl Link {
    /// A device behind host and port `tcp`, with everything else as it is when nothing is written.
    #[must_use]
    pub fn tcp(tcp: &str, unit: u8) -> Self {
        Self {
            tcp: Some(tcp.to_owned()),
            rtu: None,
            rtu_over_tcp: None,
            unit,
            timeout: None,
            max_block: default_max_block(),
            max_gap: default_max_gap(),
            pause: None,
        }
    }

    /// The same with another time-out.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(10, 60_000);
        self.timeout = BoundedDuration::from_millis(ms).ok();
        self
    }

    /// Host and port; empty when the link is not one over TCP, which [`Check`] refuses.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.tcp.as_deref().unwrap_or_default()
    }

    /// The unit id.
    #[must_use]
    pub fn unit(&self) -> u8 {
        self.unit
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(1), BoundedDuration::get)
    }

    /// How long the line stays quiet before a request.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause.map_or(Duration::ZERO, BoundedDuration::get)
    }

    /// What one request may hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::new(self.max_block, self.max_gap)
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        for (field, written) in [("rtu", &self.rtu), ("rtu_over_tcp", &self.rtu_over_tcp)] {
            if written.is_some() {
                let message = format!("`{field}` is not supported in this version");
                return Err(CheckFault::new(field, message, "reach the device by `tcp: \"host:port\"`"));
            }
        }
        let Some(endpoint) = &self.tcp else {
            let hint = "write tcp: \"host:502\"";
            return Err(CheckFault::new("", "it does not say how the device is reached", hint));
        };
        let port = endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let message = format!("`{endpoint}` is not a host and port");
            return Err(CheckFault::new("tcp", message, "write it like 10.0.0.7:502"));
        }
        if !(1..=Limits::MOST_REGISTERS).contains(&self.max_block) {
            let message = format!("{} is not between 1 and 125", self.max_block);
            return Err(CheckFault::new("max_block", message, "the protocol allows at most 125 registers"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_refused_with_the_key_that_is_wrong() {
        let link = || Link::tcp("127.0.0.1:502", 1);
        assert_eq!(link().check(), Ok(()));
        let field = |link: Link| link.check().unwrap_err().field;
        assert_eq!(field(Link { tcp: None, ..link() }), "");
        assert_eq!(field(Link { tcp: Some("127.0.0.1".into()), ..link() }), "tcp");
        assert_eq!(field(Link { tcp: Some(":502".into()), ..link() }), "tcp");
        assert_eq!(field(Link { rtu: Some("/dev/ttyS1".into()), ..link() }), "rtu");
        assert_eq!(field(Link { rtu_over_tcp: Some("a:1".into()), ..link() }), "rtu_over_tcp");
        assert_eq!(field(Link { max_block: 126, ..link() }), "max_block");
        assert_eq!(field(Link { max_block: 0, ..link() }), "max_block");
    }
}
