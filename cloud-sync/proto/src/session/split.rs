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

/// The cursors between the halves. The peer acknowledges each; the author, who knows only whole batches, would take
/// such an acknowledgement for a lost one and send the rest again. So the first for each ends here. A second one comes
/// only when the peer says where it stands, and is passed on.
#[derive(Debug, Default)]
pub(super) struct Seams {
    cursors: VecDeque<Cursor>,
}

impl Seams {
    /// More than are on their way at once: four batches of 500 entries, cut to the last.
    const MOST: usize = 4096;

    pub(super) fn insert(&mut self, cursor: Cursor) {
        if self.cursors.len() == Self::MOST {
            self.cursors.pop_front();
        }
        self.cursors.push_back(cursor);
    }

    /// Whether an acknowledgement ends here.
    pub(super) fn take(&mut self, acked: Cursor) -> bool {
        let place = self.cursors.iter().position(|c| *c == acked);
        if let Some(place) = place {
            self.cursors.remove(place);
        }
        place.is_some()
    }

    pub(super) fn clear(&mut self) {
        self.cursors.clear();
    }
}
