//! One machine for both ends of a link: it writes its own parts of the twins and follows the other's.
//!
//! It holds cursors, windows and what is being committed, never all rows: those stay in the store and are asked for.
//! Commit, then speak: nothing is sent, acknowledged or published before the commit that holds it is done.

mod author;
mod follower;
mod message;
#[cfg(test)]
mod tests;
mod way;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use author::Limits;
pub use message::{
    BadBatch, Base, Batch, Commit, CommitToken, Effect, FetchToken, Followed, Forget, LinkCommand, LinkEvent,
    Message, Stored,
};

use crate::document::{Change, Entry, Key, Part, Side, Stream};
use crate::revision::{Cursor, Incarnation, Revision};
use crate::time::Timestamp;
use author::Author;
use follower::Follower;

/// A change that this replica does not author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this side of the stream does not write {part:?}")]
pub struct Rejected {
    /// The part.
    pub part: Part,
}

/// The replica of one stream of one node at one end of the link.
#[derive(Debug)]
pub struct Replica {
    stream: Stream,
    side: Side,
    author: Author,
    follower: Follower,
    pending: Vec<Entry>,
    pending_at: HashMap<Key, usize>,
    committing: Option<Arc<Commit>>,
    next_token: u64,
    hello_owed: bool,
    effects: VecDeque<Effect>,
}

impl Replica {
    /// So many emptied places among the changes that wait for a commit are not worth clearing away.
    const MOST_EMPTIED: usize = 64;

    /// A replica of the twins that goes on from what is stored, with an incarnation drawn for this start.
    #[must_use]
    pub fn new(side: Side, incarnation: Incarnation, stored: &Stored, limits: Limits) -> Self {
        Self::of(Stream::Twin, side, incarnation, stored, limits)
    }

    /// A replica of one stream that goes on from what is stored, with an incarnation drawn for this start.
    #[must_use]
    pub fn of(stream: Stream, side: Side, incarnation: Incarnation, stored: &Stored, limits: Limits) -> Self {
        let peer = match side {
            Side::Edge => Side::Cloud,
            Side::Cloud => Side::Edge,
        };
        Self {
            stream,
            side,
            author: Author::new(incarnation, stored, limits),
            follower: Follower::new(stream, peer, stored.followed),
            pending: Vec::new(),
            pending_at: HashMap::new(),
            committing: None,
            next_token: 0,
            hello_owed: false,
            effects: VecDeque::new(),
        }
    }

    /// Takes a change of this side and gives its revision. Of several changes of one document that wait for the same
    /// commit only the newest is kept.
    ///
    /// # Errors
    /// [`Rejected`] when the other side writes that part, or it is of another stream.
    pub fn write(&mut self, change: Change) -> Result<Revision, Rejected> {
        let part = change.part();
        if part.author() != self.side || part.stream() != self.stream {
            return Err(Rejected { part });
        }
        let revision = self.author.assign(change.is_deletion());
        let place = self.pending.len();
        if let Some(older) = self.pending_at.insert(change.key(), place)
            && let Some(slot) = self.pending.get_mut(older)
        {
            // Keeps the order of revisions: the older entry is emptied by moving the newest to the end.
            slot.revision = Revision::ZERO;
        }
        self.pending.push(Entry { revision, change });
        if self.pending.len() > 2 * self.pending_at.len() + Self::MOST_EMPTIED {
            self.drop_emptied();
        }
        Ok(revision)
    }

    /// A document that flaps while a commit takes long must not fill the memory.
    fn drop_emptied(&mut self) {
        self.pending.retain(|entry| entry.revision != Revision::ZERO);
        self.pending_at =
            self.pending.iter().enumerate().map(|(at, entry)| (entry.change.key(), at)).collect();
    }

    /// Takes note of changes of this side that the shell has stored itself, up to `revision` in this incarnation
    /// (several writers may share one database).
    pub fn handle_authored(&mut self, cursor: Cursor, tombstone: Option<Revision>) {
        if let Some(at) = tombstone {
            self.author.note_tombstone(at);
        }
        self.author.handle_stored(cursor);
    }

    /// A connection is there: a hello is owed to the peer.
    pub fn handle_connected(&mut self) {
        self.handle_disconnected();
        self.hello_owed = true;
    }

