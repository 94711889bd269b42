//! UUIDs of services and characteristics, with the short forms of assigned numbers.

use std::fmt;
use std::str::FromStr;

/// What an assigned number of 16 or 32 bits is added to (Bluetooth Core Specification, Vol 3, Part B, 2.5.1).
const BASE: u128 = 0x0000_0000_0000_1000_8000_0080_5F9B_34FB;

/// A UUID of a service or a characteristic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(u128);

/// What is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID: write four hexadecimal digits such as 2A6E, or all 32 with hyphens")]
pub struct InvalidUuid(String);

impl Uuid {
    /// The UUID of an assigned number.
    #[must_use]
    pub const fn assigned(number: u16) -> Self {
        Self(BASE | (number as u128) << 96)
    }

    /// Its assigned number, where it has one of 16 bits.
    #[must_use]
    pub fn number(self) -> Option<u16> {
        if self.0 & !(0xFFFF_FFFF << 96) == BASE { u16::try_from(self.0 >> 96).ok() } else { None }
    }

    /// All 128 bits with hyphens.
    #[must_use]
    pub fn long(self) -> String {
        let n = self.0;
        let (a, b, c) = (n >> 96, n >> 80 & 0xFFFF, n >> 64 & 0xFFFF);
        format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", n >> 48 & 0xFFFF, n & 0xFFFF_FFFF_FFFF)
    }
}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        let wrong = || InvalidUuid(text.chars().take(60).collect());
        let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let hyphens = |(n, c): (usize, char)| (c == '-') == matches!(n, 8 | 13 | 18 | 23);
        let digits: String = match bare.len() {
            4 | 8 | 32 => bare.to_owned(),
            36 if bare.char_indices().all(hyphens) => bare.replace('-', ""),
            _ => return Err(wrong()),
        };
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        Ok(if digits.len() == 32 { Self(number) } else { Self(BASE | number << 96) })
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{number:04X}"),
            None => f.write_str(&self.long()),
        }
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_ways_of_writing_an_assigned_number_are_the_same() {
        let wanted = Uuid::assigned(0x2A6E);
        for text in ["2A6E", "2a6e", "0x2A6E", "00002A6E", "00002a6e-0000-1000-8000-00805f9b34fb"] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        assert_eq!(wanted.to_string(), "2A6E");
        assert_eq!(wanted.long(), "00002a6e-0000-1000-8000-00805f9b34fb");
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in ["", "2A6", "2A6G", "+A6E", "00002a6e-0000-1000-8000_00805f9b34fb", "ääää", "----"] {
            assert!(text.parse::<Uuid>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_uuid_reads_back_from_both_forms(number: u128, short: u16) {
            for uuid in [Uuid(number), Uuid::assigned(short)] {
                prop_assert_eq!(uuid.to_string().parse(), Ok(uuid));
                prop_assert_eq!(uuid.long().parse(), Ok(uuid));
            }
        }
    }
}
