//! One connection: a session, a replica, and the store that does what the replica asks.

use std::future::poll_fn;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message as WsMessage, WebSocket};
use cloud_store::StoreError;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use sync_proto::{Closed, Code, Event, Refused, Session, StreamId, Timing};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use twin_core::Stream;
use twin_core::history::{self, CollectEffect};
use twin_core::replica::{Effect, Message};

use crate::clock::{Clock, wall};
use crate::inbox::News;
use crate::opening::{Entry, Shared};
use crate::router::{Accepted, Peer};

/// What a node may send and follow.
const STREAMS: [StreamId; 3] = [StreamId::ALARM, StreamId::TWIN, StreamId::HISTORY];
const SOFTWARE: &str = concat!("twinspan-cloud ", env!("CARGO_PKG_VERSION"));
/// How long the last frames may take to go out.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug)]
enum End {
    Refused(Refused),
    Closed(Closed),
    Broken(String),
}

struct Carry {
    session: Session,
    clock: Clock,
    shared: Shared,
    peer: Peer,
    entry: Option<Entry>,
}

/// Runs one connection to its end.
pub(crate) async fn carry(accepted: Accepted, shared: Shared, timing: Timing, stop: CancellationToken) {
    let Accepted { socket, peer } = accepted;
    let session = Session::cloud(SOFTWARE.to_owned(), STREAMS.to_vec(), timing);
    let mut carry = Carry { session, clock: Clock::start(), shared, peer, entry: None };
    let end = carry.run(socket, &stop).await;
    let address = carry.peer.address;
    let Some(Entry { node, claim, .. }) = carry.entry.take() else {
        debug!(%address, ?end, "a connection did not become a link");
        return;
    };
    if let Err(error) = carry.shared.store.node_seen(&node, wall()).await {
        debug!(%node, %error, "a node's presence cannot be stored");
    }
    drop(claim);
    match end {
        End::Closed(Closed { code, reason, .. }) => info!(%node, %address, %code, reason, "a node has left"),
        End::Refused(Refused { code, reason, .. }) => {
            info!(%node, %address, %code, reason, "a node was refused")
        }
        End::Broken(why) => info!(%node, %address, why, "the link to a node broke"),
    }
}

