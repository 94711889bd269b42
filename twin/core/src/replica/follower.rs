//! The receiving half: a batch is taken only where it joins on, and its entries and its cursor are one commit.

use super::author::NEWEST;
use super::message::{BadBatch, Base, Batch, Followed};
use super::way::plain;
use crate::document::{Side, Stream};
use crate::revision::{Cursor, Revision};

#[derive(Debug)]
pub(super) struct Follower {
    stream: Stream,
    author: Side,
    committed: Option<Cursor>,
    /// With what is queued or being committed.
    received: Option<Cursor>,
    staged: Option<Cursor>,
    queue: Vec<Followed>,
    queued_entries: usize,
    /// The cursors that the queue and the commit in flight end with.
    ack_queued: Option<Cursor>,
    ack_in_flight: Option<Cursor>,
    committing: bool,
    commit_to: Option<Cursor>,
}

impl Follower {
    /// More than any correct author sends before the first is acknowledged: four times a window of 4 batches of 500. It
    /// is not batches that are counted (one without entries counts as one entry), since the link may cut them.
    const MOST_ENTRIES: usize = 8_000;

    pub(super) fn new(stream: Stream, author: Side, committed: Option<Cursor>) -> Self {
        Self {
            stream,
            author,
            committed,
            received: committed,
            staged: None,
            queue: Vec::new(),
            queued_entries: 0,
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
                self.queued_entries += entries.len().max(1);
                self.queue.push(Followed::Apply { entries, cursor });
            }
            Base::Reset { last: true, .. } if self.is_behind(cursor) => {
                // An echo of a reset that is done: it would undo what came after.
                self.staged = None;
                return Ok(self.committed);
            }
            Base::Reset { after, last } => {
                match after {
                    None => self.begin_reset(),
                    Some(after) if self.staged == Some(after) => {}
                    Some(_) => return Ok(self.committed),
                }
                self.queued_entries += entries.len().max(1);
                self.queue.push(Followed::Stage { entries });
                self.staged = Some(cursor);
                if last {
                    self.staged = None;
                    self.received = Some(cursor);
                    self.queue.push(Followed::ResetEnd { cursor });
                }
            }
        }
        self.ack_queued = Some(cursor);
        Ok(None)
    }

    /// A reset that begins again while the one before waits for a commit takes its place.
    fn begin_reset(&mut self) {
        let open = self.queue.iter().rposition(|step| !matches!(step, Followed::Stage { .. }));
        if let Some(at) = open.filter(|at| self.queue.get(*at) == Some(&Followed::ResetBegin)) {
            let entries = |step: &Followed| match step {
                Followed::Stage { entries } => entries.len().max(1),
                Followed::Apply { .. } | Followed::ResetBegin | Followed::ResetEnd { .. } => 0,
            };
            self.queued_entries -= self.queue.drain(at..).map(|step| entries(&step)).sum::<usize>();
        }
        self.queue.push(Followed::ResetBegin);
    }

    /// Whether all up to `cursor` of the same start of the author is here already.
    fn is_behind(&self, cursor: Cursor) -> bool {
        self.received.is_some_and(|here| {
            plain(here.incarnation) == plain(cursor.incarnation) && here.rank() >= cursor.rank()
        })
    }

    fn check(&self, batch: &Batch) -> Result<(), BadBatch> {
        if self.queued_entries >= Self::MOST_ENTRIES {
            return Err(BadBatch::WindowExceeded { limit: Self::MOST_ENTRIES });
        }
        let mut before = match batch.base {
            Base::Cursor(base) => base.revision,
            Base::Reset { after, .. } => after.map_or(Revision::ZERO, |c| c.revision),
        };
        if batch.cursor.revision > NEWEST {
            return Err(BadBatch::OutOfOrder { revision: batch.cursor.revision });
        }
        for entry in &batch.entries {
            let revision = entry.revision;
            let part = entry.change.part();
            if part.author() != self.author || part.stream() != self.stream {
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
        self.queued_entries = 0;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Change, Entry};
    use crate::revision::Incarnation;

    fn cursor(revision: u64) -> Cursor {
        Cursor { incarnation: Incarnation::new(9), revision: Revision::new(revision) }
    }

    fn entry(revision: u64) -> Entry {
        let device = format!("pump-{revision}").parse().unwrap();
        Entry { revision: Revision::new(revision), change: Change::Device(device, None) }
    }

    /// One entry, after the one before.
    fn part(n: u64) -> Batch {
        Batch { base: Base::Cursor(cursor(n - 1)), cursor: cursor(n), entries: vec![entry(n)] }
    }

    fn reset_part(n: u64) -> Batch {
        let after = (n > 1).then(|| cursor(n - 1));
        Batch { base: Base::Reset { after, last: false }, cursor: cursor(n), entries: vec![entry(n)] }
    }

    #[test]
    fn a_window_that_the_link_cut_to_single_entries_fits_while_one_commit_lasts() {
        let mut follower = Follower::new(Stream::Twin, Side::Edge, Some(cursor(0)));
        for n in 1..=2_000 {
            assert_eq!(follower.handle_batch(part(n)), Ok(None));
        }
        let limit = Follower::MOST_ENTRIES as u64;
        for n in 2_001..=limit {
            follower.handle_batch(part(n)).unwrap();
        }
        let refused = follower.handle_batch(part(limit + 1));
        assert_eq!(refused, Err(BadBatch::WindowExceeded { limit: Follower::MOST_ENTRIES }));
        follower.take();
        assert_eq!(follower.handle_batch(part(limit + 1)), Ok(None));
    }

    #[test]
    fn a_reset_that_begins_again_and_again_while_one_commit_lasts_is_held_once() {
        let mut follower = Follower::new(Stream::Twin, Side::Edge, Some(cursor(0)));
        follower.handle_batch(part(1)).unwrap();
        for _ in 0..100 {
            for n in 1..=500 {
                follower.handle_batch(reset_part(n)).unwrap();
            }
        }
        assert_eq!(follower.queued_entries, 501);
        let queue = follower.take();
        assert!(matches!(queue[..2], [Followed::Apply { .. }, Followed::ResetBegin]));
        assert!(queue.len() == 502 && queue[2..].iter().all(|s| matches!(s, Followed::Stage { .. })));
    }

    #[test]
    fn a_reset_that_is_done_is_kept_when_another_begins() {
        let mut follower = Follower::new(Stream::Twin, Side::Edge, None);
        let last = Batch { base: Base::Reset { after: None, last: true }, ..reset_part(1) };
        follower.handle_batch(last).unwrap();
        follower.handle_batch(reset_part(1)).unwrap();
        follower.handle_batch(reset_part(1)).unwrap();
        let is_begin = |step: &&Followed| matches!(step, Followed::ResetBegin);
        assert_eq!(follower.take().iter().filter(is_begin).count(), 2);
    }

    #[test]
    fn a_revision_that_no_store_keeps_is_refused() {
        let mut follower = Follower::new(Stream::Twin, Side::Edge, Some(cursor(0)));
        let far = Batch { cursor: cursor(u64::MAX), ..part(1) };
        assert!(matches!(follower.handle_batch(far), Err(BadBatch::OutOfOrder { .. })));
    }
}
