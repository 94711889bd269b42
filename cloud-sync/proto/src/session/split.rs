//! Batches that are too long for one frame go as several: each a batch of its own that joins on to the one before.

use std::collections::VecDeque;

use twin_core::Cursor;
use twin_core::replica::{Base, Batch};

/// Cuts a batch in two halves of which the second joins on to the first; none when it has fewer than two entries.
pub(super) fn halves(mut batch: Batch) -> Result<(Batch, Batch), Batch> {
    let middle = batch.entries.len() / 2;
    let Some(end) = middle.checked_sub(1).and_then(|last| batch.entries.get(last)).map(|e| e.revision) else {
        return Err(batch);
    };
    // There is more behind it, so nobody but the author's running process may resume from it.
    let between = batch.cursor.on_the_way_at(end);
    let rest = batch.entries.split_off(middle);
    let (first, second) = match batch.base {
        Base::Cursor(base) => (Base::Cursor(base), Base::Cursor(between)),
        Base::Reset { after, last } => {
            (Base::Reset { after, last: false }, Base::Reset { after: Some(between), last })
        }
    };
    Ok((
        Batch { base: first, cursor: between, entries: batch.entries },
        Batch { base: second, cursor: batch.cursor, entries: rest },
    ))
}

/// A batch that waits to be sent, whole or what is left of it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) batch: Batch,
    /// Whether it ends where a batch was cut.
    pub(super) ends_in_seam: bool,
}

impl Part {
    pub(super) fn whole(batch: Batch) -> Self {
        Self { batch, ends_in_seam: false }
    }
}

/// The cursors that the frames sent end with, in the order sent. The peer acknowledges the seams too; the author, who
/// knows only whole batches, would take such an acknowledgement for a lost one and send the rest again. So the first
/// for each ends here. A second one comes only when the peer says where it stands, and is passed on.
///
/// Whole batches are noted too: an acknowledgement covers all that was sent before it, and a seam that outlived its own
/// (the peer acknowledges once for all that it commits together) could be mixed up with the end of a later batch.
#[derive(Debug, Default)]
pub(super) struct Ends {
    sent: VecDeque<(Cursor, bool)>,
}

impl Ends {
    /// More than are on their way at once: four batches of 500 entries, cut to the last.
    const MOST: usize = 4096;

    pub(super) fn sent(&mut self, cursor: Cursor, is_seam: bool) {
        if self.sent.len() == Self::MOST {
            self.sent.pop_front();
        }
        self.sent.push_back((cursor, is_seam));
    }

    /// Whether an acknowledgement ends here.
    pub(super) fn take_seam(&mut self, acked: Cursor) -> bool {
        let Some(place) = self.sent.iter().position(|(cursor, _)| *cursor == acked) else { return false };
        self.sent.drain(..=place).next_back().is_some_and(|(_, is_seam)| is_seam)
    }

    pub(super) fn clear(&mut self) {
        self.sent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Incarnation, Revision};

    fn marked(revision: u64) -> Cursor {
        let start = Cursor { incarnation: Incarnation::new(9), revision: Revision::ZERO };
        start.on_the_way_at(Revision::new(revision))
    }

    #[test]
    fn a_seam_that_the_peer_skipped_does_not_hide_the_end_of_a_later_batch() {
        let mut ends = Ends::default();
        ends.sent(marked(6), true);
        ends.sent(marked(8), false);
        assert!(!ends.take_seam(marked(8)), "both are committed together and acknowledged once");
        ends.sent(marked(6), false);
        assert!(!ends.take_seam(marked(6)), "a reset that began again has a whole batch that ends there");
    }

    #[test]
    fn a_seam_said_again_tells_where_the_peer_stands() {
        let mut ends = Ends::default();
        ends.sent(marked(6), true);
        assert!(ends.take_seam(marked(6)) && !ends.take_seam(marked(6)));
    }
}
