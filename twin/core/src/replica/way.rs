//! Cursors on the way: those behind which there was more to read.
//!
//! A document that had changed again when a batch was read is not in that batch, but in a later one. Were the author
//! restored to a backup of between, and did it find the cursor of the first batch good, it would never send what the
//! document was then. So a cursor on the way bears a mark, and only the start of the author that gave it resumes from it.

use crate::revision::{Cursor, Incarnation, Revision};

/// No drawn incarnation keeps this bit; a store keeps the 63 bits below the top one.
const MARK: u64 = 1 << 62;

/// The incarnation without the mark.
pub(super) fn plain(incarnation: Incarnation) -> Incarnation {
    Incarnation::new(incarnation.get() & !MARK)
}

impl Cursor {
    /// The cursor at an earlier revision of the batch that ends with this one: where the batch is cut, if it is.
    #[must_use]
    pub const fn on_the_way_at(self, revision: Revision) -> Self {
        Self { incarnation: Incarnation::new(self.incarnation.get() | MARK), revision }
    }

    /// Whether there was more to read behind it, so that nobody but the author's running process resumes from it.
    #[must_use]
    pub const fn is_on_the_way(self) -> bool {
        self.incarnation.get() & MARK != 0
    }

    /// The order of the cursors of one start of an author: on the way comes before having arrived.
    pub(super) fn rank(self) -> (Revision, bool) {
        (self.revision, !self.is_on_the_way())
    }
}
