//! The link between an edge and the cloud: what is said, how it is written, and who may say what when. No socket, no
//! clock, no randomness: bytes and `now` come in, bytes and events go out.
//!
//! ```text
//! edge                          cloud
//!   Open  ──────────────────────▶          versions, node, streams
//!         ◀────────────────────── Opened   (or Refused)
//!   Stream{twin, hello} ───────▶ ◀──────── Stream{twin, hello}
//!   Stream{twin, batch} ───────▶ ◀──────── Stream{twin, ack}
//!   History{batch} ────────────▶ ◀──────── History{ack}
//! ```
#![warn(missing_docs)]

pub mod backoff;
pub mod codec;
pub mod enrol;
pub mod frame;
pub mod session;
pub mod token;

#[cfg(test)]
mod testing;

pub use backoff::{Backoff, InvalidBackoff};
pub use codec::{DecodeError, Decoded, EncodeError, FrameLimits, decode, encode};
pub use enrol::{Enrol, EnrolRefused, EnrolRefusedCode, Enrolled, Renew};
pub use frame::{
    Close, Code, Frame, HistoryFrame, Open, Opened, Ping, Pong, Refused, StreamFrame, StreamId, VersionRange,
};
pub use session::{By, Closed, Established, Event, ProtocolError, SendError, Session, Timing};
pub use token::{CaPin, InvalidToken, JoinToken, Secret};

/// The WebSocket subprotocol (RFC 6455, 1.9) that both ends must name.
pub const SUBPROTOCOL: &str = "twinspan.v1";

/// Where the cloud takes the WebSocket.
pub const LINK_PATH: &str = "/v1/link";
