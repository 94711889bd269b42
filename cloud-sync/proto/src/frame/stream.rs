//! What the replicas at both ends say to each other.

use std::fmt;

use serde::{Deserialize, Serialize};
use twin_core::Stream;
use twin_core::replica::Message;

/// Names a stream of one connection. Its number is its priority: the lower one is sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(u8);

impl StreamId {
    /// Alarms.
    pub const ALARM: Self = Self::of(Stream::Alarm);
    /// Devices, reported and desired values and overrides. The numbers below are kept for what is more urgent than
    /// state, those above for what can wait.
    pub const TWIN: Self = Self::of(Stream::Twin);
    /// Samples of values: they go up when nothing else does, and in frames of their own kind.
    pub const HISTORY: Self = Self(48);

    /// The stream that carries these documents.
    #[must_use]
    pub const fn of(stream: Stream) -> Self {
        Self(stream as u8)
    }

    /// The documents that this stream carries; none when it carries something else.
    #[must_use]
    pub fn documents(self) -> Option<Stream> {
        Stream::ALL.into_iter().find(|stream| Self::of(*stream) == self)
    }

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
        match *self {
            Self::ALARM => f.write_str("alarm"),
            Self::TWIN => f.write_str("twin"),
            Self::HISTORY => f.write_str("history"),
            Self(number) => number.fmt(f),
        }
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
