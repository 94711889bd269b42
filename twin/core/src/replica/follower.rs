//! The receiving half: a batch is taken only where it joins on, and its entries and its cursor are one commit.

use super::message::{BadBatch, Base, Batch, Followed};
use super::way::plain;
use crate::document::Side;
use crate::revision::{Cursor, Revision};

#[derive(Debug)]
pub(super) struct Follower {
    author: Side,
    committed: Option<Cursor>,
    /// With what is queued or being committed.
    received: Option<Cursor>,
    staged: Option<Cursor>,
    queue: Vec<Followed>,
    queued_batches: usize,
    /// The cursors that the queue and the commit in flight end with.
    ack_queued: Option<Cursor>,
    ack_in_flight: Option<Cursor>,
    committing: bool,
    commit_to: Option<Cursor>,
}

impl Follower {
    /// More than any correct author sends before the first is acknowledged.
    const MOST_BATCHES: usize = 64;

    pub(super) fn new(author: Side, committed: Option<Cursor>) -> Self {
        Self {
            author,
            committed,
            received: committed,
            staged: None,
            queue: Vec::new(),
            queued_batches: 0,
            ack_queued: None,
            ack_in_flight: None,
            committing: false,
            commit_to: None,
        }
    }

    pub(super) fn handle_disconnected(&mut self) {
        self.staged = None;
        // They were owed on the connection that is gone; the next hello says as much.
        self.ack_queued = None;
        self.ack_in_flight = None;
    }

    /// Takes a batch; the answer is a cursor to acknowledge at once when it does not join on.
    pub(super) fn handle_batch(&mut self, batch: Batch) -> Result<Option<Cursor>, BadBatch> {
        self.check(&batch)?;
        let Batch { base, cursor, entries } = batch;
        match base {
            Base::Cursor(base) => {
                if self.received != Some(base) {
                    return Ok(self.committed);
                }
                self.staged = None;
                self.received = Some(cursor);
                self.queue.push(Followed::Apply { entries, cursor });
            }
            Base::Reset { last: true, .. } if self.is_behind(cursor) => {
                // An echo of a reset that is done: it would undo what came after.
                self.staged = None;
                return Ok(self.committed);
            }
            Base::Reset { after, last } => {
                match after {
                    None => self.queue.push(Followed::ResetBegin),
                    Some(after) if self.staged == Some(after) => {}
                    Some(_) => return Ok(self.committed),
                }
                self.queue.push(Followed::Stage { entries });
                self.staged = Some(cursor);
                if last {
                    self.staged = None;
                    self.received = Some(cursor);
                    self.queue.push(Followed::ResetEnd { cursor });
                }
            }
        }
        self.queued_batches += 1;
        self.ack_queued = Some(cursor);
        Ok(None)
    }

    /// Whether all up to `cursor` of the same start of the author is here already.
    fn is_behind(&self, cursor: Cursor) -> bool {
        self.received.is_some_and(|here| {
            plain(here.incarnation) == plain(cursor.incarnation) && here.rank() >= cursor.rank()
        })
    }

    fn check(&self, batch: &Batch) -> Result<(), BadBatch> {
        if self.queued_batches >= Self::MOST_BATCHES {
            return Err(BadBatch::WindowExceeded { limit: Self::MOST_BATCHES });
        }
        let mut before = match batch.base {
            Base::Cursor(base) => base.revision,
            Base::Reset { after, .. } => after.map_or(Revision::ZERO, |c| c.revision),
        };
        for entry in &batch.entries {
            let revision = entry.revision;
            if entry.change.part().author() != self.author {
                return Err(BadBatch::NotTheirs { revision });
            }
            if revision <= before || revision > batch.cursor.revision {
                return Err(BadBatch::OutOfOrder { revision });
            }
            before = revision;
        }
        Ok(())
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Everything queued, for the next commit.
    pub(super) fn take(&mut self) -> Vec<Followed> {
        self.queued_batches = 0;
        self.ack_in_flight = self.ack_queued.take();
        self.committing = !self.queue.is_empty();
        self.commit_to = self.received;
        std::mem::take(&mut self.queue)
    }

    /// The commit is done; the answer is the cursor to acknowledge.
    pub(super) fn handle_committed(&mut self) -> Option<Cursor> {
        if std::mem::take(&mut self.committing) {
            self.committed = self.commit_to.take();
        }
        self.ack_in_flight.take()
    }

    /// The cursor for a hello: none while something is being committed that would outdate it.
    pub(super) fn hello(&self) -> Option<Option<Cursor>> {
        (!self.committing && self.queue.is_empty()).then_some(self.committed)
    }

    pub(super) fn committed(&self) -> Option<Cursor> {
        self.committed
    }
}
