//! The frames of the link, one file each with its round-trip test.

mod close;
mod code;
mod heartbeat;
mod history;
mod open;
mod opened;
mod refused;
mod stream;

pub use close::Close;
pub use code::Code;
pub use heartbeat::{Ping, Pong};
pub use history::HistoryFrame;
pub use open::{Open, VersionRange};
pub use opened::Opened;
pub use refused::Refused;
pub use stream::{StreamFrame, StreamId};

/// One frame: one binary WebSocket message.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// See [`Open`].
    Open(Open),
    /// See [`Opened`].
    Opened(Opened),
    /// See [`Refused`].
    Refused(Refused),
    /// See [`StreamFrame`].
    Stream(StreamFrame),
    /// See [`HistoryFrame`].
    History(HistoryFrame),
    /// See [`Ping`].
    Ping(Ping),
    /// See [`Pong`].
    Pong(Pong),
    /// See [`Close`].
    Close(Close),
}

/// The number of a frame kind on the wire. Never reuse one; 32 to 63 are kept for requests that want an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Open = 1,
    Opened = 2,
    Refused = 3,
    Stream = 4,
    Ping = 5,
    Pong = 6,
    Close = 7,
    History = 8,
}

impl Kind {
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        const ALL: [Kind; 8] = [
            Kind::Open,
            Kind::Opened,
            Kind::Refused,
            Kind::Stream,
            Kind::Ping,
            Kind::Pong,
            Kind::Close,
            Kind::History,
        ];
        ALL.into_iter().find(|kind| *kind as u16 == number)
    }
}

impl Frame {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Open(_) => Kind::Open,
            Self::Opened(_) => Kind::Opened,
            Self::Refused(_) => Kind::Refused,
            Self::Stream(_) => Kind::Stream,
            Self::History(_) => Kind::History,
            Self::Ping(_) => Kind::Ping,
            Self::Pong(_) => Kind::Pong,
            Self::Close(_) => Kind::Close,
        }
    }

    /// The word for this kind of frame, for logs and errors.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Opened(_) => "opened",
            Self::Refused(_) => "refused",
            Self::Stream(_) => "stream",
            Self::History(_) => "history",
            Self::Ping(_) => "ping",
            Self::Pong(_) => "pong",
            Self::Close(_) => "close",
        }
    }
}
