//! The first frame, from the edge.

use std::fmt;

use serde::{Deserialize, Serialize};
use twin_core::NodeName;

use super::StreamId;

/// The protocol versions that one end speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl VersionRange {
    /// What this build speaks.
    pub const OURS: Self = Self { min: 1, max: 1 };

    /// The newest version that both speak.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// Says who connects and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The protocol versions that the edge speaks.
    pub versions: VersionRange,
    /// The node; over TLS it must be the one that the certificate names.
    pub node: NodeName,
    /// Name and version of the edge's software, for people.
    pub software: String,
    /// The streams that the edge has, at most [`Open::MAX_STREAMS`].
    pub streams: Vec<StreamId>,
}

impl Open {
    /// The most streams that one connection carries.
    pub const MAX_STREAMS: usize = 32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::{any_node, any_stream, round_trip};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_open_frame_reads_back_the_same(
            min in any::<u16>(), max in any::<u16>(), node in any_node(), software in ".{0,40}",
            streams in proptest::collection::vec(any_stream(), 0..9),
        ) {
            round_trip(Frame::Open(Open { versions: VersionRange { min, max }, node, software, streams }))?;
        }

        #[test]
        fn the_common_version_lies_in_both_ranges(a in 0u16..9, b in 0u16..9, c in 0u16..9, d in 0u16..9) {
            let (x, y) = (VersionRange { min: a, max: b }, VersionRange { min: c, max: d });
            prop_assert_eq!(x.common(y), y.common(x));
            let expected = (0..9).rev().find(|v| (a..=b).contains(v) && (c..=d).contains(v));
            prop_assert_eq!(x.common(y), expected);
        }
    }
}
