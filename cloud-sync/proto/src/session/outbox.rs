//! What waits to be sent, in the order in which it goes: the session's own frames, then the streams by priority.

use std::collections::{BTreeMap, VecDeque};

use twin_core::history;
use twin_core::replica::Message;

use super::Session;
use super::split::{Ends, Part, halves};
use crate::codec::{EncodeError, FrameLimits, encode};
use crate::frame::{Frame, HistoryFrame, StreamFrame, StreamId};

/// A queue is full: the peer does not take what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug, Default)]
struct Lane {
    /// Hellos and acknowledgements: small, and the peer waits for them.
    urgent: VecDeque<Message>,
    batches: VecDeque<Part>,
    ends: Ends,
}

#[derive(Debug)]
pub(super) struct Outbox {
    own: VecDeque<Vec<u8>>,
    lanes: BTreeMap<StreamId, Lane>,
    /// Goes when nothing else waits.
    history: VecDeque<history::Message>,
    pub(super) limits: FrameLimits,
    /// Longer frames are cut where they can be, so that a heartbeat need not wait for long behind one on a slow line.
    pub(super) cut_over_bytes: usize,
}

impl Outbox {
    /// Per stream and kind; a correct replica has four batches under way.
    const MOST_WAITING: usize = 256;

    pub(super) fn new(limits: FrameLimits) -> Self {
        let (own, lanes, history) = (VecDeque::new(), BTreeMap::new(), VecDeque::new());
        Self { own, lanes, history, limits, cut_over_bytes: Session::CUT_OVER_BYTES }
    }

    pub(super) fn push_own(&mut self, frame: &Frame) {
        // The session's own frames are a few hundred bytes: far below any limit.
        if let Ok(bytes) = encode(frame, FrameLimits::default()) {
            self.own.push_back(bytes);
        }
    }

    pub(super) fn push(&mut self, stream: StreamId, message: Message) -> Result<(), Full> {
        let lane = self.lanes.entry(stream).or_default();
        let waiting = match &message {
            Message::Hello(_) | Message::Ack(_) => lane.urgent.len(),
            Message::Batch(_) => lane.batches.len(),
        };
        if waiting >= Self::MOST_WAITING {
            return Err(Full);
        }
        match message {
            Message::Hello(_) | Message::Ack(_) => lane.urgent.push_back(message),
            Message::Batch(batch) => lane.batches.push_back(Part::whole(batch)),
        }
        Ok(())
    }

    pub(super) fn push_history(&mut self, message: history::Message) -> Result<(), Full> {
        if self.history.len() >= Self::MOST_WAITING {
            return Err(Full);
        }
        self.history.push_back(message);
        Ok(())
    }

    /// Whether this message of the peer is for the replica: not so an acknowledgement of a part of a cut batch.
    pub(super) fn is_for_replica(&mut self, stream: StreamId, message: &Message) -> bool {
        let Some(lane) = self.lanes.get_mut(&stream) else { return true };
        match message {
            Message::Ack(cursor) => !lane.ends.take_seam(*cursor),
            Message::Hello(_) => {
                lane.ends.clear();
                true
            }
            Message::Batch(_) => true,
        }
    }

    /// Drops what waits of the streams.
    pub(super) fn drop_streams(&mut self) {
        self.lanes.clear();
        self.history.clear();
    }

    pub(super) fn pop(&mut self) -> Result<Option<Vec<u8>>, EncodeError> {
        if let Some(bytes) = self.own.pop_front() {
            return Ok(Some(bytes));
        }
        for (stream, lane) in &mut self.lanes {
            if let Some(message) = lane.urgent.pop_front() {
                return encode(&frame(*stream, message), self.limits).map(Some);
            }
            if let Some(part) = lane.batches.pop_front() {
                return lane.cut(*stream, part, self.limits, self.cut_over_bytes).map(Some);
            }
        }
        let next = self.history.pop_front().map(|message| Frame::History(HistoryFrame { message }));
        next.map(|frame| encode(&frame, self.limits)).transpose()
    }
}

impl Lane {
    /// Writes the batch, or as much of its beginning as goes into one frame.
    fn cut(
        &mut self,
        stream: StreamId,
        Part { mut batch, mut ends_in_seam }: Part,
        limits: FrameLimits,
        cut_over_bytes: usize,
    ) -> Result<Vec<u8>, EncodeError> {
        loop {
            let cursor = batch.cursor;
            let whole = frame(stream, Message::Batch(batch));
            let written = encode(&whole, limits);
            let short = written.as_ref().is_ok_and(|bytes| bytes.len() <= cut_over_bytes);
            let Frame::Stream(StreamFrame { message: Message::Batch(again), .. }) = whole else {
                return written;
            };
            match if short { Err(again) } else { halves(again) } {
                Ok((first, second)) => {
                    self.batches.push_front(Part { batch: second, ends_in_seam });
                    (batch, ends_in_seam) = (first, true);
                }
                Err(_) => {
                    self.ends.sent(cursor, ends_in_seam);
                    return written;
                }
            }
        }
    }
}

fn frame(stream: StreamId, message: Message) -> Frame {
    Frame::Stream(StreamFrame { stream, message })
}
