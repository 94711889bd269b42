//! The task that brings the log of samples to the cloud, behind everything else. It reads beside the writer, so only what
//! is committed goes up.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use twin_core::Timestamp;
use twin_core::history::{
    LinkCommand, LinkEvent, LogToken, Place, Run, Sample, UploadEffect, UploadLimits, Uploader,
};
use twin_store::{Reader, StoreError};

/// After a failure to read, it is tried again after this time.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Brings the history to the cloud.
#[derive(Debug)]
pub struct HistoryUpload {
    reader: Reader,
    logged: watch::Receiver<Option<Place>>,
    events: mpsc::Receiver<LinkEvent>,
    link: mpsc::Sender<LinkCommand>,
    limits: UploadLimits,
    backlog: watch::Sender<Option<u64>>,
}

/// What is to be read of the log.
#[derive(Debug, Clone, Copy)]
struct Question {
    token: LogToken,
    after: u64,
    up_to: u64,
    limit: usize,
    /// Not before this moment.
    at: Instant,
}

impl HistoryUpload {
    /// With a reader of the store, the end of its log as the service tells it, and an end of the link. The answer's second
    /// part is how many samples the connected cloud lacks; none while none is connected.
    #[must_use]
    pub fn new(
        reader: Reader,
        logged: watch::Receiver<Option<Place>>,
        events: mpsc::Receiver<LinkEvent>,
        link: mpsc::Sender<LinkCommand>,
    ) -> (Self, watch::Receiver<Option<u64>>) {
        let (backlog, told) = watch::channel(None);
        (Self { reader, logged, events, link, limits: UploadLimits::default(), backlog }, told)
    }

    /// Runs until `stop`, or until the link or the service has ended. What is on its way then is sent again later.
    pub async fn run(mut self, stop: CancellationToken) {
        let runs = tokio::select! {
            () = stop.cancelled() => return,
            runs = self.runs() => runs,
        };
        let started = Instant::now();
        let now = || Timestamp::from_millis(i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX));
        let mut uploader = Uploader::new(runs, self.limits);
        let mut connection = None;
        let mut reading: Option<Reading> = None;
        let mut told_missed = 0;
        if let Some(place) = *self.logged.borrow_and_update() {
            uploader.handle_logged(place);
        }
        loop {
            while let Some(effect) = uploader.poll_effect() {
                match effect {
                    UploadEffect::Send(message) => {
                        if let Some(connection) = connection
                            && self.link.send(LinkCommand::Send { connection, message }).await.is_err()
                        {
                            return;
                        }
                    }
                    UploadEffect::Fetch { token, after, up_to, limit } => {
                        let question = Question { token, after, up_to, limit, at: Instant::now() };
                        reading = Some(Box::pin(answer(self.reader.clone(), question)));
                    }
                }
            }
            self.backlog.send_if_modified(|told| {
                let now = uploader.backlog();
                std::mem::replace(told, now) != now
            });
            if uploader.missed() > told_missed {
                let samples = uploader.missed() - told_missed;
                told_missed = uploader.missed();
                info!(samples, "samples were gone before the cloud could get them; it is told");
            }
            let timeout = uploader.poll_timeout().map(|at| at.since(now()));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                event = self.events.recv() => match event {
                    None => return,
                    Some(LinkEvent::Connected { connection: number }) => {
                        connection = Some(number);
                        uploader.handle_connected();
                    }
                    Some(LinkEvent::Disconnected { connection: number }) if connection == Some(number) => {
                        connection = None;
                        uploader.handle_disconnected();
                    }
                    Some(LinkEvent::Message { connection: number, message }) if connection == Some(number) => {
                        if let Err(error) = uploader.handle_message(message, now()) {
                            warn!(%error, "the cloud broke the protocol of the history; closing the link");
                            let reason = error.to_string();
                            let close = LinkCommand::Close { connection: number, reason };
                            if self.link.send(close).await.is_err() {
                                return;
                            }
                        }
                    }
                    Some(LinkEvent::Disconnected { .. } | LinkEvent::Message { .. }) => {}
                },
                changed = self.logged.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if let Some(place) = *self.logged.borrow_and_update() {
                        uploader.handle_logged(place);
                    }
                }
                (asked, read) = done(&mut reading) => {
                    reading = None;
                    match read {
                        Ok(samples) => {
                            let more = samples.len() >= asked.limit;
                            uploader.handle_fetched(asked.token, samples, more, now());
                        }
                        Err(error) => {
                            warn!(%error, "the history cannot be read for the cloud; it is tried again");
                            let again = Question { at: Instant::now() + READ_AGAIN, ..asked };
                            reading = Some(Box::pin(answer(self.reader.clone(), again)));
                        }
                    }
                }
                () = sleep(timeout.unwrap_or_default()), if timeout.is_some() => uploader.handle_timeout(now()),
            }
        }
    }

    /// What has been logged by the starts so far.
    async fn runs(&self) -> Vec<Run> {
        loop {
            match self.reader.runs().await {
                Ok(runs) => return runs,
                Err(error) => warn!(%error, "the history cannot be read for the cloud; it is tried again"),
            }
            sleep(READ_AGAIN).await;
        }
    }
}

/// A question with its answer, on its way. It is not begun anew whenever something else happens.
type Reading = Pin<Box<dyn Future<Output = (Question, Result<Vec<Sample>, StoreError>)> + Send>>;

async fn done(reading: &mut Option<Reading>) -> (Question, Result<Vec<Sample>, StoreError>) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

async fn answer(reader: Reader, question: Question) -> (Question, Result<Vec<Sample>, StoreError>) {
    tokio::time::sleep_until(question.at).await;
    let limit = u32::try_from(question.limit).unwrap_or(u32::MAX);
    (question, reader.log(question.after, question.up_to, limit).await)
}
