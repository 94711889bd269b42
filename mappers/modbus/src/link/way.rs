//! What carries the requests to a device, and how long a byte takes on it.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// Above this rate the silence between frames no longer shrinks. (MODBUS over Serial Line V1.02, 2.5.1.1)
const FAST: u32 = 19_200;
/// The silence between frames above that rate.
const FAST_SILENCE: Duration = Duration::from_micros(1_750);
/// The silence after which a connection to a serial server counts as quiet.
const TCP_SILENCE: Duration = Duration::from_millis(2);

/// What carries the requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// Modbus TCP to this host and port.
    Tcp(String),
    /// RTU frames over TCP to this host and port.
    RtuOverTcp(String),
    /// RTU frames over a serial port.
    Serial(Serial),
}

/// A serial port and its settings; a character always has eight bits of data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Serial {
    /// The device, for example `/dev/ttyUSB0`.
    pub path: String,
    /// Bits per second.
    pub baud: u32,
    /// The parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// The parity bit of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// There is none.
    None,
    /// It makes the number of ones even.
    #[default]
    Even,
    /// It makes the number of ones odd.
    Odd,
}

impl Serial {
    fn characters(&self, halves: u32) -> Duration {
        let bits = 1 + 8 + u32::from(self.parity != Parity::None) + u32::from(self.stop_bits);
        Duration::from_secs(1) * (bits * halves) / (2 * self.baud.max(1))
    }
}

impl Way {
    /// How long so many bytes take; nothing where it does not matter.
    #[must_use]
    pub fn line_time(&self, bytes: usize) -> Duration {
        match self {
            Self::Serial(serial) => {
                serial.characters(u32::try_from(2 * bytes).unwrap_or(u32::MAX).min(1_000_000))
            }
            Self::Tcp(_) | Self::RtuOverTcp(_) => Duration::ZERO,
        }
    }

    /// The least silence between two frames: three and a half characters.
    #[must_use]
    pub fn silence(&self) -> Duration {
        match self {
            Self::Serial(serial) if serial.baud > FAST => FAST_SILENCE,
            Self::Serial(serial) => serial.characters(7),
            Self::RtuOverTcp(_) => TCP_SILENCE,
            Self::Tcp(_) => Duration::ZERO,
        }
    }

    /// What everybody on it shares: the host and port, or the serial port.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Tcp(endpoint) | Self::RtuOverTcp(endpoint) => endpoint,
            Self::Serial(serial) => &serial.path,
        }
    }

    /// The key under which it is written.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::RtuOverTcp(_) => "rtu_over_tcp",
            Self::Serial(_) => "rtu",
        }
    }
}

/// `tcp 10.0.0.7:502`, `rtu /dev/ttyUSB0 9600 8E1`.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key(), self.place())?;
        let Self::Serial(serial) = self else { return Ok(()) };
        let parity = match serial.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, " {} 8{parity}{}", serial.baud, serial.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_data_bits_are_ten_to_twelve_on_the_line() {
        let line = |parity, stop_bits| {
            Way::Serial(Serial { path: "/dev/ttyS1".into(), baud: 1_000, parity, stop_bits })
        };
        assert_eq!(line(Parity::None, 1).line_time(10), Duration::from_millis(100));
        assert_eq!(line(Parity::Even, 1).line_time(10), Duration::from_millis(110));
        assert_eq!(line(Parity::Odd, 2).line_time(10), Duration::from_millis(120));
        assert_eq!(line(Parity::None, 1).silence(), Duration::from_millis(35));
        assert_eq!(line(Parity::Even, 1).to_string(), "rtu /dev/ttyS1 1000 8E1");
    }
}
