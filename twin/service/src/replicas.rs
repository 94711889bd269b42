//! The replicas of all streams, asked as one. The most urgent stream comes first.

use twin_core::replica::{BadBatch, CommitToken, Effect, FetchToken, Limits, Message, Replica, Stored};
use twin_core::{Change, Entry, Incarnation, Revision, Side, Stream, Timestamp};

/// The edge's replicas.
#[derive(Debug)]
pub(crate) struct Replicas {
    alarm: Replica,
    twin: Replica,
}

impl Replicas {
    pub(crate) fn new(incarnation: Incarnation, alarm: &Stored, twin: &Stored, limits: Limits) -> Self {
        Self {
            alarm: Replica::of(Stream::Alarm, Side::Edge, incarnation, alarm, limits),
            twin: Replica::of(Stream::Twin, Side::Edge, incarnation, twin, limits),
        }
    }

    pub(crate) fn of(&self, stream: Stream) -> &Replica {
        match stream {
            Stream::Alarm => &self.alarm,
            Stream::Twin => &self.twin,
        }
    }

    fn of_mut(&mut self, stream: Stream) -> &mut Replica {
        match stream {
            Stream::Alarm => &mut self.alarm,
            Stream::Twin => &mut self.twin,
        }
    }

    fn all(&mut self) -> [&mut Replica; 2] {
        [&mut self.alarm, &mut self.twin]
    }

    /// Gives a change to the replica of its stream.
    pub(crate) fn write(&mut self, change: Change) -> Result<Revision, twin_core::replica::Rejected> {
        self.of_mut(change.part().stream()).write(change)
    }

    pub(crate) fn handle_connected(&mut self, streams: &[Stream]) {
        for stream in streams {
            self.of_mut(*stream).handle_connected();
        }
    }

    pub(crate) fn handle_disconnected(&mut self) {
        self.all().into_iter().for_each(Replica::handle_disconnected);
    }

    pub(crate) fn handle_message(
        &mut self,
        stream: Stream,
        message: Message,
        now: Timestamp,
    ) -> Result<(), BadBatch> {
        self.of_mut(stream).handle_message(message, now)
    }

    pub(crate) fn handle_committed(&mut self, stream: Stream, token: CommitToken) {
        self.of_mut(stream).handle_committed(token);
    }

    pub(crate) fn handle_fetched(
        &mut self,
        stream: Stream,
        token: FetchToken,
        up_to: Revision,
        entries: Vec<Entry>,
        now: Timestamp,
    ) {
        self.of_mut(stream).handle_fetched(token, up_to, entries, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.all().into_iter().for_each(|replica| replica.handle_timeout(now));
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        Stream::ALL.into_iter().filter_map(|stream| self.of(stream).poll_timeout()).min()
    }

    pub(crate) fn poll_effect(&mut self) -> Option<(Stream, Effect)> {
        Stream::ALL.into_iter().find_map(|stream| Some((stream, self.of_mut(stream).poll_effect()?)))
    }

    /// Whether the peer has acknowledged all that was written on these streams.
    pub(crate) fn are_settled(&self, streams: &[Stream]) -> bool {
        streams.iter().all(|stream| self.of(*stream).is_settled())
    }

    /// How many documents are not in the database.
    pub(crate) fn uncommitted(&self) -> usize {
        Stream::ALL.into_iter().map(|stream| self.of(stream).uncommitted()).sum()
    }

    /// How many revisions the peer has not acknowledged on these streams.
    pub(crate) fn owed(&self, streams: &[Stream]) -> u64 {
        let owed = |stream: &Stream| {
            let replica = self.of(*stream);
            replica.committed().get().saturating_sub(replica.acked().map_or(0, Revision::get))
        };
        streams.iter().map(owed).sum()
    }
}
