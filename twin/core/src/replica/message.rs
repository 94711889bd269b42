//! What two replicas say to each other, and what a replica asks of its shell.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{Entry, Stream};
use crate::revision::{Cursor, Revision};

/// What one replica says to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The follower's last committed cursor; none when it has nothing. The first message on a connection.
    Hello(Option<Cursor>),
    /// Entries of the author.
    Batch(Batch),
    /// Everything up to here is committed at the follower.
    Ack(Cursor),
}

/// Entries that are committed together with the cursor behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// What the entries follow on.
    pub base: Base,
    /// Where the follower stands when they are committed; on the way when there was more to read behind them.
    pub cursor: Cursor,
    /// All documents whose newest revision lies after the base and not after the cursor, in order of revision.
    pub entries: Vec<Entry>,
}

/// What a batch follows on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The follower's cursor.
    Cursor(Cursor),
    /// Nothing: all that the follower has of this author is replaced, as one transaction, when the last batch is in.
    Reset {
        /// The cursor of the batch before it in the same reset; none for the first.
        after: Option<Cursor>,
        /// Whether this is the last batch of the reset.
        last: bool,
    },
}

/// Names one [`Commit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitToken(pub(crate) u64);

/// Names one [`Effect::Fetch`], so that a late answer is not taken for a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchToken(pub(crate) u64);

/// One transaction: all of it or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// To be given to [`Replica::handle_committed`](super::Replica::handle_committed).
    pub token: CommitToken,
    /// The stream whose documents these are.
    pub stream: Stream,
    /// Documents of this side. A deletion is stored as a tombstone with its revision.
    pub authored: Vec<Entry>,
    /// This author's incarnation with its last revision, to be remembered (the higher one stays).
    pub author: Option<Cursor>,
    /// Tombstones of this side to drop.
    pub forget: Option<Forget>,
    /// What came from the peer, in order.
    pub followed: Vec<Followed>,
}

/// Tombstones that the follower has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forget {
    /// All tombstones of this side with a revision up to this are dropped.
    pub up_to: Revision,
    /// A cursor before this can no longer be resumed from; the highest one ever given stays.
    pub floor: Revision,
}

/// A step of what came from the peer.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Entries replace documents; deletions remove them; then the cursor is stored.
    Apply {
        /// The entries.
        entries: Vec<Entry>,
        /// The cursor after them.
        cursor: Cursor,
    },
    /// The staging area is emptied.
    ResetBegin,
    /// Entries go to the staging area, replacing what is there under the same key.
    Stage {
        /// The entries.
        entries: Vec<Entry>,
    },
    /// All documents of the peer are replaced by the staging area; then the cursor is stored.
    ResetEnd {
        /// The cursor after the reset.
        cursor: Cursor,
    },
}

/// What a replica asks of its shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store this as one transaction, then call [`Replica::handle_committed`](super::Replica::handle_committed).
    Commit(Arc<Commit>),
    /// Read documents of this side with `after < revision <= up_to`, in order, at most `limit`, then call
    /// [`Replica::handle_fetched`](super::Replica::handle_fetched). Tombstones are documents too.
    Fetch {
        /// To be given back.
        token: FetchToken,
        /// Exclusive.
        after: Revision,
        /// Inclusive; after every revision there can be, so that nothing that changed again meanwhile is left out unseen.
        up_to: Revision,
        /// The most entries to read.
        limit: usize,
    },
    /// Send this to the peer; lost when there is no connection.
    Send(Message),
    /// This is committed: tell whoever listens.
    Publish(Arc<Commit>),
}

/// What a replica finds in its store when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// Incarnations of this author, each with its last committed revision.
    pub incarnations: Vec<Cursor>,
    /// No cursor before this can be resumed from.
    pub floor: Revision,
    /// The oldest and newest tombstone kept, if any.
    pub tombstones: Option<(Revision, Revision)>,
    /// How far this side has followed the peer.
    pub followed: Option<Cursor>,
}

/// A message that no correct peer sends. The connection is to be closed with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatch {
    /// An entry is of a part that the peer does not write, or of another stream.
    #[error("entry {revision} is of a part that its sender does not write on this stream")]
    NotTheirs {
        /// The entry.
        revision: Revision,
    },
    /// Entries are out of order or outside the batch.
    #[error("entry {revision} is not in order between the base of the batch and its cursor")]
    OutOfOrder {
        /// The entry.
        revision: Revision,
    },
    /// More entries came than the window allows.
    #[error("more than {limit} entries came before the first was committed")]
    WindowExceeded {
        /// The most allowed.
        limit: usize,
    },
}

/// What the link tells the service that owns a replica. A connection has a number, so that what was said for an older
/// one is not sent on a newer.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// A connection is open and both ends have agreed on the protocol.
    Connected {
        /// Its number.
        connection: u64,
        /// The streams that both ends have.
        streams: Vec<Stream>,
    },
    /// It is gone.
    Disconnected {
        /// Its number.
        connection: u64,
    },
    /// The peer said this.
    Message {
        /// The connection it came on.
        connection: u64,
        /// The stream.
        stream: Stream,
        /// What it said.
        message: Message,
    },
}

/// What the service asks of the link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkCommand {
    /// Send this, if that connection is still the one.
    Send {
        /// The connection it is meant for.
        connection: u64,
        /// The stream.
        stream: Stream,
        /// What to say.
        message: Message,
    },
    /// Close that connection: its peer broke the protocol.
    Close {
        /// The connection.
        connection: u64,
        /// Why, in words.
        reason: String,
    },
}
