//! Whether the process lives and can serve.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// The version of the program.
    pub version: String,
}

/// Whether the process can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// What is not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ready: Vec<NotReady>,
    /// What works, but somebody should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<NotReady>,
}

/// Something that is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotReady {
    /// What.
    pub name: String,
    /// Why.
    pub why: String,
}

impl Health {
    /// The process lives and is of this version.
    #[must_use]
    pub fn ok(version: &str) -> Self {
        Self { status: "ok".to_owned(), version: version.to_owned() }
    }
}

impl Readiness {
    /// Ready when nothing is missing.
    #[must_use]
    pub fn of(not_ready: Vec<NotReady>) -> Self {
        Self { ready: not_ready.is_empty(), not_ready, warnings: Vec::new() }
    }

    /// The same with what somebody should look at.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<NotReady>) -> Self {
        self.warnings = warnings;
        self
    }
}
