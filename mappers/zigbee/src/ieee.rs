//! The address that a radio has from its maker.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 64-bit address, unique in the world and the same for ever; written `0x00124b0001020304`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ieee(pub u64);

/// A text that is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IEEE address: write 16 hexadecimal digits, for example 0x00124b0001020304")]
pub struct NotAnIeee(pub String);

impl FromStr for Ieee {
    type Err = NotAnIeee;

    fn from_str(text: &str) -> Result<Self, NotAnIeee> {
        let wrong = || NotAnIeee(text.chars().take(40).collect());
        let digits: String = text.trim_start_matches("0x").chars().filter(|c| *c != ':').collect();
        if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u64::from_str_radix(&digits, 16).map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Ieee {
    type Error = NotAnIeee;
    fn try_from(text: String) -> Result<Self, NotAnIeee> {
        text.parse()
    }
}

impl From<Ieee> for String {
    fn from(ieee: Ieee) -> Self {
        ieee.to_string()
    }
}

impl fmt::Display for Ieee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_with_or_without_colons_and_shown_in_one_way() {
        let ieee = Ieee(0x0012_4b00_0102_0304);
        assert_eq!("0x00124b0001020304".parse(), Ok(ieee));
        assert_eq!("00:12:4b:00:01:02:03:04".parse(), Ok(ieee));
        assert_eq!(ieee.to_string(), "0x00124b0001020304");
        for wrong in ["", "0x1", "0x00124b000102030405", "0xzz124b0001020304", "+0124b0001020304"] {
            assert!(wrong.parse::<Ieee>().is_err(), "{wrong}");
        }
    }
}
