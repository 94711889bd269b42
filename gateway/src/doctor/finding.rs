//! One thing that was looked at.

use serde::{Deserialize, Serialize};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and will make trouble.
    Warn,
    /// It does not work.
    Fail,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it belongs to, for example `disk`.
    pub topic: String,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub says: String,
    /// What to do about it; there unless it is as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn ok(topic: &str, says: impl Into<String>) -> Self {
        Self { topic: topic.to_owned(), level: Level::Ok, says: says.into(), mend: None }
    }

    /// It works, and will make trouble.
    #[must_use]
    pub fn warn(topic: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { topic: topic.to_owned(), level: Level::Warn, says: says.into(), mend: Some(mend.into()) }
    }

    /// It does not work.
    #[must_use]
    pub fn fail(topic: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { topic: topic.to_owned(), level: Level::Fail, says: says.into(), mend: Some(mend.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The version of the program that looked.
    pub version: String,
    /// Whether a gateway ran on the data folder meanwhile.
    pub running: bool,
    /// What was found, in the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of it.
    #[must_use]
    pub fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }
}
