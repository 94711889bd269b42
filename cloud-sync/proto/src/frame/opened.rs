//! The cloud's yes.

use serde::{Deserialize, Serialize};

use super::StreamId;
use crate::codec::FrameLimits;

/// Says what both ends go by on this connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The protocol version of this connection.
    pub version: u16,
    /// How often each end sends a ping, in milliseconds; 1 000 to 60 000, other values are brought into that range.
    pub heartbeat_ms: u32,
    /// The largest frames that the cloud takes.
    pub limits: FrameLimits,
    /// Name and version of the cloud's software, for people.
    pub software: String,
    /// The streams that both ends have; messages on others are not sent.
    pub streams: Vec<StreamId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::{any_stream, round_trip};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_opened_frame_reads_back_the_same(
            version in any::<u16>(), heartbeat_ms in any::<u32>(), frame_bytes in any::<u32>(),
            raw_bytes in any::<u32>(), software in ".{0,40}",
            streams in proptest::collection::vec(any_stream(), 0..9),
        ) {
            let limits = FrameLimits { frame_bytes, raw_bytes };
            round_trip(Frame::Opened(Opened { version, heartbeat_ms, limits, software, streams }))?;
        }
    }
}
