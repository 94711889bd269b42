//! What the shell around a replica does, one effect at a time, so that a crash fits between any two.

use std::sync::Arc;

use twin_core::replica::{Base, Commit, Effect, Followed, Message};
use twin_core::{Entry, Revision, Side};

use super::end::{Committing, Fetching, Process};
use super::sabotage::{Sabotage, apply_per_entry};
use super::wire::Parcel;
use super::world::World;
use super::{index, other};

impl World {
    /// One small step of a side; whether there was anything to do.
    pub(super) fn turn(&mut self, side: Side) -> Result<bool, String> {
        if self.ends[index(side)].process.is_none() {
            return Ok(false);
        }
        if self.notice_connection(side) || self.tell_authored(side) {
            return Ok(true);
        }
        match self.rng.u8(..5) {
            0 if self.advance_commit(side)? => Ok(true),
            1 if self.advance_fetch(side) => Ok(true),
            2 if self.pump(side)? => Ok(true),
            _ if self.next_effect(side)? => Ok(true),
            _ => Ok(self.pump(side)? || self.advance_commit(side)? || self.advance_fetch(side)),
        }
    }

    /// A connection that is open or gone is noticed by each side in its own time.
    fn notice_connection(&mut self, side: Side) -> bool {
        let end = &mut self.ends[index(side)];
        let Some(process) = &mut end.process else { return false };
        if process.connection == self.link.connection() {
            return false;
        }
        let missed_the_end = self.rng.bool() && !self.sessions;
        process.connection = self.link.connection();
        process.said_hello = false;
        process.session = None;
        if process.connection.is_none() || !missed_the_end {
            if let Some(replica) = &mut process.replica {
                replica.handle_disconnected();
            }
            // A shell never gives up a transaction that it has begun.
            if side == Side::Cloud && process.commit.is_none() && self.rng.bool() {
                process.replica = None;
                process.fetches.clear();
                process.notices.clear();
            }
        }
        if process.connection.is_some() {
            end.make_replica(self.options.sabotage);
            if self.sessions {
                self.open_session(side);
            } else if let Some(replica) = end.replica() {
                replica.handle_connected();
            }
        }
        self.say(format_args!("{side:?} notices connection {:?}", self.link.connection()));
        true
    }

    /// The replica hears of what the store wrote, in any order.
    fn tell_authored(&mut self, side: Side) -> bool {
        let Some(process) = &mut self.ends[index(side)].process else { return false };
        if process.notices.is_empty() {
            return false;
        }
        let (cursor, tombstone) = process.notices.swap_remove(self.rng.usize(..process.notices.len()));
        if let Some(replica) = &mut process.replica {
            replica.handle_authored(cursor, tombstone);
        }
        self.say(format_args!("{side:?} hears of {}", cursor.revision));
        true
    }

