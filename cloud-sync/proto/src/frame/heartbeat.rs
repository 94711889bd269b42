//! Heartbeats.

use serde::{Deserialize, Serialize};

/// Says that the sender lives, and asks for a [`Pong`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Counts up from 0 on each connection.
    pub number: u64,
}

/// Answers a [`Ping`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The number of the ping.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::round_trip;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heartbeats_read_back_the_same(number in any::<u64>()) {
            round_trip(Frame::Ping(Ping { number }))?;
            round_trip(Frame::Pong(Pong { number }))?;
        }
    }
}
