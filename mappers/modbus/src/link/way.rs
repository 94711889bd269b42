//! What carries the requests to a device, and how long a byte takes on it.

use std::fmt;
use std::time::Duration;

use config::{Shared, Term};
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
    /// The frames of a serial line over TCP to this host and port.
    OverTcp(Framing, String),
    /// A serial port.
    Serial(Framing, Serial),
}

/// What stands around the requests and answers on a serial line. (MODBUS over Serial Line V1.02, 2.5)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Bytes with a checksum of 16 bits; silence ends a frame.
    Rtu,
    /// Hexadecimal digits with a checksum of 8 bits; a colon begins a frame and the end of a line ends it.
    Ascii,
}

/// A serial port and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Serial {
    /// The device, for example `/dev/ttyUSB0`.
    pub path: String,
    /// Bits per second.
    pub baud: u32,
    /// 7 or 8.
    pub data_bits: u8,
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
        let parity = u32::from(self.parity != Parity::None);
        let bits = 1 + u32::from(self.data_bits) + parity + u32::from(self.stop_bits);
        Duration::from_secs(1) * (bits * halves) / (2 * self.baud.max(1))
    }
}

impl Way {
    /// How long so many characters take; nothing where it does not matter.
    #[must_use]
    pub fn line_time(&self, characters: usize) -> Duration {
        match self {
            Self::Serial(_, serial) => {
                serial.characters(u32::try_from(2 * characters).unwrap_or(u32::MAX).min(1_000_000))
            }
            Self::Tcp(_) | Self::OverTcp(..) => Duration::ZERO,
        }
    }

    /// The least silence between two frames: three and a half characters.
    #[must_use]
    pub fn silence(&self) -> Duration {
        match self {
            Self::Serial(_, serial) if serial.baud > FAST => FAST_SILENCE,
            Self::Serial(_, serial) => serial.characters(7),
            Self::OverTcp(..) => TCP_SILENCE,
            Self::Tcp(_) => Duration::ZERO,
        }
    }

    /// What everybody on it shares: the host and port, or the serial port.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Tcp(endpoint) | Self::OverTcp(_, endpoint) => endpoint,
            Self::Serial(_, serial) => &serial.path,
        }
    }

    /// The key under which it is written.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::OverTcp(Framing::Rtu, _) => "rtu_over_tcp",
            Self::OverTcp(Framing::Ascii, _) => "ascii_over_tcp",
            Self::Serial(Framing::Rtu, _) => "rtu",
            Self::Serial(Framing::Ascii, _) => "ascii",
        }
    }

    /// What everybody on it must agree about.
    pub(super) fn shared(&self) -> Shared {
        let mut terms = vec![Term::new("protocol", self.key(), self.key())];
        if let Self::Serial(_, serial) = self {
            terms.extend([
                Term::new("baud rate", "baud", serial.baud),
                Term::new("parity", "parity", format!("{:?}", serial.parity).to_lowercase()),
                Term::new("number of stop bits", "stop_bits", serial.stop_bits),
                Term::new("number of data bits", "data_bits", serial.data_bits),
            ]);
        }
        Shared { name: self.place().to_owned(), terms }
    }
}

/// `tcp 10.0.0.7:502`, `rtu /dev/ttyUSB0 9600 8E1`.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key(), self.place())?;
        let Self::Serial(_, serial) = self else { return Ok(()) };
        let parity = match serial.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, " {} {}{parity}{}", serial.baud, serial.data_bits, serial.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_data_bits_are_ten_to_twelve_on_the_line() {
        let port = |data_bits, parity, stop_bits| Serial {
            path: "/dev/ttyS1".into(),
            baud: 1_000,
            data_bits,
            parity,
            stop_bits,
        };
        let line = |parity, stop_bits| Way::Serial(Framing::Rtu, port(8, parity, stop_bits));
        assert_eq!(line(Parity::None, 1).line_time(10), Duration::from_millis(100));
        assert_eq!(line(Parity::Even, 1).line_time(10), Duration::from_millis(110));
        assert_eq!(line(Parity::Odd, 2).line_time(10), Duration::from_millis(120));
        assert_eq!(line(Parity::None, 1).silence(), Duration::from_millis(35));
        assert_eq!(line(Parity::Even, 1).to_string(), "rtu /dev/ttyS1 1000 8E1");
        let ascii = Way::Serial(Framing::Ascii, port(7, Parity::Even, 1));
        assert_eq!(ascii.line_time(10), Duration::from_millis(100));
        assert_eq!(ascii.to_string(), "ascii /dev/ttyS1 1000 7E1");
    }
}