    fn advance_commit(&mut self, side: Side) -> Result<bool, String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(false) };
        let Some(committing) = &mut process.commit else { return Ok(false) };
        if !committing.durable {
            committing.durable = true;
            let commit = Arc::clone(&committing.commit);
            self.make_durable(side, &commit)?;
            return Ok(true);
        }
        let Some(Committing { commit, told, .. }) = process.commit.take() else { return Ok(false) };
        if !told && let Some(replica) = &mut process.replica {
            replica.handle_committed(commit.token);
        }
        self.say(format_args!("{side:?} is told of the commit"));
        Ok(true)
    }

    fn make_durable(&mut self, side: Side, commit: &Commit) -> Result<(), String> {
        self.report.commits += 1;
        let end = &mut self.ends[index(side)];
        if self.options.sabotage == Sabotage::CursorPerEntry {
            let peer = end.process.as_ref().and_then(|p| p.peer);
            apply_per_entry(&mut end.table, commit, side, peer, usize::MAX);
        } else {
            end.table.apply(commit, side);
        }
        end.truth.take_commit(commit, &mut end.ever);
        if let Some(process) = &mut end.process {
            process.was_at.extend(end.table.followed);
        }
        let resets = commit.followed.iter().filter(|f| matches!(f, Followed::ResetEnd { .. })).count();
        self.report.resets += resets as u64;
        self.trace.add(
            self.now,
            format_args!(
                "{side:?} has committed {} written, {} followed, forgotten {:?}; follows at {:?}",
                commit.authored.len(),
                commit.followed.len(),
                commit.forget.map(|f| (f.up_to.get(), f.floor.get())),
                self.ends[index(side)].table.followed.map(|c| c.revision.get())
            ),
        );
        if self.options.check_steps && !commit.followed.is_empty() {
            let author = &self.ends[index(other(side))];
            let follower = &self.ends[index(side)].table;
            author.truth.check_follower(follower, author.side, author.running(), &author.ever)?;
        }
        Ok(())
    }

    /// With a cursor that moves per entry a crash leaves half a batch.
    pub(super) fn break_half_committed(&mut self, side: Side) {
        if self.options.sabotage != Sabotage::CursorPerEntry {
            return;
        }
        let end = &mut self.ends[index(side)];
        let Some(process) = &end.process else { return };
        let Some(Committing { commit, durable: false, .. }) = &process.commit else { return };
        let most = self.rng.usize(..6);
        apply_per_entry(&mut end.table, commit, side, process.peer, most);
        end.truth.take_commit(commit, &mut end.ever);
    }

    fn advance_fetch(&mut self, side: Side) -> bool {
        let end = &mut self.ends[index(side)];
        let Some(process) = &mut end.process else { return false };
        if process.fetches.is_empty() {
            return false;
        }
        let place = self.rng.usize(..process.fetches.len());
        let fetch = &mut process.fetches[place];
        let Some(rows) = fetch.rows.take() else {
            fetch.rows = Some(end.table.fetch(side, fetch.after, fetch.up_to, fetch.limit));
            self.say(format_args!("{side:?} reads rows"));
            return true;
        };
        let Fetching { token, up_to, .. } = process.fetches.swap_remove(place);
        if let Some(replica) = &mut process.replica {
            replica.handle_fetched(token, up_to, rows, self.now);
        }
        self.say(format_args!("{side:?} has read rows"));
        true
    }

    fn next_effect(&mut self, side: Side) -> Result<bool, String> {
        let Some(replica) = self.ends[index(side)].replica() else { return Ok(false) };
        let Some(effect) = replica.poll_effect() else { return Ok(false) };
        match effect {
            Effect::Commit(commit) => self.begin_commit(side, commit)?,
            Effect::Fetch { token, after, up_to, limit } => {
                self.say(format_args!("{side:?} asks for rows in ({after}, {up_to}]"));
                if let Some(process) = &mut self.ends[index(side)].process {
                    process.fetches.push(Fetching { token, after, up_to, limit, rows: None });
                }
            }
            Effect::Send(message) => self.send(side, message)?,
            Effect::Publish(commit) => self.publish(side, &commit)?,
        }
        Ok(true)
    }

    fn begin_commit(&mut self, side: Side, commit: Arc<Commit>) -> Result<(), String> {
        let early = self.options.sabotage == Sabotage::AckBeforeCommit;
        if let Some(process) = &mut self.ends[index(side)].process {
            if process.commit.is_some() && !early {
                return Err("two commits at once".into());
            }
            process.waiting = 0;
            if early && let Some(replica) = &mut process.replica {
                if process.commit.is_some() {
                    // The shell that lies has a queue of its own.
                    let Some(older) = process.commit.take() else { return Ok(()) };
                    self.make_durable(side, &older.commit)?;
                    return self.begin_commit(side, commit);
                }
                replica.handle_committed(commit.token);
            }
            process.commit = Some(Committing { commit, durable: false, told: early });
        }
        self.say(format_args!("{side:?} begins a commit"));
        Ok(())
    }

    /// What is published is what callers are told: it has to be durable.
    fn publish(&mut self, side: Side, commit: &Commit) -> Result<(), String> {
        let end = &mut self.ends[index(side)];
        for entry in &commit.authored {
            if self.options.check_steps && !end.truth.has(entry) {
                return Err(format!("{side:?} answered the write {} before its commit", entry.revision));
            }
            end.answered.insert(entry.change.key(), entry.revision);
        }
        end.check_answered()
    }

    fn send(&mut self, side: Side, message: Message) -> Result<(), String> {
        let text = brief(&message);
        self.say(format_args!("{side:?} sends {text}"));
        if self.options.check_steps {
            self.check_sent(side, &message)?;
        }
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(()) };
        if process.connection != self.link.connection() || process.connection.is_none() {
            return Ok(());
        }
        process.said_hello = true;
        if self.sessions {
            return self.send_by_session(side, message);
        }
        let is_hello = matches!(message, Message::Hello(_));
        let copies = self.link.send(other(side), Parcel::Message(message), self.now, &mut self.rng);
        self.say(format_args!("{copies} on the way"));
        if copies == 0 && is_hello {
            // A session that does not get to its first word is given up.
            self.link.cut();
        }
        Ok(())
    }

    /// What has arrived is handled, if its side knows of the connection.
    pub(super) fn deliver(&mut self, side: Side) -> Result<(), String> {
        let end = &mut self.ends[index(side)];
        let Some(process) = &mut end.process else { return Ok(()) };
        if process.connection != self.link.connection() {
            return Ok(());
        }
        let Some(parcel) = self.link.take(side, self.now) else { return Ok(()) };
        self.report.delivered += 1;
        match parcel {
            Parcel::Message(message) => self.take_message(side, message),
            Parcel::Frame(frame) => self.take_frame(side, &frame),
        }
    }

    pub(super) fn take_message(&mut self, side: Side, message: Message) -> Result<(), String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(()) };
        let text = brief(&message);
        process.take_note(&message);
        let Some(replica) = &mut process.replica else { return Ok(()) };
        let taken = replica.handle_message(message, self.now);
        self.say(format_args!("{side:?} takes {text}"));
        taken.map_err(|bad| format!("{side:?} refuses {text}: {bad}"))
    }
}

impl Process {
    /// Remembers what the model needs to know of a message.
    fn take_note(&mut self, message: &Message) {
        let Message::Batch(batch) = message else { return };
        self.peer = Some(batch.cursor.incarnation);
        if let Base::Reset { .. } = batch.base {
            let key = |e: &Entry| (e.change.key(), e.revision);
            let entries = batch.entries.iter().map(key).collect();
            self.staged.entry(batch.cursor).or_default().push(entries);
        }
    }
}

/// A message in a few words.
fn brief(message: &Message) -> String {
    let cursor = |c: &twin_core::Cursor| format!("{:04x}@{}", c.incarnation.get() & 0xffff, c.revision);
    match message {
        Message::Hello(at) => format!("hello {}", at.as_ref().map_or("with nothing".into(), cursor)),
        Message::Ack(at) => format!("ack {}", cursor(at)),
        Message::Batch(batch) => {
            let base = match &batch.base {
                Base::Cursor(base) => cursor(base),
                Base::Reset { after, last } => {
                    format!("reset {} last {last}", after.as_ref().map_or("begins".into(), cursor))
                }
            };
            let entries: Vec<Revision> = batch.entries.iter().map(|e| e.revision).collect();
            let entries: Vec<u64> = entries.into_iter().map(Revision::get).collect();
            format!("batch {base} .. {} {entries:?}", cursor(&batch.cursor))
        }
    }
}
