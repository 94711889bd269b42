//! One side: what is durable, what is in memory, and the truth beside it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sync_proto::Session;
use twin_core::replica::{Commit, FetchToken, Limits, Replica};
use twin_core::{Cursor, Entry, Incarnation, Key, Revision, Side};

use super::change::serial;
use super::sabotage::Sabotage;
use super::table::Table;
use super::truth::{Ever, Truth};

/// A gateway or a cloud.
pub(super) struct End {
    pub(super) side: Side,
    pub(super) limits: Limits,
    pub(super) table: Table,
    pub(super) truth: Truth,
    pub(super) ever: Ever,
    /// What was last written of each document, committed or not; the loss of a process goes back to what is durable.
    pub(super) intended: BTreeMap<Key, Option<i64>>,
    /// Every write that was answered since the database was last restored, by its document.
    pub(super) answered: BTreeMap<Key, Revision>,
    pub(super) backups: Vec<Backup>,
    pub(super) process: Option<Process>,
}

/// A copy of a database, with the history that led to it.
#[derive(Clone)]
pub(super) struct Backup {
    table: Table,
    truth: Truth,
}

/// What a crash takes away.
pub(super) struct Process {
    pub(super) incarnation: Incarnation,
    /// The edge always has one; the cloud has one while its node has a session.
    pub(super) replica: Option<Replica>,
    pub(super) commit: Option<Committing>,
    pub(super) fetches: Vec<Fetching>,
    /// What the store has written and the replica has not been told yet.
    pub(super) notices: Vec<(Cursor, Option<Revision>)>,
    /// The connection it knows of.
    pub(super) connection: Option<u64>,
    /// Its session, where sessions are between.
    pub(super) session: Option<Session>,
    /// The cursors of all batches that its session was given.
    pub(super) wholes: HashSet<Cursor>,
    pub(super) said_hello: bool,
    pub(super) peer: Option<Incarnation>,
    /// Every cursor that was durable while it ran.
    pub(super) was_at: HashSet<Cursor>,
    /// The entries of each batch of a reset that came, by its cursor; another copy may have others.
    pub(super) staged: HashMap<Cursor, Vec<Vec<(Key, Revision)>>>,
    pub(super) last_written: Revision,
    /// Writes that no commit has taken yet.
    pub(super) waiting: usize,
}

pub(super) struct Committing {
    pub(super) commit: Arc<Commit>,
    pub(super) durable: bool,
    pub(super) told: bool,
}

pub(super) struct Fetching {
    pub(super) token: FetchToken,
    pub(super) after: Revision,
    pub(super) up_to: Revision,
    pub(super) limit: usize,
    pub(super) rows: Option<Vec<Entry>>,
}

impl End {
    pub(super) fn new(side: Side, limits: Limits) -> Self {
        Self {
            side,
            limits,
            table: Table::default(),
            truth: Truth::default(),
            ever: Ever::default(),
            intended: BTreeMap::new(),
            answered: BTreeMap::new(),
            backups: Vec::new(),
            process: None,
        }
    }

    pub(super) fn start(&mut self, random: u64, sabotage: Sabotage) {
        self.process = Some(Process {
            incarnation: sabotage.incarnation(&self.table, random),
            replica: None,
            commit: None,
            fetches: Vec::new(),
            notices: Vec::new(),
            connection: None,
            session: None,
            wholes: HashSet::new(),
            said_hello: false,
            peer: None,
            was_at: self.table.followed.into_iter().collect(),
            staged: HashMap::new(),
            last_written: self.table.last(),
            waiting: 0,
        });
        if self.side == Side::Edge {
            self.make_replica(sabotage);
        }
    }

    pub(super) fn make_replica(&mut self, sabotage: Sabotage) {
        let stored = sabotage.stored(self.table.stored(self.side));
        let Some(process) = &mut self.process else { return };
        if process.replica.is_none() {
            process.replica = Some(Replica::new(self.side, process.incarnation, &stored, self.limits));
        }
    }

    /// The incarnation of the process that runs.
    pub(super) fn running(&self) -> Option<Incarnation> {
        self.process.as_ref().map(|process| process.incarnation)
    }

    pub(super) fn replica(&mut self) -> Option<&mut Replica> {
        self.process.as_mut()?.replica.as_mut()
    }

    /// The process is gone, and what it had not stored.
    pub(super) fn crash(&mut self) {
        self.process = None;
        self.intended =
            self.truth.newest().into_iter().map(|(key, serial)| (key.clone(), Some(serial))).collect();
    }

    pub(super) fn back_up(&mut self) {
        const MOST: usize = 4;
        if self.backups.len() == MOST {
            self.backups.remove(1);
        }
        self.backups.push(Backup { table: self.table.clone(), truth: self.truth.clone() });
    }

    /// An older state of the database takes the place of the one of now. The process is down.
    pub(super) fn restore(&mut self, which: usize) {
        let Backup { table, truth } = self.backups[which].clone();
        self.table = table;
        self.truth = truth;
        self.answered.clear();
        self.crash();
    }

    /// What was answered is in the database, or something newer of the same document.
    pub(super) fn check_answered(&self) -> Result<(), String> {
        for (key, revision) in &self.answered {
            let newest = self.truth.newest_revision(key);
            if newest < *revision {
                return Err(format!("{:?} was answered with {revision} and is at {newest}", key.part()));
            }
        }
        Ok(())
    }

    /// The database holds what was last written of each document, and the truth agrees.
    pub(super) fn check_own(&self) -> Result<(), String> {
        let held: BTreeMap<&Key, i64> =
            self.table.live(self.side).filter_map(|(key, e)| Some((key, serial(&e.change)?))).collect();
        let wanted: BTreeMap<&Key, i64> =
            self.intended.iter().filter_map(|(key, serial)| Some((key, (*serial)?))).collect();
        if held != wanted || held != self.truth.newest() {
            return Err(format!(
                "{:?} holds {} documents, not the {} written",
                self.side,
                held.len(),
                wanted.len()
            ));
        }
        let tombstones = self.table.tombstones(self.side);
        if tombstones > 0 {
            return Err(format!("{:?} keeps {tombstones} tombstones that are acknowledged", self.side));
        }
        Ok(())
    }
}
