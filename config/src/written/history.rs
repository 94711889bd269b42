//! `history:`, of a property and of the gateway.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration::BoundedDuration;
use crate::size::BoundedSize;

/// How long a history may be kept: 1 h to 10 years.
pub(crate) type HistoryAge = BoundedDuration<3_600_000, { 3650 * 86_400_000 }>;

/// How large the database may grow by histories: 16 MiB to 1 TiB.
pub(crate) type HistoryBytes = BoundedSize<{ 16 << 20 }, { 1 << 40 }>;

/// The bounds of all histories together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct GatewayHistoryWritten {
    /// How large the database may grow by histories, such as 512MiB; then the oldest samples go. Default: 1GiB
    pub(crate) max_bytes: Option<HistoryBytes>,
    /// The age up to which any history is kept at most. Default: 365d
    pub(crate) max_age: Option<HistoryAge>,
}

/// How much of a property's history is kept; a duration alone stands for `for`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct HistoryWritten {
    /// The age up to which samples are kept. Default: as long as the gateway allows
    #[serde(rename = "for")]
    pub(crate) keep_for: Option<HistoryAge>,
    /// The most samples that are kept, at least 1; then the oldest go. Default: any number
    pub(crate) rows: Option<u32>,
}