impl Carry {
    async fn run(&mut self, socket: WebSocket, stop: &CancellationToken) -> End {
        let (mut sink, mut stream) = socket.split();
        let mut outgoing: Option<Bytes> = None;
        let mut unflushed = false;
        self.session.handle_opened(self.clock.now());
        let end = loop {
            if outgoing.is_none() {
                outgoing = self.session.poll_transmit().map(Bytes::from);
            }
            if let Some(end) = self.take_events().await {
                break end;
            }
            if self.act().await {
                continue;
            }
            if outgoing.is_none() {
                outgoing = self.session.poll_transmit().map(Bytes::from);
            }
            let wake = self.wake();
            let over = self.session.is_over();
            tokio::select! {
                () = stop.cancelled(), if !over => {
                    self.session.close(Code::Stopping, "the cloud is being stopped".to_owned());
                }
                () = fenced(self.entry.as_ref()), if !over => {
                    let (code, reason) = match self.entry.as_ref().is_some_and(|entry| entry.claim.is_revoked()) {
                        true => (Code::Other("revoked".to_owned()), "the certificates of this node were revoked"),
                        false => (Code::Superseded, "a newer connection of this node has taken over"),
                    };
                    self.session.close(code, reason.to_owned());
                }
                ready = writable(&mut sink, outgoing.is_some()), if outgoing.is_some() || unflushed => {
                    unflushed = outgoing.is_some();
                    let sent = match outgoing.take() {
                        Some(frame) => ready.and_then(|()| sink.start_send_unpin(WsMessage::Binary(frame))),
                        None => ready,
                    };
                    if let Err(error) = sent { break End::Broken(error.to_string()); }
                }
                received = stream.next() => {
                    if let Err(why) = self.receive(received) { break End::Broken(why); }
                }
                news = news(self.entry.as_ref()) => self.hear(news).await,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    let now = self.clock.now();
                    self.session.handle_timeout(now);
                    if let Some(entry) = &mut self.entry { entry.replicas.handle_timeout(now); }
                }
            }
        };
        // Whoever does not take the farewell in time does without.
        let _ = timeout(FAREWELL, farewell(&mut self.session, outgoing, &mut sink)).await;
        end
    }

    fn wake(&self) -> Option<Instant> {
        let replica = self.entry.as_ref().and_then(|entry| entry.replicas.poll_timeout());
        [self.session.poll_timeout(), replica].into_iter().flatten().min().map(|at| self.clock.instant(at))
    }

    fn receive(&mut self, received: Option<Result<WsMessage, axum::Error>>) -> Result<(), String> {
        match received {
            Some(Ok(WsMessage::Binary(bytes))) => {
                if let Some(entry) = &self.entry {
                    entry.claim.seen(wall());
                }
                // The session has closed itself when this is an error, and says so in its events.
                let _ = self.session.handle_frame(&bytes, self.clock.now());
                Ok(())
            }
            Some(Ok(WsMessage::Text(_))) => {
                self.session.close(Code::Protocol, "text messages are not spoken here".to_owned());
                Ok(())
            }
            Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_))) => Ok(()),
            Some(Err(error)) if is_too_long(&error) => {
                self.session.close(Code::TooLarge, error.to_string());
                Ok(())
            }
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(WsMessage::Close(_))) | None => Err("the node closed it without a word".to_owned()),
        }
    }

    async fn take_events(&mut self) -> Option<End> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opening(open) => match self.shared.enter(&open, &self.peer.identity).await {
                    Ok(entry) => {
                        let Peer { address, .. } = self.peer;
                        let software: String = open.software.chars().take(100).collect();
                        info!(node = %entry.node, %address, software, "a node has connected");
                        entry.claim.connected(address, software, wall());
                        self.entry = Some(entry);
                        self.session.accept(self.clock.now());
                    }
                    Err(refused) => self.session.refuse(refused),
                },
                Event::Established(agreed) => {
                    if let Some(entry) = &mut self.entry {
                        let documents = agreed.streams.iter().filter_map(|stream| stream.documents());
                        documents.for_each(|stream| entry.replicas.handle_connected(stream));
                        if agreed.streams.contains(&StreamId::HISTORY) {
                            entry.collector.handle_connected();
                        }
                    }
                }
                Event::Message { stream, message } => {
                    if let Some(stream) = stream.documents() {
                        self.take_message(stream, message);
                    }
                }
                Event::History(message) => self.take_history(message),
                Event::Refused(refused) => return Some(End::Refused(refused)),
                Event::Closed(closed) => return Some(End::Closed(closed)),
            }
        }
        None
    }

    fn take_message(&mut self, stream: Stream, message: Message) {
        let Some(entry) = &mut self.entry else { return };
        if let Err(error) = entry.replicas.handle_message(stream, message, self.clock.now()) {
            self.session.close(Code::Protocol, error.to_string());
        }
    }

    fn take_history(&mut self, message: history::Message) {
        let Some(entry) = &mut self.entry else { return };
        if let Err(error) = entry.collector.handle_message(message) {
            self.session.close(Code::Protocol, error.to_string());
        }
    }

    /// Does one thing that the history asks for; false when there is none.
    async fn act_history(&mut self) -> bool {
        let Some(entry) = &mut self.entry else { return false };
        match entry.collector.poll_effect() {
            None => false,
            Some(CollectEffect::Send(message)) => {
                if let Err(error) = self.session.send_history(message) {
                    self.session.close(Code::Protocol, error.to_string());
                }
                true
            }
            Some(CollectEffect::Commit(collected)) => {
                let stored = self.shared.store.history().collect(&entry.node, &collected).await;
                match stored {
                    Ok(()) => entry.collector.handle_committed(),
                    Err(error) => self.store_failed(&error),
                }
                true
            }
        }
    }

    /// Does one thing that a replica asks for; false when there is none.
    async fn act(&mut self) -> bool {
        let Some(entry) = &mut self.entry else { return false };
        if self.session.is_over() {
            return false;
        }
        // The history comes behind all the rest.
        let Some((stream, effect)) = entry.replicas.poll_effect() else { return self.act_history().await };
        let store = &self.shared.store;
        let failed = match effect {
            Effect::Commit(commit) => {
                let token = commit.token;
                let done = store.commit(&entry.node, commit).await;
                done.map(|()| entry.replicas.handle_committed(stream, token))
            }
            Effect::Fetch { token, after, up_to, limit } => {
                let read = store.fetch(&entry.node, stream, after, up_to, limit).await;
                let now = self.clock.now();
                read.map(|entries| entry.replicas.handle_fetched(stream, token, up_to, entries, now))
            }
            Effect::Send(message) => {
                if let Err(error) = self.session.send(StreamId::of(stream), message) {
                    self.session.close(Code::Protocol, error.to_string());
                }
                Ok(())
            }
            // The store itself announces what is committed.
            Effect::Publish(_) => Ok(()),
        };
        if let Err(error) = failed {
            self.store_failed(&error);
        }
        true
    }

    async fn hear(&mut self, news: News) {
        let Some(entry) = &mut self.entry else { return };
        let News { mut cursor, mut tombstones, missed } = news;
        if missed {
            match self.shared.store.stored(&entry.node, Stream::Twin).await {
                Ok(stored) => {
                    let ours = self.shared.store.incarnation();
                    cursor = stored.incarnations.into_iter().find(|c| c.incarnation == ours).or(cursor);
                    tombstones = stored.tombstones.or(tombstones);
                }
                Err(error) => {
                    self.store_failed(&error);
                    return;
                }
            }
        }
        let Some(cursor) = cursor else { return };
        let (oldest, newest) = tombstones.unzip();
        entry.replicas.handle_desired(cursor, oldest);
        entry.replicas.handle_desired(cursor, newest);
    }

    fn store_failed(&mut self, error: &StoreError) {
        let node = self.entry.as_ref().map(|entry| entry.node.as_str());
        error!(node, %error, "the link to a node ends because the store failed");
        self.session.close(Code::Store, "the cloud's store failed; its log says why".to_owned());
    }
}

async fn fenced(entry: Option<&Entry>) {
    match entry {
        Some(entry) => entry.claim.fence.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn news(entry: Option<&Entry>) -> News {
    match entry {
        Some(entry) => entry.claim.inbox.news().await,
        None => std::future::pending().await,
    }
}

/// The library hides the kind of its errors; this one it words so.
fn is_too_long(error: &axum::Error) -> bool {
    error.to_string().contains("too long")
}

/// Waits until another frame can be taken, or until all that was taken has gone out.
async fn writable(sink: &mut SplitSink<WebSocket, WsMessage>, another: bool) -> Result<(), axum::Error> {
    poll_fn(|cx| if another { sink.poll_ready_unpin(cx) } else { sink.poll_flush_unpin(cx) }).await
}

async fn farewell(
    session: &mut Session,
    outgoing: Option<Bytes>,
    sink: &mut SplitSink<WebSocket, WsMessage>,
) -> Result<(), axum::Error> {
    if let Some(frame) = outgoing {
        sink.send(WsMessage::Binary(frame)).await?;
    }
    while let Some(frame) = session.poll_transmit() {
        sink.send(WsMessage::Binary(frame.into())).await?;
    }
    sink.close().await
}
