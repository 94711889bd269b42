//! What has to hold at every step.

use twin_core::Side;
use twin_core::replica::Message;

use super::truth::covers;
use super::world::World;
use super::{index, other};

impl World {
    /// Commit, then speak.
    pub(super) fn check_sent(&self, side: Side, message: &Message) -> Result<(), String> {
        let end = &self.ends[index(side)];
        let Some(process) = &end.process else { return Ok(()) };
        match message {
            Message::Hello(cursor) if *cursor != end.table.followed => {
                Err(format!("{side:?} says it is at {cursor:?} and is at {:?}", end.table.followed))
            }
            Message::Hello(_) => Ok(()),
            Message::Batch(_) | Message::Ack(_) if !process.said_hello => {
                Err(format!("{side:?} says something before its hello"))
            }
            Message::Batch(batch) => {
                if let Some(early) = batch.entries.iter().find(|e| !end.truth.has(e)) {
                    return Err(format!("{side:?} sends {} before its commit", early.revision));
                }
                if !end.truth.leads_through(batch.cursor, end.running()) {
                    return Err(format!("{side:?} sends a cursor that it would not know again"));
                }
                Ok(())
            }
            Message::Ack(cursor) => {
                let held = end.table.followed.is_some_and(|followed| covers(followed, *cursor))
                    || process.was_at.contains(cursor);
                let staged = process.staged.get(cursor).is_some_and(|copies| {
                    copies.iter().any(|copy| copy.iter().all(|e| end.table.ever_staged.contains(e)))
                });
                if held || staged {
                    return Ok(());
                }
                Err(format!("{side:?} acknowledges {} before its commit", cursor.revision))
            }
        }
    }

    /// A replica holds what is on its way, never all rows.
    pub(super) fn check_memory(&mut self, side: Side) -> Result<(), String> {
        const EVERY: u64 = 64;
        if !self.options.check_steps || !self.report.steps.is_multiple_of(EVERY) || !self.link.weather.ordered
        {
            return Ok(());
        }
        let sender = self.ends[index(other(side))].limits;
        let Some(process) = &self.ends[index(side)].process else { return Ok(()) };
        let Some(replica) = &process.replica else { return Ok(()) };
        let own = process.waiting + process.commit.as_ref().map_or(0, |c| c.commit.authored.len());
        let window = sender.batch_entries * sender.window_batches;
        let most = own + 4 * window + 2 * self.ends[index(side)].limits.batch_entries + 64;
        let held = entries_held(replica);
        if held > most {
            return Err(format!("{side:?} holds {held} entries in memory, more than {most}"));
        }
        Ok(())
    }
}

/// How many entries a replica holds in memory.
pub(super) fn entries_held(replica: &twin_core::replica::Replica) -> usize {
    format!("{replica:?}").matches("Entry {").count()
}
