//! What can go wrong between the mapper and a device, and what to do about it.

use std::time::Duration;

use twin_core::Why;

/// Why a device or a point gave no value, or did not take one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection could not be made, or broke.
    #[error("no connection: {0}")]
    Link(String),
    /// No answer came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// What came is not an answer of the protocol, or the answer to something else.
    #[error("a wrong answer: {0}")]
    Protocol(String),
    /// Somebody on the way says that the device does not answer.
    #[error("the device does not answer: {0}")]
    Unreachable(String),
    /// The device or the gateway will not speak with the other until somebody changes something, for example a password
    /// or the trust in a certificate. The text says what to do.
    #[error("{0}")]
    Denied(String),
    /// The device answers that it cannot now.
    #[error("{0}")]
    Busy(String),
    /// The device refuses this point.
    #[error("{0}")]
    Refused(String),
    /// What the point holds is not a value of its type, for example NaN.
    #[error("{0}")]
    NotAValue(String),
    /// The device tells of this point by itself, and has not yet.
    #[error("{0}")]
    NotTold(String),
    /// The device tells of this point by itself, and has not for longer than it should.
    #[error("{0}")]
    Stale(String),
    /// The value to be written cannot be held by the point.
    #[error("{0}")]
    Unsuitable(String),
}

/// What to do after a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The session is of no use any more: drop it and connect again.
    Reconnect,
    /// The session is sound: ask again later.
    RetryLater,
    /// Asking this again gives the same answer.
    GiveUpOnPoint,
}

impl Fault {
    /// What to do about it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Link(_) | Self::TimedOut(_) | Self::Protocol(_) | Self::Denied(_) => Verdict::Reconnect,
            Self::Unreachable(_) | Self::Busy(_) | Self::NotAValue(_) | Self::NotTold(_) | Self::Stale(_) => {
                Verdict::RetryLater
            }
            Self::Refused(_) | Self::Unsuitable(_) => Verdict::GiveUpOnPoint,
        }
    }

    /// What the quality of a property says of it.
    #[must_use]
    pub fn why(&self) -> Why {
        match self {
            Self::Link(_) | Self::TimedOut(_) | Self::Protocol(_) | Self::Unreachable(_) => {
                Why::DeviceUnreachable
            }
            Self::Busy(text) | Self::Denied(text) => Why::Other(text.chars().take(200).collect()),
            Self::NotTold(_) => Why::NotReadYet,
            Self::Stale(_) => Why::Stale,
            Self::Refused(_) => Why::PointRefused,
            Self::NotAValue(_) | Self::Unsuitable(_) => Why::WrongType,
        }
    }
}
