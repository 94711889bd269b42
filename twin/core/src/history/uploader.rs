//! The edge's end: sends its log to the cloud, oldest first.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Batch, Message, PackedSample};
use super::sample::{Place, Sample};
use crate::id::PropertyId;
use crate::revision::Incarnation;
use crate::time::Timestamp;
use crate::value::Value;

/// Numbers of the log that one start of the process has given, without a gap between one run and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The start.
    pub incarnation: Incarnation,
    /// Its first number.
    pub first: u64,
    /// Its last number.
    pub last: u64,
}

/// Bounds of what is on its way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// The most samples in a batch.
    pub batch_samples: usize,
    /// About the most bytes of a batch before compression; one sample is always taken.
    pub batch_bytes: usize,
    /// The most batches sent and not acknowledged.
    pub window_batches: usize,
    /// Without an acknowledgement for this long everything after the last one is sent again.
    pub ack_timeout: Duration,
}

impl Default for UploadLimits {
    /// Batches of 1000 samples or 56 KiB, four under way: history gives way to everything else on the link, and a batch is
    /// one frame that holds up nothing for long.
    fn default() -> Self {
        Self {
            batch_samples: 1000,
            batch_bytes: 56 * 1024,
            window_batches: 4,
            ack_timeout: Duration::from_secs(20),
        }
    }
}

/// Names one [`UploadEffect::Fetch`], so that a late answer is not taken for a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogToken(u64);

/// What the uploader asks of its shell.
#[derive(Debug, Clone, PartialEq)]
pub enum UploadEffect {
    /// Send this to the cloud.
    Send(Message),
    /// Read the samples with `after < seq <= up_to` in order, at most `limit`, then call
    /// [`Uploader::handle_fetched`]. A shell that stops earlier, for their size, gives `limit` as the number it has read.
    Fetch {
        /// To be given back.
        token: LogToken,
        /// Exclusive.
        after: u64,
        /// Inclusive.
        up_to: u64,
        /// The most samples.
        limit: usize,
    },
}

/// A message that no correct cloud sends. The connection is to be closed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHistoryMessage {
    /// Only edges send samples.
    #[error("the cloud sends no samples")]
    NotTheirs,
    /// More places than a hello may name.
    #[error("a hello names {count} places, at most {} are taken", Message::MOST_KNOWN)]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// What is known of the cloud on this connection.
#[derive(Debug)]
struct Peer {
    acked: Option<Place>,
    sent: Option<Place>,
    in_flight: VecDeque<Place>,
    resend_at: Option<Timestamp>,
}

/// Sends the log. It holds places, never samples.
#[derive(Debug)]
pub struct Uploader {
    /// Oldest first; the last one may grow.
    runs: Vec<Run>,
    peer: Option<Peer>,
    fetching: Option<(LogToken, u64)>,
    next_token: u64,
    limits: UploadLimits,
    sends: VecDeque<Message>,
    /// Numbers that were gone before they could be sent, since the start.
    missed: u64,
}

impl Uploader {
    /// Goes on with a log of these runs, oldest first.
    #[must_use]
    pub fn new(runs: Vec<Run>, limits: UploadLimits) -> Self {
        let (peer, fetching, sends) = (None, None, VecDeque::new());
        Self { runs, peer, fetching, next_token: 0, limits, sends, missed: 0 }
    }

    /// The log has grown, and what it has grown by is committed.
    pub fn handle_logged(&mut self, end: Place) {
        let last = self.runs.last().map_or(0, |run| run.last);
        if end.seq <= last {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.incarnation == end.incarnation => run.last = end.seq,
            Some(_) | None => {
                self.runs.push(Run { incarnation: end.incarnation, first: last + 1, last: end.seq });
            }
        }
    }

    /// A connection is there. The cloud speaks first.
    pub fn handle_connected(&mut self) {
        self.handle_disconnected();
    }

    /// The connection is gone, and what was on its way with it.
    pub fn handle_disconnected(&mut self) {
        self.peer = None;
        self.fetching = None;
        self.sends.clear();
    }

    /// Takes a message of the cloud.
    ///
    /// # Errors
    /// [`BadHistoryMessage`] when no correct cloud sends it; the connection is to be closed.
    pub fn handle_message(&mut self, message: Message, now: Timestamp) -> Result<(), BadHistoryMessage> {
        match message {
            Message::Hello { known } if known.len() > Message::MOST_KNOWN => {
                Err(BadHistoryMessage::TooMany { count: known.len() })
            }
            Message::Hello { known } => {
                let place = self.resume_from(&known);
                self.start_at(place);
                Ok(())
            }
            Message::Ack(place) => {
                self.handle_ack(place, now);
                Ok(())
            }
            Message::Batch(_) => Err(BadHistoryMessage::NotTheirs),
        }
    }

    /// The resume rule. Every place of the cloud says: all of your log up to here is here, since the log only grows at
    /// its end and is sent in order. So the furthest one in this log counts. A place past the end of its run was given
    /// before this log was restored from a backup: the whole run as this log knows it is there.
    pub(super) fn resume_from(&self, known: &[Place]) -> Option<Place> {
        let in_this_log = known.iter().filter_map(|place| {
            let run = self.runs.iter().rev().find(|run| run.incarnation == place.incarnation)?;
            let seq = place.seq.min(run.last);
            (seq >= run.first).then_some(Place { incarnation: run.incarnation, seq })
        });
        in_this_log.max_by_key(|place| place.seq)
    }