    /// The connection is gone, and what was on its way with it.
    pub fn handle_disconnected(&mut self) {
        self.hello_owed = false;
        self.author.handle_disconnected();
        self.follower.handle_disconnected();
        self.effects.retain(|effect| !matches!(effect, Effect::Send(_)));
    }

    /// Takes a message of the peer.
    ///
    /// # Errors
    /// [`BadBatch`] when no correct peer sends it; the connection is to be closed.
    pub fn handle_message(&mut self, message: Message, now: Timestamp) -> Result<(), BadBatch> {
        match message {
            Message::Hello(cursor) => self.author.handle_hello(cursor),
            Message::Batch(batch) => {
                if let Some(cursor) = self.follower.handle_batch(batch)? {
                    self.effects.push_back(Effect::Send(Message::Ack(cursor)));
                }
            }
            Message::Ack(cursor) => self.author.handle_ack(cursor, now),
        }
        Ok(())
    }

    /// The commit is in the database: what waited for it is released.
    pub fn handle_committed(&mut self, token: CommitToken) {
        let Some(commit) = self.committing.take_if(|c| c.token == token) else { return };
        if let Some(cursor) = commit.author {
            self.author.handle_stored(cursor);
        }
        if let Some(cursor) = self.follower.handle_committed() {
            self.effects.push_back(Effect::Send(Message::Ack(cursor)));
        }
        if !commit.authored.is_empty() || !commit.followed.is_empty() {
            self.effects.push_back(Effect::Publish(commit));
        }
    }

    /// The answer to [`Effect::Fetch`], whose bound it repeats.
    pub fn handle_fetched(
        &mut self,
        token: FetchToken,
        _up_to: Revision,
        entries: Vec<Entry>,
        now: Timestamp,
    ) {
        if let Some(batch) = self.author.handle_fetched(token, entries, now) {
            self.effects.push_back(Effect::Send(Message::Batch(batch)));
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.author.handle_timeout(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.author.poll_timeout()
    }

    /// The next thing to do; none when there is nothing until something is handled.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if self.hello_owed
            && let Some(cursor) = self.follower.hello()
        {
            self.hello_owed = false;
            return Some(Effect::Send(Message::Hello(cursor)));
        }
        if let Some(commit) = self.next_commit() {
            return Some(Effect::Commit(commit));
        }
        if self.hello_owed {
            // It waits for a commit, and is the first word on a connection.
            return None;
        }
        let (token, after, up_to, limit) = self.author.poll_fetch()?;
        Some(Effect::Fetch { token, after, up_to, limit })
    }

    /// Whether the peer has acknowledged all that this side wrote, and nothing waits for a commit.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.committing.is_none() && self.author.is_settled()
    }

    /// The last revision of this side, committed or not.
    #[must_use]
    pub fn last(&self) -> Revision {
        self.author.record().revision
    }

    /// The last revision of this side that is committed.
    #[must_use]
    pub fn committed(&self) -> Revision {
        self.author.committed()
    }

    /// The last revision of this side that the connected peer has acknowledged.
    #[must_use]
    pub fn acked(&self) -> Option<Revision> {
        self.author.acked()
    }

    /// How many documents of this side wait for a commit, those of the one that is going on among them.
    #[must_use]
    pub fn uncommitted(&self) -> usize {
        self.pending_at.len() + self.committing.as_ref().map_or(0, |commit| commit.authored.len())
    }

    /// How far the peer's changes are committed here.
    #[must_use]
    pub fn followed(&self) -> Option<Cursor> {
        self.follower.committed()
    }

    /// All that is queued becomes one transaction, as soon as the one before is done.
    fn next_commit(&mut self) -> Option<Arc<Commit>> {
        if self.committing.is_some() {
            return None;
        }
        let forget = self.author.take_forget();
        if self.pending.is_empty()
            && !self.follower.has_queued()
            && forget.is_none()
            && !self.author.needs_recording()
        {
            return None;
        }
        self.pending_at.clear();
        let mut authored = std::mem::take(&mut self.pending);
        authored.retain(|entry| entry.revision != Revision::ZERO);
        let token = CommitToken(self.next_token);
        self.next_token += 1;
        let commit = Arc::new(Commit {
            token,
            stream: self.stream,
            author: Some(self.author.record()),
            authored,
            forget,
            followed: self.follower.take(),
        });
        self.committing = Some(Arc::clone(&commit));
        Some(commit)
    }
}
