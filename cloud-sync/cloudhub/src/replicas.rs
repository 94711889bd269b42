//! The replicas of one node's streams, asked as one. The most urgent stream comes first.

use cloud_store::{CloudStore, StoreError};
use twin_core::replica::{BadBatch, CommitToken, Effect, FetchToken, Limits, Message, Replica};
use twin_core::{Cursor, Entry, NodeName, Revision, Side, Stream, Timestamp};

/// The cloud's replicas of one node.
#[derive(Debug)]
pub(crate) struct Replicas {
    alarm: Replica,
    twin: Replica,
}

impl Replicas {
    pub(crate) async fn of_node(store: &CloudStore, node: &NodeName) -> Result<Self, StoreError> {
        let replica = async |stream| {
            let stored = store.stored(node, stream).await?;
            let limits = Limits::default();
            Ok::<_, StoreError>(Replica::of(stream, Side::Cloud, store.incarnation(), &stored, limits))
        };
        Ok(Self { alarm: replica(Stream::Alarm).await?, twin: replica(Stream::Twin).await? })
    }

    fn of_mut(&mut self, stream: Stream) -> &mut Replica {
        match stream {
            Stream::Alarm => &mut self.alarm,
            Stream::Twin => &mut self.twin,
        }
    }

    /// Takes note of desired values that were stored elsewhere.
    pub(crate) fn handle_desired(&mut self, cursor: Cursor, tombstone: Option<Revision>) {
        self.twin.handle_authored(cursor, tombstone);
    }

    pub(crate) fn handle_connected(&mut self, stream: Stream) {
        self.of_mut(stream).handle_connected();
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
        for stream in Stream::ALL {
            self.of_mut(stream).handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        [&self.alarm, &self.twin].into_iter().filter_map(Replica::poll_timeout).min()
    }

    pub(crate) fn poll_effect(&mut self) -> Option<(Stream, Effect)> {
        Stream::ALL.into_iter().find_map(|stream| Some((stream, self.of_mut(stream).poll_effect()?)))
    }
}