    fn start_at(&mut self, place: Option<Place>) {
        self.peer = Some(Peer { acked: place, sent: place, in_flight: VecDeque::new(), resend_at: None });
        self.fetching = None;
    }

    fn handle_ack(&mut self, place: Place, now: Timestamp) {
        let Some(peer) = &mut self.peer else { return };
        let Some(at) = peer.in_flight.iter().position(|sent| *sent == place) else { return };
        peer.in_flight.drain(..=at);
        peer.acked = Some(place);
        peer.resend_at = (!peer.in_flight.is_empty()).then(|| now.after(self.limits.ack_timeout));
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let Some(peer) = &self.peer else { return };
        if peer.resend_at.is_some_and(|at| at <= now) {
            let acked = peer.acked;
            self.start_at(acked);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.peer.as_ref().and_then(|peer| peer.resend_at)
    }

    /// The next thing to do; none when there is nothing until something is handled.
    pub fn poll_effect(&mut self) -> Option<UploadEffect> {
        if let Some(message) = self.sends.pop_front() {
            return Some(UploadEffect::Send(message));
        }
        let peer = self.peer.as_ref()?;
        let end = self.end();
        let after = peer.sent.map_or(0, |place| place.seq);
        if self.fetching.is_some() || peer.in_flight.len() >= self.limits.window_batches || after >= end {
            return None;
        }
        let token = LogToken(self.next_token);
        self.next_token += 1;
        // A batch lies in one run, so that the cloud can tell what it has of it already.
        let up_to = self.runs.iter().find(|run| run.last > after).map_or(end, |run| run.last);
        self.fetching = Some((token, up_to));
        Some(UploadEffect::Fetch { token, after, up_to, limit: self.limits.batch_samples })
    }

    /// The answer to [`UploadEffect::Fetch`]: the samples in order, and whether there may be more of them.
    pub fn handle_fetched(&mut self, token: LogToken, samples: Vec<Sample>, more: bool, now: Timestamp) {
        let Some((_, up_to)) = self.fetching.filter(|(asked, _)| *asked == token) else { return };
        let Some(peer) = &mut self.peer else { return };
        let after = peer.sent;
        let Some((batch, end)) = pack(&self.runs, after, up_to, samples, more, self.limits.batch_bytes)
        else {
            // A number that no run has given: asked again it would be the same.
            return;
        };
        self.fetching = None;
        let span = end.seq.saturating_sub(after.map_or(0, |place| place.seq));
        self.missed += span.saturating_sub(batch.samples.len() as u64);
        peer.sent = Some(end);
        peer.in_flight.push_back(end);
        peer.resend_at = peer.resend_at.or_else(|| Some(now.after(self.limits.ack_timeout)));
        self.sends.push_back(Message::Batch(batch));
    }

    fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.last)
    }

    /// How many samples the connected cloud has not acknowledged, if none was dropped.
    #[must_use]
    pub fn backlog(&self) -> Option<u64> {
        let peer = self.peer.as_ref()?;
        Some(self.end().saturating_sub(peer.acked.map_or(0, |place| place.seq)))
    }

    /// How many samples were dropped before they could be sent, as far as this start has seen; those of a batch that is
    /// sent again count again.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// Makes a batch of as many samples as have room. They are all of the run in which `up_to` lies.
fn pack(
    runs: &[Run],
    after: Option<Place>,
    up_to: u64,
    samples: Vec<Sample>,
    more: bool,
    most_bytes: usize,
) -> Option<(Batch, Place)> {
    let incarnation = runs.iter().rev().find(|run| run.first <= up_to && up_to <= run.last)?.incarnation;
    let (mut properties, mut packed): (Vec<PropertyId>, Vec<PackedSample>) = (Vec::new(), Vec::new());
    let (mut bytes, mut cut) = (0, more);
    for sample in samples {
        bytes += size(&sample);
        if !packed.is_empty() && bytes > most_bytes {
            cut = true;
            break;
        }
        let known = properties.iter().rposition(|id| *id == sample.id);
        let place = known.unwrap_or_else(|| {
            properties.push(sample.id);
            properties.len() - 1
        });
        let property = u32::try_from(place).unwrap_or(u32::MAX);
        packed.push(PackedSample { seq: sample.seq, property, reading: sample.reading });
    }
    let seq = if cut { packed.last().map_or(up_to, |sample| sample.seq) } else { up_to };
    let end = Place { incarnation, seq };
    Some((Batch { after, end, properties, samples: packed }, end))
}

/// About how many bytes a sample takes in a batch.
fn size(sample: &Sample) -> usize {
    48 + match &sample.reading.value {
        None | Some(Value::Bool(_) | Value::Int(_) | Value::Float(_)) => 0,
        Some(Value::String(text)) => text.len(),
        Some(Value::Bytes(bytes)) => bytes.len().div_ceil(3) * 4,
        Some(Value::Json(json)) => json.to_string().len(),
    }
}
