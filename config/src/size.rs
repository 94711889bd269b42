//! Sizes as people write them: `500MB`, `2GiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A number of bytes of at least `MIN` and at most `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BoundedSize<const MIN: u64, const MAX: u64>(u64);

/// Why a text is no size, or not one of the right magnitude.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSize {
    /// It is not a number with a unit.
    #[error("`{0}` is not a size\nwrite a number and a unit: 500MB, 64MiB or 2GiB")]
    Form(String),
    /// It is too small or too large.
    #[error("{0} is not between {1} and {2}\nwrite a size from {1} to {2}")]
    Bounds(String, String, String),
}

const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

impl<const MIN: u64, const MAX: u64> BoundedSize<MIN, MAX> {
    /// The number of bytes.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for BoundedSize<MIN, MAX> {
    type Err = InvalidSize;
    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let wrong = || InvalidSize::Form(crate::scalar::cut(text));
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[digits.len()..].trim();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number = digits.trim_end();
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let bytes = number.parse::<u64>().map_err(|_| wrong())?.saturating_mul(*factor);
        if (MIN..=MAX).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(InvalidSize::Bounds(words(bytes), words(MIN), words(MAX)))
        }
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for BoundedSize<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self.0))
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for BoundedSize<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for BoundedSize<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ ?(B|kB|KiB|MB|MiB|GB|GiB|TiB)$",
            "description": format!("A size such as 500MB, 64MiB or 2GiB; from {} to {}.", words(MIN), words(MAX)),
        })
    }
}

/// A size in the largest unit that leaves no fraction.
pub(crate) fn words(bytes: u64) -> String {
    let whole = |(_, factor): &&(&str, u64)| bytes.is_multiple_of(*factor) && bytes != 0;
    let (unit, factor) = UNITS.iter().rev().find(whole).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Size = BoundedSize<1_000, { 1 << 40 }>;

    #[test]
    fn the_units_are_read_and_the_bounds_kept() {
        assert_eq!("2GiB".parse::<Size>().unwrap().get(), 2 << 30);
        assert_eq!("500 MB".parse::<Size>().unwrap().get(), 500_000_000);
        assert_eq!("64MiB".parse::<Size>().unwrap().to_string(), "64MiB");
        for wrong in ["", "5", "MB", "1.5GB", "-1MB", "5 TB", "1mb", "999B", "99999999999999999999MB", "2TiB"]
        {
            assert!(wrong.parse::<Size>().is_err(), "{wrong} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in 1_000u64..=1 << 40) {
            let size = Size::from_str(&format!("{bytes}B")).unwrap();
            prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Size>();
        }
    }
}
