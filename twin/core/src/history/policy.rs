//! How much of a property's history is kept.

use serde::{Deserialize, Serialize};

/// How much of a property's history is kept at the edge. Both bounds hold; so do those of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct HistoryPolicy {
    /// The age up to which samples are kept, in milliseconds; none: as long as the gateway allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The most samples that are kept; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}
