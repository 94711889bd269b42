//! An edge node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An edge node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Whether its link is up.
    pub link: LinkWord,
    /// Since when the link is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_since: Option<i64>,
    /// When it was first heard of.
    pub first_seen: i64,
    /// When it was last heard of.
    pub last_seen: i64,
    /// How many devices it has.
    pub devices: u64,
}

/// Whether a node's link is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkWord {
    /// It is.
    Connected,
    /// It is not: what is shown of its devices may be old.
    Disconnected,
}

/// Nodes in order of name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodePage {
    /// The nodes.
    pub items: Vec<NodeView>,
}
