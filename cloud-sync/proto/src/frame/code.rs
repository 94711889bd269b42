//! Why a connection was refused or closed, as one word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a connection was refused or closed. A word of a newer version is kept as [`Code::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Code {
    /// The two ends have no protocol version in common.
    Version,
    /// The node in `Open` is not the one that the certificate names.
    NodeMismatch,
    /// Too many connections at once: come back after the time given.
    Busy,
    /// A newer connection of the same node has taken over.
    Superseded,
    /// The sender is being stopped.
    Stopping,
    /// The other end broke the protocol.
    Protocol,
    /// Something is larger than a frame can be.
    TooLarge,
    /// Nothing was heard for too long.
    Silent,
    /// The sender's store failed.
    Store,
    /// A word that this version does not know, at most 64 characters.
    Other(String),
}

impl Code {
    /// The word on the wire.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Version => "version",
            Self::NodeMismatch => "node_mismatch",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Stopping => "stopping",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Silent => "silent",
            Self::Store => "store",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for Code {
    fn from(word: String) -> Self {
        match word.as_str() {
            "version" => Self::Version,
            "node_mismatch" => Self::NodeMismatch,
            "busy" => Self::Busy,
            "superseded" => Self::Superseded,
            "stopping" => Self::Stopping,
            "protocol" => Self::Protocol,
            "too_large" => Self::TooLarge,
            "silent" => Self::Silent,
            "store" => Self::Store,
            other => Self::Other(other.chars().take(64).collect()),
        }
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.word().to_owned()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_code;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_word_and_back_gives_the_same_code(code in any_code()) {
            prop_assert_eq!(Code::from(String::from(code.clone())), code);
        }
    }
}
