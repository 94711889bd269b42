//! One connection, from the first frame to the last, as a machine: it is told what came and what time it is, and asked
//! what to send and what happened.

mod event;
mod outbox;
mod split;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use twin_core::replica::Message;
use twin_core::{NodeName, Timestamp, history};

pub use event::{By, Closed, Established, Event, ProtocolError, SendError};

use crate::codec::{Decoded, FrameLimits, decode};
use crate::frame::{
    Close, Code, Frame, HistoryFrame, Open, Opened, Ping, Pong, Refused, StreamFrame, StreamId, VersionRange,
};
use outbox::Outbox;

/// The times of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often each end sends a ping; the cloud decides. 1 s to 60 s.
    pub heartbeat: Duration,
    /// How long the handshake may take.
    pub handshake: Duration,
}

impl Timing {
    /// This many heartbeats without a sign of life, and the connection is taken for dead.
    pub const SILENT_HEARTBEATS: u32 = 3;
}

impl Default for Timing {
    /// A heartbeat every 10 s, so that silence is noticed within 30 s; 10 s for the handshake.
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(10), handshake: Duration::from_secs(10) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Edge,
    Cloud,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The transport is not there yet.
    Waiting,
    /// The edge waits for the cloud's answer, the cloud for the edge's first frame.
    Handshake,
    /// The cloud's shell is to accept or refuse.
    Deciding(Open),
    Established,
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    role: Role,
    state: State,
    node: Option<NodeName>,
    software: String,
    streams: Vec<StreamId>,
    timing: Timing,
    ours: FrameLimits,
    outbox: Outbox,
    events: VecDeque<Event>,
    /// In the handshake its end, afterwards when the peer is taken for dead.
    deadline: Option<Timestamp>,
    ping_at: Option<Timestamp>,
    pings: u64,
    unknown_frames: u64,
}

impl Session {
    /// Batches whose frame would be longer than this many bytes as sent go in several, unless
    /// [`cutting_over`](Self::cutting_over) says otherwise.
    pub const CUT_OVER_BYTES: usize = 64 * 1024;

    /// The edge's end: it will open the session as `node` with these streams.
    #[must_use]
    pub fn edge(node: NodeName, software: String, streams: Vec<StreamId>, timing: Timing) -> Self {
        Self::new(Role::Edge, Some(node), software, streams, timing)
    }

    /// The cloud's end.
    #[must_use]
    pub fn cloud(software: String, streams: Vec<StreamId>, timing: Timing) -> Self {
        Self::new(Role::Cloud, None, software, streams, timing)
    }

    fn new(
        role: Role,
        node: Option<NodeName>,
        software: String,
        streams: Vec<StreamId>,
        timing: Timing,
    ) -> Self {
        let ours = FrameLimits::default();
        Self {
            role,
            state: State::Waiting,
            node,
            software,
            streams,
            timing,
            ours,
            outbox: Outbox::new(ours),
            events: VecDeque::new(),
            deadline: None,
            ping_at: None,
            pings: 0,
            unknown_frames: 0,
        }
    }

    /// With another length, in bytes as sent, over which the frame of a batch is cut; a single entry is never cut.
    #[must_use]
    pub fn cutting_over(mut self, frame_bytes: usize) -> Self {
        self.outbox.cut_over_bytes = frame_bytes;
        self
    }

