//! The cloud's end: takes an edge's log, each sample once.

use std::collections::VecDeque;

use super::message::{Batch, Message};
use super::sample::{Place, Sample};

/// What is stored as one transaction: the samples, the place, and how many were missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// Samples of the incarnation of `end`, in order.
    pub samples: Vec<Sample>,
    /// How far the log is here once they are stored.
    pub end: Place,
    /// How many samples the edge had dropped before it could send them.
    pub missed: u64,
}

/// What the collector asks of its shell.
#[derive(Debug, Clone, PartialEq)]
pub enum CollectEffect {
    /// Store this as one transaction, then call [`Collector::handle_committed`].
    Commit(Collected),
    /// Send this to the edge.
    Send(Message),
}

/// A batch that no correct edge sends. The connection is to be closed with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHistoryBatch {
    /// Only the cloud says that.
    #[error("an edge sends samples only")]
    NotTheirs,
    /// More samples than a batch may have.
    #[error("a batch has {count} samples, at most {} are taken", Collector::MOST_SAMPLES)]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A sample is not where it should be.
    #[error("sample {seq} is not in order between the beginning of its batch and its end")]
    OutOfOrder {
        /// Its number.
        seq: u64,
    },
    /// A sample names a property that the batch does not list.
    #[error("sample {seq} is of no property that its batch lists")]
    NoSuchProperty {
        /// Its number.
        seq: u64,
    },
    /// It ends before it begins, or past what can be counted.
    #[error("a batch ends at {end}, which no log comes to")]
    BadEnd {
        /// Its end.
        end: u64,
    },
    /// More came than may be under way.
    #[error("more than {} batches came before the first was committed", Collector::MOST_WAITING)]
    WindowExceeded,
}

/// Takes the log of one edge over one connection.
#[derive(Debug)]
pub struct Collector {
    /// How far the log is here in each incarnation; the last one that grew comes first.
    known: Vec<Place>,
    waiting: VecDeque<Batch>,
    committing: Option<Place>,
    sends: VecDeque<Message>,
}

impl Collector {
    /// The most samples that are taken in one batch.
    pub const MOST_SAMPLES: usize = 10_000;
    /// The most batches that wait for a commit; a correct edge sends two.
    pub const MOST_WAITING: usize = 8;

    /// Goes on from what is stored, the incarnation that grew last first.
    #[must_use]
    pub fn new(mut known: Vec<Place>) -> Self {
        known.truncate(Message::MOST_KNOWN);
        Self { known, waiting: VecDeque::new(), committing: None, sends: VecDeque::new() }
    }

    /// A connection is there: says how far the log is here.
    pub fn handle_connected(&mut self) {
        self.handle_disconnected();
        self.sends.push_back(Message::Hello { known: self.known.clone() });
    }

    /// The connection is gone.
    pub fn handle_disconnected(&mut self) {
        self.waiting.clear();
        self.sends.clear();
    }

    /// Takes a message of the edge.
    ///
    /// # Errors
    /// [`BadHistoryBatch`] when no correct edge sends it; the connection is to be closed.
    pub fn handle_message(&mut self, message: Message) -> Result<(), BadHistoryBatch> {
        let Message::Batch(batch) = message else { return Err(BadHistoryBatch::NotTheirs) };
        check(&batch)?;
        if self.waiting.len() >= Self::MOST_WAITING {
            return Err(BadHistoryBatch::WindowExceeded);
        }
        self.waiting.push_back(batch);
        Ok(())
    }

    /// The transaction is done.
    pub fn handle_committed(&mut self) {
        let Some(end) = self.committing.take() else { return };
        self.known.retain(|place| place.incarnation != end.incarnation);
        self.known.insert(0, end);
        self.known.truncate(Message::MOST_KNOWN);
        self.sends.push_back(Message::Ack(end));
    }

    /// The next thing to do; none when there is nothing until something is handled.
    pub fn poll_effect(&mut self) -> Option<CollectEffect> {
        loop {
            if let Some(message) = self.sends.pop_front() {
                return Some(CollectEffect::Send(message));
            }
            if self.committing.is_some() {
                return None;
            }
            let batch = self.waiting.pop_front()?;
            let here = self.here(&batch.end);
            if here.is_some_and(|seq| seq >= batch.end.seq) {
                self.sends.push_back(Message::Ack(batch.end));
            } else if batch.after.is_none_or(|after| self.here(&after).is_some_and(|seq| seq >= after.seq)) {
                self.committing = Some(batch.end);
                return Some(CollectEffect::Commit(unpack(batch, here)));
            }
            // Else the batch before it was lost: the edge sends both again.
        }
    }

    fn here(&self, place: &Place) -> Option<u64> {
        self.known.iter().find(|known| known.incarnation == place.incarnation).map(|known| known.seq)
    }
}

/// What is new of a batch, where its run is already here up to a number.
fn unpack(batch: Batch, here: Option<u64>) -> Collected {
    let Batch { after, end, properties, samples } = batch;
    let from = after.map_or(0, |after| after.seq).max(here.unwrap_or(0));
    let samples: Vec<Sample> = samples
        .into_iter()
        .filter(|sample| sample.seq > from)
        .filter_map(|sample| {
            let id = properties.get(sample.property as usize)?.clone();
            Some(Sample { seq: sample.seq, id, reading: sample.reading })
        })
        .collect();
    let missed = end.seq.saturating_sub(from).saturating_sub(samples.len() as u64);
    Collected { samples, end, missed }
}

fn check(batch: &Batch) -> Result<(), BadHistoryBatch> {
    let count = batch.samples.len();
    if count > Collector::MOST_SAMPLES || batch.properties.len() > Collector::MOST_SAMPLES {
        return Err(BadHistoryBatch::TooMany { count: count.max(batch.properties.len()) });
    }
    let end = batch.end.seq;
    let mut last = batch.after.map_or(0, |after| after.seq);
    if end <= last || end >= Place::END {
        return Err(BadHistoryBatch::BadEnd { end });
    }
    for sample in &batch.samples {
        let seq = sample.seq;
        if seq <= last || seq > end {
            return Err(BadHistoryBatch::OutOfOrder { seq });
        }
        if sample.property as usize >= batch.properties.len() {
            return Err(BadHistoryBatch::NoSuchProperty { seq });
        }
        last = seq;
    }
    Ok(())
}
