//! The last frame of a connection.

use serde::{Deserialize, Serialize};

use super::Code;

/// Says why the sender closes the connection; nothing follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::{any_code, round_trip};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_close_frame_reads_back_the_same(code in any_code(), reason in ".{0,200}") {
            round_trip(Frame::Close(Close { code, reason }))?;
        }
    }
}
