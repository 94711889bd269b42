//! What the link and whoever owns the history at the edge say to each other. A connection has a number, so that what was
//! said for an older one is not sent on a newer.

use super::Message;

/// What the link tells the owner of the history.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// A connection is open, and the cloud takes the history.
    Connected {
        /// Its number.
        connection: u64,
    },
    /// It is gone.
    Disconnected {
        /// Its number.
        connection: u64,
    },
    /// The cloud said this.
    Message {
        /// The connection it came on.
        connection: u64,
        /// What it said.
        message: Message,
    },
}

/// What the owner of the history asks of the link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkCommand {
    /// Send this, if that connection is still the one.
    Send {
        /// The connection it is meant for.
        connection: u64,
        /// What to say.
        message: Message,
    },
    /// Close that connection: the cloud broke the protocol.
    Close {
        /// The connection.
        connection: u64,
        /// Why, in words.
        reason: String,
    },
}
