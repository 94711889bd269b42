//! A store as a replica expects one, in maps: what is in here survives a crash.

use std::collections::{BTreeMap, HashSet};

use twin_core::replica::{Commit, Followed, Stored};
use twin_core::{Change, Cursor, Entry, Incarnation, Key, Revision, Side};

/// The durable state of one side.
#[derive(Clone, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<Key, Entry>,
    pub(super) incarnations: BTreeMap<Incarnation, Revision>,
    pub(super) floor: Revision,
    pub(super) followed: Option<Cursor>,
    staging: BTreeMap<Key, Entry>,
    /// All that was ever staged here: what a reset in progress may be acknowledged by.
    pub(super) ever_staged: HashSet<(Key, Revision)>,
}

impl Table {
    /// What a replica finds when it starts.
    pub(super) fn stored(&self, side: Side) -> Stored {
        let tombstones = self
            .rows
            .values()
            .filter(|e| e.change.is_deletion() && e.change.part().author() == side)
            .map(|e| e.revision)
            .fold(None, |range: Option<(Revision, Revision)>, at| {
                Some(range.map_or((at, at), |(oldest, newest)| (oldest.min(at), newest.max(at))))
            });
        let incarnations = self
            .incarnations
            .iter()
            .map(|(&incarnation, &revision)| Cursor { incarnation, revision })
            .collect();
        Stored { incarnations, floor: self.floor, tombstones, followed: self.followed }
    }

    /// One transaction.
    pub(super) fn apply(&mut self, commit: &Commit, side: Side) {
        self.apply_own(commit, side);
        for step in &commit.followed {
            match step {
                Followed::Apply { entries, cursor } => {
                    entries.iter().for_each(|entry| self.replace(entry));
                    self.followed = Some(*cursor);
                }
                Followed::ResetBegin => self.clear_staging(),
                Followed::Stage { entries } => entries.iter().for_each(|entry| self.stage(entry)),
                Followed::ResetEnd { cursor } => {
                    self.rows.retain(|key, _| key.part().author() == side);
                    let staged = self.take_staging();
                    self.rows.extend(staged.into_iter().filter(|(_, e)| !e.change.is_deletion()));
                    self.followed = Some(*cursor);
                }
            }
        }
    }

    /// The part of a transaction that is about this side's own documents.
    pub(super) fn apply_own(&mut self, commit: &Commit, side: Side) {
        for entry in &commit.authored {
            self.rows.insert(entry.change.key(), entry.clone());
        }
        if let Some(cursor) = commit.author {
            self.record(cursor);
        }
        if let Some(forget) = commit.forget {
            self.rows.retain(|key, e| {
                key.part().author() != side || !e.change.is_deletion() || e.revision > forget.up_to
            });
            self.floor = self.floor.max(forget.floor);
        }
    }

    /// A document of the peer takes its new form.
    pub(super) fn replace(&mut self, entry: &Entry) {
        if entry.change.is_deletion() {
            self.rows.remove(&entry.change.key());
        } else {
            self.rows.insert(entry.change.key(), entry.clone());
        }
    }

    pub(super) fn stage(&mut self, entry: &Entry) {
        self.ever_staged.insert((entry.change.key(), entry.revision));
        self.staging.insert(entry.change.key(), entry.clone());
    }

    pub(super) fn take_staging(&mut self) -> BTreeMap<Key, Entry> {
        std::mem::take(&mut self.staging)
    }

    pub(super) fn clear_staging(&mut self) {
        self.staging.clear();
    }

    pub(super) fn record(&mut self, cursor: Cursor) {
        let end = self.incarnations.entry(cursor.incarnation).or_insert(Revision::ZERO);
        *end = (*end).max(cursor.revision);
    }

    /// A change whose revision is taken in the transaction that stores it, as the cloud's database does.
    pub(super) fn author(&mut self, change: Change, incarnation: Incarnation) -> Entry {
        let revision = self.last().next();
        let entry = Entry { revision, change };
        self.rows.insert(entry.change.key(), entry.clone());
        self.record(Cursor { incarnation, revision });
        entry
    }

    /// The highest revision of this side.
    pub(super) fn last(&self) -> Revision {
        self.incarnations.values().copied().max().unwrap_or(Revision::ZERO)
    }

    pub(super) fn fetch(&self, side: Side, after: Revision, up_to: Revision, limit: usize) -> Vec<Entry> {
        let mut rows: Vec<_> = self
            .rows
            .values()
            .filter(|e| e.change.part().author() == side && after < e.revision && e.revision <= up_to)
            .collect();
        rows.sort_by_key(|e| e.revision);
        rows.into_iter().take(limit).cloned().collect()
    }

    /// The documents of `author` that are not deleted.
    pub(super) fn live(&self, author: Side) -> impl Iterator<Item = (&Key, &Entry)> {
        self.rows.iter().filter(move |(key, e)| key.part().author() == author && !e.change.is_deletion())
    }

    /// How many tombstones of `author` are kept.
    pub(super) fn tombstones(&self, author: Side) -> usize {
        self.rows.values().filter(|e| e.change.is_deletion() && e.change.part().author() == author).count()
    }
}
