//! The reference model: what an author has really had, kept whole and beside the system.

use std::collections::{BTreeMap, HashMap};

use twin_core::replica::Commit;
use twin_core::{Cursor, Entry, Incarnation, Key, Revision, Side};

use super::change::{brief, serial};
use super::table::Table;

/// The one history that leads to an author's state of now. Restoring a backup goes back to the history of then.
#[derive(Clone, Default)]
pub(super) struct Truth {
    ends: BTreeMap<Incarnation, Revision>,
    /// All versions of each document, oldest first, by the number of the value; none where it was deleted.
    versions: BTreeMap<Key, Vec<(Revision, Option<i64>)>>,
}

/// The incarnation without the mark of cursors on the way.
fn plain(incarnation: Incarnation) -> Incarnation {
    const MARK: u64 = 1 << 62;
    Incarnation::new(incarnation.get() & !MARK)
}

/// Whether who is at `here` has all up to `there`.
pub(super) fn covers(here: Cursor, there: Cursor) -> bool {
    plain(here.incarnation) == plain(there.incarnation) && here.revision >= there.revision
}

/// All that an author ever stored, on whatever history.
pub(super) type Ever = HashMap<i64, Entry>;

impl Truth {
    pub(super) fn take_commit(&mut self, commit: &Commit, ever: &mut Ever) {
        for entry in &commit.authored {
            self.take_entry(entry, ever);
        }
        if let Some(cursor) = commit.author {
            self.take_end(cursor);
        }
    }

    pub(super) fn take_entry(&mut self, entry: &Entry, ever: &mut Ever) {
        let serial = serial(&entry.change);
        self.versions.entry(entry.change.key()).or_default().push((entry.revision, serial));
        if let Some(serial) = serial {
            ever.insert(serial, entry.clone());
        }
    }

    pub(super) fn take_end(&mut self, cursor: Cursor) {
        let end = self.ends.entry(plain(cursor.incarnation)).or_insert(Revision::ZERO);
        *end = (*end).max(cursor.revision);
    }

    /// Whether this entry is part of the history that leads to now.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        let version = (entry.revision, serial(&entry.change));
        self.versions.get(&entry.change.key()).is_some_and(|all| all.contains(&version))
    }

    /// Whether the author was at this cursor on the history that leads to now. A cursor on the way means something
    /// only to the start that gave it.
    pub(super) fn leads_through(&self, cursor: Cursor, running: Option<Incarnation>) -> bool {
        let start = plain(cursor.incarnation);
        if cursor.is_on_the_way() && running.map(plain) != Some(start) {
            return false;
        }
        self.ends.get(&start).is_some_and(|end| cursor.revision <= *end)
    }

    /// The revision of the newest version of a document.
    pub(super) fn newest_revision(&self, key: &Key) -> Revision {
        self.versions.get(key).and_then(|all| all.last()).map_or(Revision::ZERO, |(revision, _)| *revision)
    }

    /// The number of the newest value of each document that is not deleted.
    pub(super) fn newest(&self) -> BTreeMap<&Key, i64> {
        let newest = |(key, all): (_, &Vec<(Revision, Option<i64>)>)| Some((key, all.last()?.1?));
        self.versions.iter().filter_map(newest).collect()
    }

    /// Whether `table` holds what a follower with its cursor has to hold.
    pub(super) fn check_follower(
        &self,
        table: &Table,
        author: Side,
        running: Option<Incarnation>,
        ever: &Ever,
    ) -> Result<(), String> {
        for (key, entry) in table.live(author) {
            if serial(&entry.change).and_then(|serial| ever.get(&serial)) != Some(entry) {
                return Err(format!("{} at {} was never authored", brief(key), entry.revision));
            }
            if table.followed.is_none() {
                return Err(format!("{} is held without a cursor", brief(key)));
            }
        }
        let Some(cursor) = table.followed.filter(|c| self.leads_through(*c, running)) else { return Ok(()) };
        for (key, entry) in table.live(author) {
            if !self.has(entry) {
                return Err(format!("{} at {} is of a history given up", brief(key), entry.revision));
            }
            if entry.revision > cursor.revision {
                return Err(format!("{} at {} is ahead of the cursor", brief(key), entry.revision));
            }
        }
        for (key, all) in &self.versions {
            let Some((revision, newest)) = all.last().filter(|(r, _)| *r <= cursor.revision) else {
                continue;
            };
            let held = table.rows.get(key).map(|entry| serial(&entry.change));
            if held != newest.map(Some) {
                return Err(format!(
                    "{} is {held:?} at a follower that is at {}, but {newest:?} since {revision}",
                    brief(key),
                    cursor.revision
                ));
            }
        }
        Ok(())
    }
}
