//! How the link stands, for health routes.

use serde::Serialize;
use twin_core::Timestamp;

/// What the link is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It is getting the node's certificate.
    Enrolling,
    /// It is connecting.
    Connecting,
    /// It waits before the next attempt.
    Waiting,
    /// It is connected.
    Connected,
    /// It has ended.
    Stopped,
}

/// How the link stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    /// What the link is doing.
    pub state: LinkState,
    /// Since when.
    pub since: Timestamp,
    /// The number of the present or the last connection; 0 before the first.
    pub connection: u64,
    /// Attempts that failed since the last connection.
    pub failures: u32,
    /// Why the last attempt failed or the last connection ended, and what mends it.
    pub last_error: Option<String>,
    /// Name and version of the cloud's software, while connected.
    pub peer: Option<String>,
}
