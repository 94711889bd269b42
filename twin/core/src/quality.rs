//! How far a value can be believed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a value can be believed, and why not further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Read from the device as it should be.
    Good,
    /// Read, but the device or the path casts doubt on it.
    Uncertain(Why),
    /// Not to be used as the present value; the last one may still be shown, marked.
    Bad(Why),
}

/// Why a value is not good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The device does not answer.
    DeviceUnreachable,
    /// The device answers but refuses this point.
    PointRefused,
    /// The value is outside the property's range.
    OutOfRange,
    /// The value is not of the property's type (for example NaN).
    WrongType,
    /// No fresh value came within the time the property allows.
    Stale,
    /// The mapper that serves the device is not running.
    MapperDown,
    /// The device has not been read yet.
    NotReadYet,
    /// An operator has paused the device: nobody asks it.
    Paused,
    /// Another reason, in the mapper's words, at most 200 characters.
    Other(String),
}

impl Quality {
    /// Whether the value is good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }

    /// The word without the reason: `good`, `uncertain` or `bad`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain(_) => "uncertain",
            Self::Bad(_) => "bad",
        }
    }

    /// The reason, where there is one.
    #[must_use]
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Good => None,
            Self::Uncertain(why) | Self::Bad(why) => Some(why),
        }
    }

    /// Puts the two words together again: the inverse of [`word`](Self::word) and [`why`](Self::why).
    #[must_use]
    pub fn from_words(word: &str, why: Option<&str>) -> Option<Self> {
        let why = || Why::from_word(why.unwrap_or("unspecified"));
        match word {
            "good" => Some(Self::Good),
            "uncertain" => Some(Self::Uncertain(why())),
            "bad" => Some(Self::Bad(why())),
            _ => None,
        }
    }
}

impl Why {
    /// The stable word shown everywhere.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::DeviceUnreachable => "device_unreachable",
            Self::PointRefused => "point_refused",
            Self::OutOfRange => "out_of_range",
            Self::WrongType => "wrong_type",
            Self::Stale => "stale",
            Self::MapperDown => "mapper_down",
            Self::NotReadYet => "not_read_yet",
            Self::Paused => "paused",
            Self::Other(text) => text,
        }
    }

    /// The inverse of [`word`](Self::word); a word that is not ours becomes [`Why::Other`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "device_unreachable" => Self::DeviceUnreachable,
            "point_refused" => Self::PointRefused,
            "out_of_range" => Self::OutOfRange,
            "wrong_type" => Self::WrongType,
            "stale" => Self::Stale,
            "mapper_down" => Self::MapperDown,
            "not_read_yet" => Self::NotReadYet,
            "paused" => Self::Paused,
            other => Self::Other(other.chars().take(200).collect()),
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            None => f.write_str(self.word()),
            Some(why) => write!(f, "{}{{{}}}", self.word(), why.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_and_back_give_the_same_quality() {
        for why in [
            "device_unreachable",
            "point_refused",
            "out_of_range",
            "wrong_type",
            "stale",
            "mapper_down",
            "not_read_yet",
            "paused",
            "sensor broken",
        ] {
            for quality in
                [Quality::Bad(Why::from_word(why)), Quality::Uncertain(Why::from_word(why)), Quality::Good]
            {
                assert_eq!(Quality::from_words(quality.word(), quality.why().map(Why::word)), Some(quality));
            }
        }
        assert_eq!(Quality::from_words("excellent", None), None);
    }
}
