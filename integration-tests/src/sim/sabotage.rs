//! Ways to break the resume rule from outside, to show that the simulation would notice.

use std::collections::BTreeMap;

use twin_core::replica::{Commit, Followed, Stored};
use twin_core::{Cursor, Entry, Incarnation, Key, Revision, Side};

use super::table::Table;

/// What the shell or the store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// An epoch counted in the database takes the place of the random incarnation: a restored backup counts again.
    EpochNumber,
    /// A cursor is good when its incarnation is known, wherever that ended.
    EndsUnchecked,
    /// The cursor moves with each entry of a batch, not with the whole of it.
    CursorPerEntry,
    /// A commit is called done before it is in the store.
    AckBeforeCommit,
    /// Tombstones are dropped and the store does not say from where on.
    FloorForgotten,
}

impl Sabotage {
    /// The incarnation of a process that starts on `table`.
    pub(super) fn incarnation(self, table: &Table, random: u64) -> Incarnation {
        if self == Self::EpochNumber {
            let highest = table.incarnations.keys().last().map_or(0, |i| i.get());
            return Incarnation::new(highest + 1);
        }
        Incarnation::new(random)
    }

    /// What a replica is told of its store.
    pub(super) fn stored(self, mut stored: Stored) -> Stored {
        match self {
            Self::EndsUnchecked => {
                let last = stored.incarnations.iter().map(|c| c.revision).max().unwrap_or_default();
                stored.incarnations.iter_mut().for_each(|c| c.revision = last);
            }
            Self::FloorForgotten => stored.floor = Revision::ZERO,
            Self::None | Self::EpochNumber | Self::CursorPerEntry | Self::AckBeforeCommit => {}
        }
        stored
    }
}

/// Applies a commit with a cursor that moves per entry, up to `most` entries; the crash comes after them.
pub(super) fn apply_per_entry(
    table: &mut Table,
    commit: &Commit,
    side: Side,
    peer: Option<Incarnation>,
    most: usize,
) {
    table.apply_own(commit, side);
    let mut left = most;
    let mut step = |table: &mut Table, entry: &Entry| {
        if left > 0 {
            left -= 1;
            table.stage(entry);
            table.replace(entry);
            table.followed = peer.map(|incarnation| Cursor { incarnation, revision: entry.revision });
        }
    };
    for followed in &commit.followed {
        match followed {
            Followed::Apply { entries, cursor } => {
                entries.iter().for_each(|entry| step(table, entry));
                if most == usize::MAX {
                    table.followed = Some(*cursor);
                }
            }
            Followed::ResetBegin => table.clear_staging(),
            Followed::Stage { entries } => entries.iter().for_each(|entry| step(table, entry)),
            Followed::ResetEnd { cursor } => {
                if most == usize::MAX {
                    let staged: BTreeMap<Key, Entry> = table.take_staging();
                    table.rows.retain(|key, _| key.part().author() == side || staged.contains_key(key));
                    table.followed = Some(*cursor);
                }
            }
        }
    }
}
