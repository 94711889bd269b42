//! Durations as people write them: `250ms`, `1s`, `5m`, `24h`, `30d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A duration of at least `MIN` and at most `MAX` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoundedDuration<const MIN: u64, const MAX: u64>(Duration);

/// Any duration from nothing to a year.
pub type AnyDuration = BoundedDuration<0, { 365 * 24 * 3_600_000 }>;

/// Why a text is no duration, or not one of the right length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It is not a number with a unit.
    #[error("`{0}` is not a duration\nwrite a number and a unit: 250ms, 1s, 5m, 24h or 30d")]
    Form(String),
    /// It is too short or too long.
    #[error("{0} is not between {1} and {2}\nwrite a duration from {1} to {2}")]
    Bounds(String, String, String),
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl<const MIN: u64, const MAX: u64> BoundedDuration<MIN, MAX> {
    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// A duration of so many milliseconds.
    ///
    /// # Errors
    /// [`InvalidDuration::Bounds`] when it is shorter than `MIN` or longer than `MAX` milliseconds.
    pub fn from_millis(ms: u64) -> Result<Self, InvalidDuration> {
        if (MIN..=MAX).contains(&ms) {
            Ok(Self(Duration::from_millis(ms)))
        } else {
            Err(InvalidDuration::Bounds(words(ms), words(MIN), words(MAX)))
        }
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for BoundedDuration<MIN, MAX> {
    type Err = InvalidDuration;
    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let wrong = || InvalidDuration::Form(crate::scalar::cut(text));
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[digits.len()..].trim();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number = digits.trim_end();
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number = number.parse::<u64>().map_err(|_| wrong())?;
        Self::from_millis(number.saturating_mul(*factor))
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for BoundedDuration<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for BoundedDuration<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for BoundedDuration<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ ?(ms|s|m|h|d)$",
            "description": format!("A duration such as 250ms, 1s, 5m, 24h or 30d; from {} to {}.", words(MIN), words(MAX)),
        })
    }
}

/// A duration in the largest unit that leaves no fraction.
pub(crate) fn words(ms: u64) -> String {
    let (unit, factor) =
        UNITS.iter().rev().find(|(_, factor)| ms.is_multiple_of(*factor) && ms != 0).unwrap_or(&("s", 1_000));
    format!("{}{unit}", ms / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Poll = BoundedDuration<10, 86_400_000>;

    #[test]
    fn the_units_are_read_and_the_bounds_kept() {
        assert_eq!("250ms".parse::<Poll>().unwrap().get(), Duration::from_millis(250));
        assert_eq!("5 m".parse::<Poll>().unwrap().get(), Duration::from_secs(300));
        assert_eq!("24h".parse::<Poll>().unwrap().to_string(), "1d");
        assert_eq!("0s".parse::<AnyDuration>().unwrap().to_string(), "0s");
        for wrong in ["", "5", "s", "1.5s", "-1s", "5 x", "1s1s", "９s", "99999999999999999999s", "9ms", "2d"]
        {
            assert!(wrong.parse::<Poll>().is_err(), "{wrong} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(ms in 10u64..=86_400_000) {
            let duration = Poll::from_millis(ms).unwrap();
            prop_assert_eq!(duration.to_string().parse::<Poll>(), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Poll>();
        }
    }
}
