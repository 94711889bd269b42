//! One sample and its place in the log.

use serde::{Deserialize, Serialize};

use crate::id::PropertyId;
use crate::quality::Quality;
use crate::revision::Incarnation;
use crate::time::Timestamp;
use crate::value::Value;

/// A place in the log of one edge. The number rises over the whole log, by one from sample to sample; the incarnation
/// tells apart what was logged under the same number after a database was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The start of the process that logged it.
    pub incarnation: Incarnation,
    /// Its number in the log; the first sample has 1.
    pub seq: u64,
}

impl Place {
    /// No log comes to this number: at a thousand samples a second it would take 34 years.
    pub const END: u64 = 1 << 40;
}

/// What was known of a property from one moment on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When the gateway got to know it.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// The device's own time of the value, if it has a clock.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub source_time: Option<Timestamp>,
    /// How far the value can be believed.
    #[serde(rename = "q", default = "good", skip_serializing_if = "Quality::is_good")]
    pub quality: Quality,
    /// The value; none where only the quality has changed, so that a gap looks like a gap.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// One sample of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its number in the log.
    pub seq: u64,
    /// The property it is of.
    pub id: PropertyId,
    /// What was known.
    pub reading: Reading,
}

fn good() -> Quality {
    Quality::Good
}
