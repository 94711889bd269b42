//! Rows that wait to be written, of each key only the newest.

use std::collections::HashMap;
use std::hash::Hash;

/// A list in order of arrival in which a later row takes the place of an earlier one with the same key.
#[derive(Debug)]
pub(crate) struct Rows<K, R> {
    rows: Vec<R>,
    places: HashMap<K, usize>,
}

impl<K, R> Default for Rows<K, R> {
    fn default() -> Self {
        Self { rows: Vec::new(), places: HashMap::new() }
    }
}

impl<K: Eq + Hash, R> Rows<K, R> {
    pub(crate) fn put(&mut self, key: K, row: R) {
        match self.places.get(&key).and_then(|place| self.rows.get_mut(*place)) {
            Some(slot) => *slot = row,
            None => {
                self.places.insert(key, self.rows.len());
                self.rows.push(row);
            }
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&R> {
        self.places.get(key).and_then(|place| self.rows.get(*place))
    }

    pub(crate) fn take(&mut self) -> Vec<R> {
        self.places.clear();
        std::mem::take(&mut self.rows)
    }
}
