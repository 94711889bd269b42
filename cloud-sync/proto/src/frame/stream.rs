//! What the replicas at both ends say to each other.

use std::fmt;

use serde::{Deserialize, Serialize};
use twin_core::replica::Message;

/// Names a stream of one connection. Its number is its priority: the lower one is sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(u8);

impl StreamId {
    /// Devices, reported and desired values and overrides. The numbers below are kept for what is more urgent than
    /// state, those above for what can wait.
    pub const TWIN: Self = Self(16);

    /// The stream with this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::TWIN { f.write_str("twin") } else { self.0.fmt(f) }
    }
}

/// Carries one message of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamFrame {
    /// The stream.
    pub stream: StreamId,
    /// What one replica says to the other.
    pub message: Message,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::{any_message, any_stream, round_trip};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stream_frame_reads_back_the_same(stream in any_stream(), message in any_message()) {
            round_trip(Frame::Stream(StreamFrame { stream, message }))?;
        }
    }
}