    /// The transport is there: the edge says who it is, the cloud waits for it.
    pub fn handle_opened(&mut self, now: Timestamp) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Handshake;
        self.deadline = Some(now.after(self.timing.handshake));
        if let Some(node) = self.node.clone() {
            let (software, streams) = (self.software.clone(), self.streams.clone());
            self.outbox.push_own(&Frame::Open(Open {
                versions: VersionRange::OURS,
                node,
                software,
                streams,
            }));
        }
    }

    /// Takes one frame of the peer.
    ///
    /// # Errors
    /// [`ProtocolError`] when it breaks the protocol; the session is then over and has a `Close` to transmit.
    pub fn handle_frame(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), ProtocolError> {
        if matches!(self.state, State::Over | State::Waiting) {
            return Ok(());
        }
        let taken = match decode(bytes, self.ours) {
            Ok(Decoded::Frame(frame)) => self.take(*frame, now),
            Ok(Decoded::Unknown { .. }) => {
                self.unknown_frames += 1;
                Ok(())
            }
            Err(error) => Err(error.into()),
        };
        match &taken {
            Ok(()) => self.heard(now),
            Err(error) => self.close(Code::Protocol, error.to_string()),
        }
        taken
    }

    fn take(&mut self, frame: Frame, now: Timestamp) -> Result<(), ProtocolError> {
        let kind = frame.word();
        let out_of_place = |when| Err(ProtocolError::OutOfPlace { kind, when });
        match (frame, &self.state, self.role) {
            (Frame::Close(Close { code, reason }), _, _) => {
                let reason = short(&reason);
                self.end(Event::Closed(Closed { by: By::Peer, code, reason }));
                Ok(())
            }
            (Frame::Open(open), State::Handshake, Role::Cloud) => self.take_open(open),
            (Frame::Opened(opened), State::Handshake, Role::Edge) => self.take_opened(opened, now),
            (Frame::Refused(refused), State::Handshake, Role::Edge) => {
                let reason = short(&refused.reason);
                self.end(Event::Refused(Refused { reason, ..refused }));
                Ok(())
            }
            (Frame::Stream(frame), State::Established, _) => self.take_message(frame),
            (Frame::History(frame), State::Established, _) => self.take_history(frame),
            (Frame::Ping(Ping { number }), State::Established, _) => {
                self.outbox.push_own(&Frame::Pong(Pong { number }));
                Ok(())
            }
            (Frame::Pong(_), State::Established, _) => Ok(()),
            (_, State::Established, _) => out_of_place("once the session is established"),
            (_, State::Deciding(_), _) => out_of_place("before the answer to the first one"),
            (_, State::Handshake | State::Waiting | State::Over, _) => out_of_place("in the handshake"),
        }
    }

    fn take_open(&mut self, open: Open) -> Result<(), ProtocolError> {
        let count = open.streams.len();
        if count > Open::MAX_STREAMS {
            return Err(ProtocolError::TooManyStreams { count, limit: Open::MAX_STREAMS });
        }
        if open.versions.common(VersionRange::OURS).is_none() {
            let reason = format!(
                "the edge speaks protocol versions {}, this cloud {}: update the older one",
                open.versions,
                VersionRange::OURS
            );
            self.refuse(Refused { code: Code::Version, reason, retry_after_ms: None });
            return Ok(());
        }
        self.state = State::Deciding(open.clone());
        self.events.push_back(Event::Opening(open));
        Ok(())
    }

    /// Cloud only: lets the edge of [`Event::Opening`] in.
    pub fn accept(&mut self, now: Timestamp) {
        let State::Deciding(open) = self.state.clone() else { return };
        self.state = State::Established;
        self.streams.retain(|stream| open.streams.contains(stream));
        let heartbeat_ms = u32::try_from(self.timing.heartbeat.as_millis()).unwrap_or(u32::MAX);
        let version = open.versions.common(VersionRange::OURS).unwrap_or(VersionRange::OURS.max);
        let opened = Opened {
            version,
            heartbeat_ms,
            limits: self.ours,
            software: self.software.clone(),
            streams: self.streams.clone(),
        };
        self.outbox.push_own(&Frame::Opened(opened));
        self.establish(version, open.software, now);
    }

    /// Cloud only: sends the edge away. The session is over.
    pub fn refuse(&mut self, refused: Refused) {
        if self.state == State::Over {
            return;
        }
        self.outbox.push_own(&Frame::Refused(refused.clone()));
        self.end(Event::Refused(refused));
    }

    fn take_opened(&mut self, opened: Opened, now: Timestamp) -> Result<(), ProtocolError> {
        let version = opened.version;
        if !(VersionRange::OURS.min..=VersionRange::OURS.max).contains(&version) {
            return Err(ProtocolError::VersionNotOffered { version });
        }
        self.streams.retain(|stream| opened.streams.contains(stream));
        self.outbox.limits = self.ours.common(opened.limits);
        self.timing.heartbeat = Duration::from_millis(u64::from(opened.heartbeat_ms.clamp(1_000, 60_000)));
        self.state = State::Established;
        self.establish(version, opened.software, now);
        Ok(())
    }

    fn establish(&mut self, version: u16, peer_software: String, now: Timestamp) {
        self.heard(now);
        self.ping_at = Some(now.after(self.timing.heartbeat));
        self.events.push_back(Event::Established(Established {
            version,
            heartbeat: self.timing.heartbeat,
            streams: self.streams.clone(),
            peer_software: peer_software.chars().take(100).collect(),
        }));
    }

    fn take_message(&mut self, frame: StreamFrame) -> Result<(), ProtocolError> {
        let StreamFrame { stream, message } = frame;
        if !self.streams.contains(&stream) {
            return Err(ProtocolError::StreamNotAgreed { stream });
        }
        if self.outbox.is_for_replica(stream, &message) {
            self.events.push_back(Event::Message { stream, message });
        }
        Ok(())
    }

    fn take_history(&mut self, frame: HistoryFrame) -> Result<(), ProtocolError> {
        if !self.streams.contains(&StreamId::HISTORY) {
            return Err(ProtocolError::StreamNotAgreed { stream: StreamId::HISTORY });
        }
        self.events.push_back(Event::History(frame.message));
        Ok(())
    }

    /// Takes a message of the history for sending. It goes when nothing else waits, in one frame: keep a batch
    /// under [`CUT_OVER_BYTES`](Self::CUT_OVER_BYTES).
    ///
    /// # Errors
    /// [`SendError`] when it cannot be sent on this connection.
    pub fn send_history(&mut self, message: history::Message) -> Result<(), SendError> {
        let stream = StreamId::HISTORY;
        if self.state != State::Established {
            return Err(SendError::NotEstablished);
        }
        if !self.streams.contains(&stream) {
            return Err(SendError::StreamNotAgreed { stream });
        }
        self.outbox.push_history(message).map_err(|outbox::Full| SendError::QueueFull { stream })
    }

    /// Takes a message for sending.
    ///
    /// # Errors
    /// [`SendError`] when it cannot be sent on this connection.
    pub fn send(&mut self, stream: StreamId, message: Message) -> Result<(), SendError> {
        if self.state != State::Established {
            return Err(SendError::NotEstablished);
        }
        if !self.streams.contains(&stream) {
            return Err(SendError::StreamNotAgreed { stream });
        }
        self.outbox.push(stream, message).map_err(|outbox::Full| SendError::QueueFull { stream })
    }

    /// Ends the session: what waits on the streams is dropped, a `Close` is sent.
    pub fn close(&mut self, code: Code, reason: String) {
        if self.state == State::Over {
            return;
        }
        let reason = short(&reason);
        self.outbox.drop_streams();
        self.outbox.push_own(&Frame::Close(Close { code: code.clone(), reason: reason.clone() }));
        self.end(Event::Closed(Closed { by: By::Us, code, reason }));
    }

    fn end(&mut self, event: Event) {
        self.state = State::Over;
        self.outbox.drop_streams();
        self.deadline = None;
        self.ping_at = None;
        self.events.push_back(event);
    }

    fn heard(&mut self, now: Timestamp) {
        if self.state == State::Established {
            self.deadline = Some(now.after(self.timing.heartbeat * Timing::SILENT_HEARTBEATS));
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.deadline.is_some_and(|at| at <= now) {
            let reason = if self.state == State::Established {
                "nothing was heard for three heartbeats"
            } else {
                "the handshake took too long"
            };
            self.close(Code::Silent, reason.to_owned());
        }
        if self.ping_at.is_some_and(|at| at <= now) {
            self.outbox.push_own(&Frame::Ping(Ping { number: self.pings }));
            self.pings += 1;
            self.ping_at = Some(now.after(self.timing.heartbeat));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.deadline, self.ping_at].into_iter().flatten().min()
    }

    /// The next frame to send: one binary WebSocket message.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self.outbox.pop() {
            Ok(bytes) => bytes,
            Err(error) => {
                self.close(Code::TooLarge, error.to_string());
                self.outbox.pop().ok().flatten()
            }
        }
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the session is over; what is left to transmit should still be sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// How many frames of kinds that only newer versions know were ignored.
    #[must_use]
    pub fn unknown_frames(&self) -> u64 {
        self.unknown_frames
    }
}

/// A reason as it is sent, logged and shown: at most 400 characters.
fn short(reason: &str) -> String {
    reason.chars().take(400).collect()
}
