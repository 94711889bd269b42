//! The sending half: what the peer has, what is on its way, and the resume rule.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Base, Batch, FetchToken, Forget, Stored};
use super::way::plain;
use crate::document::Entry;
use crate::revision::{Cursor, Incarnation, Revision};
use crate::time::Timestamp;

/// Bounds of what is on its way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries in one batch.
    pub batch_entries: usize,
    /// The most batches sent and not acknowledged.
    pub window_batches: usize,
    /// Without an acknowledgement for this long everything after the last one is sent again.
    pub ack_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { batch_entries: 500, window_batches: 4, ack_timeout: Duration::from_secs(10) }
    }
}

/// After every change there can be; a store keeps revisions in 63 bits.
pub(super) const NEWEST: Revision = Revision::new(u64::MAX >> 1);

/// How far a reset of the peer has got. Until its last batch is acknowledged the peer still has its old cursor, so
/// whatever goes wrong before, the reset begins again from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    None,
    Sending,
    LastSent(Cursor),
}

/// Where the peer stands, once it has said so.
#[derive(Debug)]
struct Peer {
    acked: Option<Cursor>,
    sent: Option<Cursor>,
    in_flight: VecDeque<Cursor>,
    reset: Reset,
    resend_at: Option<Timestamp>,
}

impl Peer {
    fn revision(cursor: Option<Cursor>) -> Revision {
        cursor.map_or(Revision::ZERO, |c| c.revision)
    }

    /// From a cursor that is good, or from nothing.
    fn starting_at(good: Option<Cursor>) -> Self {
        let reset = if good.is_some() { Reset::None } else { Reset::Sending };
        Self { acked: good, sent: good, in_flight: VecDeque::new(), reset, resend_at: None }
    }
}

#[derive(Debug)]
pub(super) struct Author {
    incarnation: Incarnation,
    known: Vec<Cursor>,
    floor: Revision,
    tombstones: Option<(Revision, Revision)>,
    last: Revision,
    committed: Revision,
    /// Whether this incarnation is in the store, so that a cursor in it will be known again.
    recorded: bool,
    peer: Option<Peer>,
    /// The question that is open, and what was committed when it was asked.
    fetching: Option<(FetchToken, Revision)>,
    next_fetch: u64,
    limits: Limits,
}

impl Author {
    pub(super) fn new(incarnation: Incarnation, stored: &Stored, limits: Limits) -> Self {
        let last = stored.incarnations.iter().map(|c| c.revision).max().unwrap_or(Revision::ZERO);
        Self {
            incarnation: plain(incarnation),
            known: stored
                .incarnations
                .iter()
                .map(|c| Cursor { incarnation: plain(c.incarnation), ..*c })
                .collect(),
            floor: stored.floor,
            tombstones: stored.tombstones,
            last,
            committed: last,
            recorded: false,
            peer: None,
            fetching: None,
            next_fetch: 0,
            limits,
        }
    }

    pub(super) fn assign(&mut self, deletion: bool) -> Revision {
        self.last = self.last.next();
        if deletion {
            self.note_tombstone(self.last);
        }
        self.last
    }

    pub(super) fn note_tombstone(&mut self, at: Revision) {
        self.tombstones =
            Some(self.tombstones.map_or((at, at), |(oldest, newest)| (oldest.min(at), newest.max(at))));
    }

    /// The incarnation with its last revision, as the next commit is to record it.
    pub(super) fn record(&self) -> Cursor {
        Cursor { incarnation: self.incarnation, revision: self.last }
    }

    pub(super) fn needs_recording(&self) -> bool {
        !self.recorded
    }

    /// Takes note that everything up to `cursor` is stored. What another writer stored is still to be recorded here.
    pub(super) fn handle_stored(&mut self, cursor: Cursor) {
        self.recorded = self.is_mine(cursor);
        self.committed = self.committed.max(cursor.revision);
        self.last = self.last.max(cursor.revision);
    }

    /// The resume rule. A cursor is good only if its incarnation is known, its revision is not past the end of that
    /// incarnation, and no tombstone after it has been dropped. A cursor on the way is known to nobody after a restart.
    fn can_resume_from(&self, cursor: Cursor) -> bool {
        let end = if self.is_mine(cursor) {
            Some(self.committed)
        } else {
            self.known.iter().filter(|k| k.incarnation == cursor.incarnation).map(|k| k.revision).max()
        };
        end.is_some_and(|end| cursor.revision <= end) && cursor.revision >= self.floor
    }

    fn is_mine(&self, cursor: Cursor) -> bool {
        plain(cursor.incarnation) == self.incarnation
    }

    pub(super) fn handle_hello(&mut self, cursor: Option<Cursor>) {
        if self.peer.is_some() {
            // There is one on each connection: this is an echo, and a reset that begins again could be mixed up.
            return;
        }
        let good = cursor.filter(|c| self.can_resume_from(*c));
        self.peer = Some(Peer::starting_at(good));
        self.fetching = None;
    }

