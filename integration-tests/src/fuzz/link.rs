//! What comes over the link.

use std::time::Duration;

use sync_proto::{
    Decoded, Enrol, Event, FrameLimits, JoinToken, Renew, Session, StreamId, Timing, decode, encode,
};
use twin_core::replica::{Effect, Limits, Replica, Stored};
use twin_core::{Incarnation, Side, Timestamp};

use super::text;

/// One frame; what is taken is written again, and that reads back the same.
pub fn link_frame(data: &[u8]) {
    let limits = FrameLimits::default();
    let _ = decode(data, FrameLimits { frame_bytes: 64, raw_bytes: 256 });
    let Ok(Decoded::Frame(frame)) = decode(data, limits) else { return };
    if let Ok(bytes) = encode(&frame, limits) {
        assert_eq!(decode(&bytes, limits), Ok(Decoded::Frame(frame)));
    }
}

/// An established session with a replica behind it. The first byte says which side is tested; then come frames, each
/// after two bytes: how long it is, and what happens before it.
pub fn link_session(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let side = if first & 1 == 0 { Side::Edge } else { Side::Cloud };
    let mut tested = Tested::established(side);
    while let Some(([len, before], frames)) = rest.split_first_chunk::<2>() {
        let (frame, behind) = frames.split_at(frames.len().min(usize::from(*len)));
        rest = behind;
        tested.pass(Duration::from_millis(u64::from(before & 0x3f) * 100));
        match before >> 6 {
            // Most frames get the header of one that is not compressed.
            0 => tested.take(frame),
            1 => tested.take(&[&[0x10], frame].concat()),
            // The kind of frame that carries messages, so that the bytes are a message.
            2 => tested.take(
                &[&[0x10, 0x04, 0xa2, 0x66], b"stream".as_slice(), &[0x10, 0x67], b"message", frame].concat(),
            ),
            _ => tested.reconnect(),
        }
    }
}

struct Tested {
    side: Side,
    session: Session,
    replica: Replica,
    now: Timestamp,
}

impl Tested {
    fn established(side: Side) -> Self {
        let replica = Replica::new(side, Incarnation::new(7), &Stored::default(), Limits::default());
        let mut tested = Self { side, session: session(side), replica, now: Timestamp::from_millis(0) };
        tested.reconnect();
        tested
    }

    /// A new connection, with an honest peer for the handshake.
    fn reconnect(&mut self) {
        let mut peer = session(match self.side {
            Side::Edge => Side::Cloud,
            Side::Cloud => Side::Edge,
        });
        self.session = session(self.side);
        self.session.handle_opened(self.now);
        peer.handle_opened(self.now);
        for _ in 0..4 {
            while let Some(bytes) = peer.poll_transmit() {
                self.session.handle_frame(&bytes, self.now).expect("an honest peer");
            }
            while self.session.poll_event().is_some() {}
            self.session.accept(self.now);
            while let Some(bytes) = self.session.poll_transmit() {
                peer.handle_frame(&bytes, self.now).expect("an honest session");
            }
            peer.accept(self.now);
        }
        assert!(!self.session.is_over());
        self.replica.handle_connected();
        self.settle();
    }

    fn take(&mut self, frame: &[u8]) {
        let _ = self.session.handle_frame(frame, self.now);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.session.handle_timeout(self.now);
        self.replica.handle_timeout(self.now);
        self.settle();
    }

    /// Everything that follows, with a store that has no rows.
    fn settle(&mut self) {
        const MOST: usize = 100_000;
        for _ in 0..MOST {
            if let Some(event) = self.session.poll_event() {
                if let Event::Message { message, .. } = event
                    && let Err(bad) = self.replica.handle_message(message, self.now)
                {
                    self.session.close(sync_proto::Code::Protocol, bad.to_string());
                }
            } else if self.session.poll_transmit().is_some() {
            } else if let Some(effect) = self.replica.poll_effect() {
                match effect {
                    Effect::Commit(commit) => self.replica.handle_committed(commit.token),
                    Effect::Fetch { token, up_to, .. } => {
                        self.replica.handle_fetched(token, up_to, Vec::new(), self.now);
                    }
                    Effect::Send(message) => drop(self.session.send(StreamId::TWIN, message)),
                    Effect::Publish(_) => {}
                }
            } else {
                return;
            }
        }
        panic!("it never comes to rest");
    }
}

fn session(side: Side) -> Session {
    let (software, streams, timing) = ("fuzz".to_owned(), vec![StreamId::TWIN], Timing::default());
    match side {
        Side::Edge => Session::edge("line-1".parse().expect("a DNS label"), software, streams, timing),
        Side::Cloud => Session::cloud(software, streams, timing),
    }
}

/// A join token.
pub fn join_token(data: &[u8]) {
    let Some(Ok(token)) = text(data).map(str::parse::<JoinToken>) else { return };
    assert_eq!(token.to_text().parse::<JoinToken>().as_ref(), Ok(&token));
}

/// The request for a certificate, the first or the next.
pub fn enrol(data: &[u8]) {
    if let Ok(renew) = serde_json::from_slice::<Renew>(data) {
        let again = serde_json::to_vec(&renew).expect("our own types become JSON");
        assert_eq!(serde_json::from_slice::<Renew>(&again).expect("it was written by us"), renew);
    }
    let Ok(enrol) = serde_json::from_slice::<Enrol>(data) else { return };
    let again = serde_json::to_vec(&enrol).expect("our own types become JSON");
    assert_eq!(serde_json::from_slice::<Enrol>(&again).expect("it was written by us"), enrol);
}
