//! How the gateway writes records: many in one commit, whoever waits is told when it is on the disk.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use twin_core::Timestamp;

use crate::book::{AuditError, Book, Bounds, Seen};
use crate::chain::Head;
use crate::record::{Action, Record};

/// Requests that wait for the disk.
const QUEUE: usize = 1024;
/// Records that are owed while the disk does not take them; of more, the oldest are counted and forgotten.
const OWED: usize = 10_000;
/// How long the writer waits before it tries the disk again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the head is logged, so that it is kept where the log is.
const HEAD_LOGGED_EVERY: Duration = Duration::from_secs(3600);

/// A record that is not on the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit cannot be written: {0}")]
pub struct NotWritten(String);

struct Entry {
    records: Vec<Record>,
    seen: Vec<Seen>,
    /// None: it is owed until it is written.
    answer: Option<oneshot::Sender<Result<i64, NotWritten>>>,
}

/// Writes records; cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    entries: mpsc::Sender<Entry>,
    head: watch::Receiver<Head>,
    book: Book,
}

/// The task behind [`Audit`], before it runs.
pub struct Writer {
    book: Book,
    bounds: Bounds,
    now: fn() -> Timestamp,
    entries: mpsc::Receiver<Entry>,
    head: watch::Sender<Head>,
    owed: VecDeque<Record>,
    /// Records that were owed and are forgotten.
    lost: u64,
    failing: bool,
}

impl Audit {
    /// Prepares writing to a book.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be read.
    pub async fn new(
        book: Book,
        bounds: Bounds,
        now: fn() -> Timestamp,
    ) -> Result<(Self, Writer), AuditError> {
        let (sender, entries) = mpsc::channel(QUEUE);
        let (head_sender, head) = watch::channel(book.head().await?);
        let audit = Self { entries: sender, head, book: book.clone() };
        let owed = VecDeque::new();
        let writer = Writer { book, bounds, now, entries, head: head_sender, owed, lost: 0, failing: false };
        Ok((audit, writer))
    }

    /// Writes a record and gives its number when it is on the disk.
    ///
    /// # Errors
    /// [`NotWritten`]: whoever asks must not do what the record tells of.
    pub async fn write(&self, record: Record) -> Result<i64, NotWritten> {
        self.write_all(vec![record], Vec::new()).await
    }

    /// Writes records and what is known from then on, all or nothing; gives the number of the first.
    ///
    /// # Errors
    /// [`NotWritten`]: none of it is written.
    pub async fn write_all(&self, records: Vec<Record>, seen: Vec<Seen>) -> Result<i64, NotWritten> {
        let (answer, answered) = oneshot::channel();
        let stopping = || NotWritten("the gateway is stopping".to_owned());
        let entry = Entry { records, seen, answer: Some(answer) };
        self.entries.send(entry).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Writes a record of something that has happened already; while the disk does not take it, it is tried again.
    pub async fn owe(&self, record: Record) {
        let entry = Entry { records: vec![record], seen: Vec::new(), answer: None };
        let _ = self.entries.send(entry).await;
    }

    /// The end of the chain as this process knows it.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// The records.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }
}

impl Writer {
    /// Writes until `stop` and then what is left in the queue.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::new();
        let mut log_head = tokio::time::interval(HEAD_LOGGED_EVERY);
        loop {
            let owes = !self.owed.is_empty();
            tokio::select! {
                biased;
                count = self.entries.recv_many(&mut batch, QUEUE) => {
                    if count == 0 {
                        break;
                    }
                    self.write(batch.drain(..)).await;
                }
                () = stop.cancelled() => {
                    self.entries.close();
                    while self.entries.recv_many(&mut batch, QUEUE).await > 0 {
                        self.write(batch.drain(..)).await;
                    }
                    break;
                }
                () = tokio::time::sleep(PAUSE), if owes => self.write(std::iter::empty()).await,
                _ = log_head.tick() => info!(head = %*self.head.borrow(), "the audit goes on"),
            }
        }
        if !self.owed.is_empty() {
            error!(records = self.owed.len(), "the audit could not be written before the end");
        }
        info!(head = %*self.head.borrow(), "the audit ends here");
        self.book.close().await;
    }

    async fn write(&mut self, entries: impl Iterator<Item = Entry>) {
        let (mut records, mut seen, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let owed_before = self.owed.len();
        if self.lost > 0 {
            let mut record = Record::new(Action::Answer);
            record.note = Some(format!("{} records could not be written and are lost", self.lost));
            records.push(record);
        }
        records.extend(self.owed.iter().cloned());
        let mut owed = Vec::new();
        for entry in entries {
            match entry.answer {
                Some(answer) => waiting.push((answer, records.len())),
                None => owed.extend(entry.records.iter().cloned()),
            }
            records.extend(entry.records);
            seen.extend(entry.seen);
        }
        if records.is_empty() && seen.is_empty() {
            return;
        }
        match self.book.append(&records, &seen, (self.now)(), self.bounds).await {
            Ok((first, head)) => {
                self.owed.drain(..owed_before);
                self.lost = 0;
                self.head.send_replace(head);
                for (answer, place) in waiting {
                    let _ = answer.send(Ok(first + i64::try_from(place).unwrap_or(0)));
                }
                if std::mem::take(&mut self.failing) {
                    info!(%head, "the audit can be written again");
                }
            }
            Err(failed) => {
                if !std::mem::replace(&mut self.failing, true) {
                    error!(error = %failed, "the audit cannot be written: no override and no configuration is taken");
                }
                let reason = NotWritten(failed.to_string());
                for (answer, _) in waiting {
                    let _ = answer.send(Err(reason.clone()));
                }
                self.owed.extend(owed);
                while self.owed.len() > OWED {
                    self.owed.pop_front();
                    self.lost += 1;
                }
            }
        }
    }
}
