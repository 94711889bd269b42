//! What edge and cloud say to each other on the stream of the history.

use serde::{Deserialize, Serialize};

use super::sample::{Place, Reading};
use crate::id::PropertyId;

/// What one end says to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The cloud's first word on a connection: how far it has got in each incarnation of the edge's log that it has
    /// met, the last one first. At most [`Message::MOST_KNOWN`].
    Hello {
        /// The last place of each.
        known: Vec<Place>,
    },
    /// Samples of the edge.
    Batch(Batch),
    /// The cloud has committed everything up to here.
    Ack(Place),
}

impl Message {
    /// The most places in a hello.
    pub const MOST_KNOWN: usize = 64;
}

/// All samples that the edge still has between two places of its log: from a place in one run, or the end of the run
/// before it, to a place in that run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Where it begins: what comes after this. None: the beginning of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
    /// Where it ends, that place included. The samples are of this incarnation. Numbers between the two places that no
    /// sample bears are those that the edge had dropped before it could send them.
    pub end: Place,
    /// The properties that the samples are of.
    pub properties: Vec<PropertyId>,
    /// The samples, in order of their numbers.
    pub samples: Vec<PackedSample>,
}

/// One sample in a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackedSample {
    /// Its number in the log.
    #[serde(rename = "n")]
    pub seq: u64,
    /// The place of its property in [`Batch::properties`].
    #[serde(rename = "p")]
    pub property: u32,
    /// What was known.
    #[serde(rename = "r")]
    pub reading: Reading,
}
