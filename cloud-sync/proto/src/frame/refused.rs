//! The cloud's no.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Code;

/// Says why the cloud does not take the connection; nothing follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub reason: String,
    /// The edge comes back no sooner than this many milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
}

impl Refused {
    /// The time to wait, where one was given.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(|ms| Duration::from_millis(u64::from(ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::testing::{any_code, round_trip};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_refused_frame_reads_back_the_same(
            code in any_code(), reason in ".{0,80}", retry_after_ms in any::<Option<u32>>(),
        ) {
            round_trip(Frame::Refused(Refused { code, reason, retry_after_ms }))?;
        }
    }
}
