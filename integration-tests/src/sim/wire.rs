//! The sessions between the replicas: messages become frames, and a connection counts when both ends have agreed.

use sync_proto::{Event, SendError, Session, StreamId, Timing};
use twin_core::Side;
use twin_core::replica::Message;

use super::world::World;
use super::{index, other};

/// What a link carries.
#[derive(Clone)]
pub(super) enum Parcel {
    /// Between replicas that are joined directly.
    Message(Message),
    /// Between sessions.
    Frame(Vec<u8>),
}

fn session(side: Side, cut_over_bytes: usize) -> Session {
    let (software, streams, timing) = ("simulation".to_owned(), vec![StreamId::TWIN], Timing::default());
    let session = match side {
        Side::Edge => Session::edge("line-1".parse().expect("a DNS label"), software, streams, timing),
        Side::Cloud => Session::cloud(software, streams, timing),
    };
    session.cutting_over(cut_over_bytes)
}

impl World {
    /// A session for the connection that this side has noticed.
    pub(super) fn open_session(&mut self, side: Side) {
        let Some(process) = &mut self.ends[index(side)].process else { return };
        let mut session = session(side, self.cut_over_bytes);
        session.handle_opened(self.now);
        process.session = Some(session);
    }

    pub(super) fn send_by_session(&mut self, side: Side, message: Message) -> Result<(), String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(()) };
        let Some(session) = &mut process.session else { return Ok(()) };
        if let Message::Batch(batch) = &message {
            process.wholes.insert(batch.cursor);
        }
        match session.send(StreamId::TWIN, message) {
            Ok(()) | Err(SendError::NotEstablished) => Ok(()),
            Err(error @ (SendError::StreamNotAgreed { .. } | SendError::QueueFull { .. })) => {
                Err(format!("the session of {side:?} does not take a message: {error}"))
            }
        }
    }

    /// One step of the session of this side; whether it had anything to do.
    pub(super) fn pump(&mut self, side: Side) -> Result<bool, String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(false) };
        let Some(session) = &mut process.session else { return Ok(false) };
        if let Some(event) = session.poll_event() {
            self.take_event(side, event)?;
            return Ok(true);
        }
        let Some(frame) = session.poll_transmit() else {
            if session.is_over() {
                process.session = None;
                self.link.cut();
                return Ok(true);
            }
            return Ok(false);
        };
        self.trace.add(self.now, format_args!("{side:?} transmits {} bytes", frame.len()));
        if process.connection.is_some() && process.connection == self.link.connection() {
            self.link.send(other(side), Parcel::Frame(frame), self.now, &mut self.rng);
        }
        Ok(true)
    }

    fn take_event(&mut self, side: Side, event: Event) -> Result<(), String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(()) };
        match event {
            Event::Opening(_) => {
                if let Some(session) = &mut process.session {
                    session.accept(self.now);
                }
            }
            Event::Established(_) => {
                self.say(format_args!("{side:?} is connected"));
                if let Some(replica) = self.ends[index(side)].replica() {
                    replica.handle_connected();
                }
            }
            Event::Message { message, .. } => {
                self.note_cut(side, &message);
                self.take_message(side, message)?;
            }
            Event::History(_) => return Err(format!("{side:?} is sent a history that was not agreed on")),
            Event::Refused(refused) => return Err(format!("{side:?} is refused: {refused:?}")),
            Event::Closed(closed) => {
                self.say(format_args!("the session of {side:?} ends: {}", closed.reason))
            }
        }
        Ok(())
    }

    /// A batch that no replica made is a part of one.
    fn note_cut(&mut self, side: Side, message: &Message) {
        let (Message::Batch(batch), Some(author)) = (message, &self.ends[index(other(side))].process) else {
            return;
        };
        self.report.cuts += u64::from(!author.wholes.contains(&batch.cursor));
    }

    pub(super) fn take_frame(&mut self, side: Side, frame: &[u8]) -> Result<(), String> {
        let Some(process) = &mut self.ends[index(side)].process else { return Ok(()) };
        let Some(session) = &mut process.session else { return Ok(()) };
        self.trace.add(self.now, format_args!("{side:?} receives {} bytes", frame.len()));
        session.handle_frame(frame, self.now).map_err(|error| format!("{side:?} refuses a frame: {error}"))
    }
}
