//! The four tables of a device, and the numbers under which manuals print their places.

use std::fmt;

use config::CheckFault;

/// One of the four tables of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Bits that are read and written.
    Coil,
    /// Bits that are read.
    Discrete,
    /// Registers that are read.
    Input,
    /// Registers that are read and written.
    Holding,
}

impl Area {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Coil, Self::Discrete, Self::Input, Self::Holding];

    /// Whether it holds bits, not registers.
    #[must_use]
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether it can be written.
    #[must_use]
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }

    /// Its key in a point: `coil`, `discrete`, `input` or `holding`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete input",
            Self::Input => "input register",
            Self::Holding => "holding register",
        })
    }
}

/// The place with this number, counted from 1, as manuals print it.
pub(super) fn numbered(address: u32) -> Result<(Area, u16), CheckFault> {
    let (area, number) = match address {
        1..=9_999 => (Area::Coil, address),
        10_001..=19_999 => (Area::Discrete, address - 10_000),
        30_001..=39_999 => (Area::Input, address - 30_000),
        40_001..=49_999 => (Area::Holding, address - 40_000),
        100_001..=165_536 => (Area::Discrete, address - 100_000),
        300_001..=365_536 => (Area::Input, address - 300_000),
        400_001..=465_536 => (Area::Holding, address - 400_000),
        _ => {
            let hint = "write 1, 10001, 30001 or 40001 and up, or the place from 0 as coil, discrete, input or holding";
            return Err(CheckFault::new("address", format!("{address} names no place"), hint));
        }
    };
    Ok((area, u16::try_from(number - 1).unwrap_or(u16::MAX)))
}
