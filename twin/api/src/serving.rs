//! How a device stands with the gateway that serves it; only the gateway knows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a device stands with the lane that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ServingView {
    /// The connection or bus that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// When it last answered, since the gateway began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<i64>,
    /// When it last did not answer, since the gateway began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<FaultView>,
    /// When it is asked again, while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    /// Since when it is left alone, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseView>,
}

/// Why a device did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    /// When.
    pub at: i64,
    /// Why.
    pub reason: String,
}

/// That a device is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// Since when.
    pub since: i64,
    /// Who paused it.
    pub by: String,
    /// What they said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}