    pub(super) fn handle_disconnected(&mut self) {
        self.peer = None;
        self.fetching = None;
    }

    pub(super) fn handle_ack(&mut self, cursor: Cursor, now: Timestamp) {
        let mine = self.is_mine(cursor);
        let Some(peer) = &mut self.peer else { return };
        if let Some(place) = peer.in_flight.iter().position(|c| *c == cursor) {
            peer.in_flight.drain(..=place);
            peer.acked = Some(cursor);
            if matches!(peer.reset, Reset::LastSent(last) if !peer.in_flight.contains(&last)) {
                peer.reset = Reset::None;
            }
        } else if mine
            && peer.acked.is_none_or(|acked| cursor.rank() > acked.rank())
            && cursor.revision <= self.committed
            && peer.reset == Reset::None
        {
            // The follower is further than we knew: its acknowledgement was lost before we sent again.
            *peer = Peer::starting_at(Some(cursor));
            self.fetching = None;
        } else {
            return;
        }
        peer.resend_at = (!peer.in_flight.is_empty()).then(|| now.after(self.limits.ack_timeout));
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        let Some(peer) = &mut self.peer else { return };
        if peer.resend_at.is_some_and(|at| at <= now) {
            *peer = Peer::starting_at(peer.acked.filter(|_| peer.reset == Reset::None));
            self.fetching = None;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.peer.as_ref().and_then(|p| p.resend_at)
    }

    /// The next rows to read, when the peer lacks some and the window has room.
    pub(super) fn poll_fetch(&mut self) -> Option<(FetchToken, Revision, Revision, usize)> {
        let peer = self.peer.as_ref()?;
        let room = peer.in_flight.len() < self.limits.window_batches;
        let owed = peer.reset == Reset::Sending
            || Peer::revision(peer.sent) < self.committed
            || peer.sent.is_some_and(Cursor::is_on_the_way);
        if !self.recorded || self.fetching.is_some() || !room || !owed {
            return None;
        }
        let token = FetchToken(self.next_fetch);
        self.next_fetch += 1;
        let after = Peer::revision(peer.sent);
        self.fetching = Some((token, self.committed));
        Some((token, after, NEWEST, self.limits.batch_entries))
    }

    /// Makes a batch of the rows read; none when the question has been overtaken.
    pub(super) fn handle_fetched(
        &mut self,
        token: FetchToken,
        entries: Vec<Entry>,
        now: Timestamp,
    ) -> Option<Batch> {
        let (_, committed) = self.fetching.take_if(|(asked, _)| *asked == token)?;
        let peer = self.peer.as_mut()?;
        let full = entries.len() >= self.limits.batch_entries;
        let newest = entries.last().map_or(Revision::ZERO, |e| e.revision);
        let end = Cursor { incarnation: self.incarnation, revision: newest.max(committed) };
        let cursor = if full { end.on_the_way_at(newest) } else { end };
        // What was read is stored, even if that has not been told yet.
        self.committed = self.committed.max(cursor.revision);
        self.last = self.last.max(cursor.revision);
        let base = match (peer.reset, peer.sent) {
            (Reset::Sending, after) => Base::Reset { after, last: !full },
            (Reset::None | Reset::LastSent(_), Some(sent)) => Base::Cursor(sent),
            (Reset::None | Reset::LastSent(_), None) => return None,
        };
        if peer.reset == Reset::Sending && !full {
            peer.reset = Reset::LastSent(cursor);
        }
        peer.sent = Some(cursor);
        peer.in_flight.push_back(cursor);
        peer.resend_at = peer.resend_at.or_else(|| Some(now.after(self.limits.ack_timeout)));
        Some(Batch { base, cursor, entries })
    }

    /// Tombstones that the peer has acknowledged and that can go.
    pub(super) fn take_forget(&mut self) -> Option<Forget> {
        let peer = self.peer.as_ref().filter(|p| p.reset == Reset::None)?;
        let up_to = peer.acked?.revision;
        let (oldest, newest) = self.tombstones?;
        if oldest > up_to {
            return None;
        }
        self.tombstones = (newest > up_to).then(|| (up_to.next(), newest));
        let floor = up_to.min(newest);
        self.floor = self.floor.max(floor);
        Some(Forget { up_to, floor })
    }

    /// Whether the peer has acknowledged everything that is committed.
    pub(super) fn is_settled(&self) -> bool {
        self.peer.as_ref().is_some_and(|p| {
            p.reset == Reset::None
                && p.in_flight.is_empty()
                && Peer::revision(p.acked) >= self.committed
                && !p.acked.is_some_and(Cursor::is_on_the_way)
        }) && self.committed == self.last
    }

    pub(super) fn committed(&self) -> Revision {
        self.committed
    }

    pub(super) fn acked(&self) -> Option<Revision> {
        self.peer.as_ref().and_then(|p| p.acked).map(|c| c.revision)
    }
}
