//! Where a file lies in a data folder: never outside of it.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a file lies in a data folder: 1 to 200 bytes, names parted by `/`, none of them `.` or `..`, at most 8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(String);

/// A text that is no [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the place of a file in a data folder: {rule}")]
pub struct InvalidPlace {
    /// The text, cut at 100 characters.
    pub text: String,
    /// What is wrong with it.
    pub rule: &'static str,
}

impl Place {
    const MAX_BYTES: usize = 200;
    const MAX_NAMES: usize = 8;
    /// What one name may have on the usual file systems.
    const MAX_NAME_BYTES: usize = 100;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file in `folder`.
    #[must_use]
    pub fn within(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;
    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let no = |rule| Err(InvalidPlace { text: text.chars().take(100).collect(), rule });
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return no("it needs 1 to 200 bytes");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return no("it has a control character or a backslash in it");
        }
        let names: Vec<&str> = text.split('/').collect();
        if names.len() > Self::MAX_NAMES {
            return no("it lies too deep");
        }
        if names
            .iter()
            .any(|name| name.is_empty() || *name == "." || *name == ".." || name.len() > Self::MAX_NAME_BYTES)
        {
            return no("it leaves the folder, or a name in it is empty or too long");
        }
        // The operating system must read it in the same way.
        let normal = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
        if !normal || Path::new(text).components().count() != names.len() {
            return no("it leaves the folder");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Place {
    type Error = InvalidPlace;
    fn try_from(text: String) -> Result<Self, InvalidPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_never_leaves_the_folder() {
        for good in ["twin.db", "link/identity.pem", "opcua/trust/trusted/a b.der", "a/b/c/d/e/f/g/h"] {
            assert!(good.parse::<Place>().is_ok(), "{good}");
        }
        let long = "x".repeat(101);
        let deep = "a/".repeat(8) + "b";
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            ".",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "a\nb",
            "a\0b",
            &long,
            &deep,
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad:?}");
        }
    }
}
