//! What a session tells its shell, and what goes wrong in it.

use std::time::Duration;

use twin_core::history;
use twin_core::replica::Message;

use crate::codec::DecodeError;
use crate::frame::{Code, Open, Refused, StreamId};

/// What both ends have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Established {
    /// The protocol version.
    pub version: u16,
    /// How often each end sends a ping.
    pub heartbeat: Duration,
    /// The streams that both ends have.
    pub streams: Vec<StreamId>,
    /// Name and version of the peer's software.
    pub peer_software: String,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// This end.
    Us,
    /// The other end.
    Peer,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Who ended it.
    pub by: By,
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub reason: String,
}

/// What a session tells its shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Cloud only: an edge asks to come in. Answer with [`Session::accept`](super::Session::accept) or
    /// [`Session::refuse`](super::Session::refuse).
    Opening(Open),
    /// Both ends have agreed; streams may be used.
    Established(Established),
    /// A message came on a stream.
    Message {
        /// The stream.
        stream: StreamId,
        /// The message.
        message: Message,
    },
    /// A message came on the stream of the history.
    History(history::Message),
    /// The connection was refused, by us or by the peer. The last event.
    Refused(Refused),
    /// The connection is over. The last event.
    Closed(Closed),
}

/// What the peer sent breaks the protocol. The session is closed; send what it still has to transmit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// It was not a frame.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It was a frame out of place.
    #[error("a frame of the kind `{kind}` is not allowed {when}")]
    OutOfPlace {
        /// The kind.
        kind: &'static str,
        /// Where the session stood.
        when: &'static str,
    },
    /// The cloud chose a version that was not offered.
    #[error("the cloud chose protocol version {version}, which was not offered")]
    VersionNotOffered {
        /// The version.
        version: u16,
    },
    /// A stream was used that was not agreed on.
    #[error("stream {stream} was not agreed on")]
    StreamNotAgreed {
        /// The stream.
        stream: StreamId,
    },
    /// More streams than a connection carries.
    #[error("{count} streams are more than the {limit} that one connection carries")]
    TooManyStreams {
        /// How many.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
}

/// A message that was not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no established connection.
    #[error("the session is not established")]
    NotEstablished,
    /// The peer does not have this stream.
    #[error("stream {stream} was not agreed on")]
    StreamNotAgreed {
        /// The stream.
        stream: StreamId,
    },
    /// The queue is full: close the connection.
    #[error("the queue of stream {stream} is full: the peer does not take what it is sent")]
    QueueFull {
        /// The stream.
        stream: StreamId,
    },
}
