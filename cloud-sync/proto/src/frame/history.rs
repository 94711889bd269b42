//! What the two ends say to each other of the history.

use serde::{Deserialize, Serialize};
use twin_core::history::Message;

/// Carries one message of the stream [`StreamId::HISTORY`](super::StreamId::HISTORY). Both ends must have agreed on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryFrame {
    /// What is said.
    pub message: Message,
}
