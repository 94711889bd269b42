//! Writes into the audit what DeviceTwin has committed: what the cloud and local operators want, and how each write to a
//! device ended; and how often somebody was refused.
//!
//! What is written down is remembered in the audit's own database, in the same transaction. After a crash, a disk that was full,
//! or when events were missed, it is compared with the twins, and what differs is written down then.

mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use audit::{Action, Audit, AuditError, NotWritten, Record, Seen, SeenKey};
use device_twin::{Event, Handle};
use rights::Failures;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use twin_core::replica::{Commit, Followed};
use twin_core::{Change, PropertyId};
use twin_store::{Reader, StoreError};

use crate::clock::now;
use compare::{Known, compare, of_change, part};

/// How often refused logins are written down.
const FAILURES_EVERY: Duration = Duration::from_secs(60);
/// How long the witness waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// Differences that are written in one transaction.
const AT_A_TIME: usize = 500;

type Key = (String, &'static str);

/// The witness before it runs.
pub(crate) struct Witness {
    audit: Audit,
    reader: Reader,
    failures: Failures,
    events: broadcast::Receiver<Event>,
    /// What is written down, and what is about to be.
    known: BTreeMap<Key, Known>,
    /// What was about to be written was not: what is known is to be read again.
    stale: bool,
}

/// Why the witness is behind.
#[derive(Debug, thiserror::Error)]
enum Behind {
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A change to be written, and what is known of its property once it is.
struct News {
    key: Key,
    record: Option<Record>,
    known: Option<Known>,
}

impl Witness {
    /// A witness that hears everything from now on, and knows what is written down already.
    ///
    /// # Errors
    /// [`AuditError`] when that cannot be read.
    pub(crate) async fn new(
        audit: Audit,
        service: &Handle,
        reader: Reader,
        failures: Failures,
    ) -> Result<Self, AuditError> {
        let known = known(&audit).await?;
        Ok(Self { audit, reader, failures, events: service.events(), known, stale: false })
    }

    /// Writes until `stop`, and then what was committed until then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut report = tokio::time::interval(FAILURES_EVERY);
        let mut behind = true;
        loop {
            if behind {
                match self.catch_up().await {
                    Ok(()) => behind = false,
                    Err(error) => {
                        debug!(%error, "the audit is behind the twins");
                        tokio::select! {
                            () = stop.cancelled() => break,
                            () = tokio::time::sleep(PAUSE) => continue,
                        }
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.events.recv() => match event {
                    Ok(Event::Committed(commit)) => behind = self.handle(&commit).await.is_err(),
                    Ok(Event::Wishes(..)) => {}
                    Err(RecvError::Lagged(_)) => behind = true,
                    Err(RecvError::Closed) => break,
                },
                _ = report.tick() => self.report_failures().await,
            }
        }
        self.report_failures().await;
        // The twins are closed by now: what is left is in the queue, or is found at the next start.
        while let Ok(Event::Committed(commit)) = self.events.try_recv() {
            if self.handle(&commit).await.is_err() {
                warn!("the audit is behind the twins; what is missing is written at the next start");
                break;
            }
        }
    }

    async fn handle(&mut self, commit: &Commit) -> Result<(), Behind> {
        let mut news = Vec::new();
        let followed = commit.followed.iter().flat_map(|step| match step {
            Followed::Apply { entries, .. } => entries.as_slice(),
            Followed::ResetBegin | Followed::Stage { .. } | Followed::ResetEnd { .. } => &[],
        });
        for entry in commit.authored.iter().chain(followed) {
            let Some((id, part, found)) = of_change(&entry.change, entry.revision) else { continue };
            news.extend(self.news(id, part, found));
        }
        self.write(news).await?;
        if commit.followed.iter().any(|step| matches!(step, Followed::ResetEnd { .. })) {
            return self.catch_up().await;
        }
        Ok(())
    }

    /// Compares everything that is wanted and was answered with what is written down.
    async fn catch_up(&mut self) -> Result<(), Behind> {
        if self.stale {
            self.known = known(&self.audit).await?;
            self.stale = false;
        }
        let mut gone: BTreeSet<Key> = self.known.keys().cloned().collect();
        let mut news = Vec::new();
        for (device, ..) in self.reader.devices().await? {
            let twin = self.reader.twin(&device).await?;
            let mut changes = Vec::new();
            let id = |name: &twin_core::PropertyName| PropertyId::new(device.clone(), name.clone());
            changes
                .extend(twin.desired.iter().map(|(n, d, r)| (Change::Desired(id(n), Some(d.clone())), *r)));
            changes.extend(
                twin.overrides.iter().map(|(n, o, r)| (Change::Override(id(n), Some(o.clone())), *r)),
            );
            changes.extend(
                twin.reported.iter().map(|(n, r, rev)| (Change::Reported(id(n), Some(r.clone())), *rev)),
            );
            for (change, revision) in changes {
                let Some((id, part, found)) = of_change(&change, revision) else { continue };
                gone.remove(&(id.to_string(), part));
                news.extend(self.news(id, part, found));
            }
            if news.len() >= AT_A_TIME {
                self.write(std::mem::take(&mut news)).await?;
            }
        }
        for key in gone {
            let known = self.known.remove(&key);
            let record = compare(&key.0, key.1, known.as_ref(), None, now());
            news.push(News { key, record, known: None });
        }
        self.write(news).await
    }

    /// What is to be written of a part, if anything.
    fn news(&mut self, id: &PropertyId, part: &'static str, found: Option<Known>) -> Option<News> {
        let key = (id.to_string(), part);
        let known = self.known.get(&key);
        if known.is_none() && found.is_none() || known.is_some_and(|known| found.as_ref() == Some(known)) {
            return None;
        }
        let record = compare(&key.0, part, known, found.as_ref(), now());
        match &found {
            Some(found) => drop(self.known.insert(key.clone(), found.clone())),
            None => drop(self.known.remove(&key)),
        }
        Some(News { key, record, known: found })
    }

    async fn write(&mut self, news: Vec<News>) -> Result<(), Behind> {
        if news.is_empty() {
            return Ok(());
        }
        let (mut records, mut seen) = (Vec::new(), Vec::new());
        for News { key: (subject, part), record, known } in news {
            records.extend(record);
            let state = known.as_ref().and_then(|known| serde_json::to_string(known).ok());
            seen.push(Seen { key: SeenKey { subject, part }, state });
        }
        let written = self.audit.write_all(records, seen).await;
        self.stale |= written.is_err();
        Ok(written.map(drop)?)
    }

    async fn report_failures(&self) {
        for count in self.failures.take_counts(now()) {
            let mut record = Record::new(Action::LoginRefused);
            record.from = count.address.map(|address| address.to_string());
            record.note = Some(format!("{} times since the last such record", count.failures));
            self.audit.owe(record).await;
        }
    }
}

/// What is written down.
async fn known(audit: &Audit) -> Result<BTreeMap<Key, Known>, AuditError> {
    let seen = audit.book().seen().await?.into_iter().filter_map(|(subject, word, state)| {
        // What an older program knew otherwise is looked at anew.
        Some(((subject, part(&word)?), serde_json::from_str(&state).ok()?))
    });
    Ok(seen.collect())
}
