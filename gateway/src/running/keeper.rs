//! The keeper of the configuration: one change at a time, each stored before it is carried out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use audit::{Action, Audit, Outcome, Record};
use config::{Gateway, Loaded};
use device_twin::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use twin_store::{ConfigStore, NewConfiguration, StoreError};

use super::apply::{Devices, steps};
use super::choice::Kept;
use super::texts::Texts;
use super::view::{Applied, Failure, FileState, Revisions, Status};
use super::watch::Watch;
use super::{ApplyError, Command, Paused, QUEUE, Running};
use crate::clock::now;
use crate::eventbus::EventBus;
use crate::files::{self, ReadError};
use crate::wiring::fleet::Fleet;

/// What the keeper works with.
pub(crate) struct Parts {
    pub(crate) service: Handle,
    pub(crate) bus: EventBus,
    pub(crate) fleet: Fleet,
    pub(crate) audit: Audit,
    /// The settings that the gateway was started with.
    pub(crate) gateway: Gateway,
    /// The devices that it was started with; they are declared already.
    pub(crate) devices: Devices,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    File,
    Rest,
    Rollback,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Rest => "rest",
            Self::Rollback => "rollback",
        }
    }
}

/// The keeper before it runs.
pub(crate) struct Keeper {
    pub(super) parts: Parts,
    pub(super) store: ConfigStore,
    file: Option<PathBuf>,
    file_digest: Option<String>,
    watch: Option<Watch>,
    commands: mpsc::Receiver<Command>,
    status: watch::Sender<Arc<Status>>,
    pub(super) pauses: watch::Sender<Arc<Paused>>,
}

impl Keeper {
    /// A keeper of the configuration that the gateway starts with, which is stored unless it is already.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be.
    pub(crate) async fn new(mut parts: Parts, kept: Option<Kept>) -> Result<(Self, Running), StoreError> {
        let mut store = ConfigStore::open(&parts.gateway.data_dir).await?;
        let mut status = Status {
            revision: None,
            applied_at: now().as_millis(),
            origin: Origin::File.word().to_owned(),
            note: String::new(),
            digest: String::new(),
            devices: 0,
            properties: 0,
            file: None,
            file_state: FileState::NoFile,
            restart_needed: Vec::new(),
            last_failure: None,
        };
        count(&mut status, &parts.devices);
        let (mut file, mut file_digest) = (None, None);
        if let Some(kept) = kept {
            status.digest = kept.texts.digest();
            status.file = Some(kept.file.display().to_string());
            status.file_state = kept.file_state;
            file = Some(kept.file);
            file_digest = kept.file_digest;
            if let Some(reason) = kept.broken {
                error!(
                    file = status.file,
                    revision = kept.stored.as_ref().map(|stored| stored.revision),
                    reason,
                    "the configuration file cannot be used: running with the configuration that was last in force; \
                     mend the file and run `twinspan reload`"
                );
                status.last_failure = Some(Failure { at: now().as_millis(), reason });
            }
            if status.file_state == FileState::Differs {
                warn!(
                    file = status.file,
                    revision = kept.stored.as_ref().map(|stored| stored.revision),
                    "running with the configuration that was applied or rolled back, not with the file, which is older; \
                     `twinspan reload` takes the file"
                );
            }
            match kept.stored {
                Some(stored) => {
                    status.revision = Some(stored.revision);
                    status.applied_at = stored.applied_at.as_millis();
                    status.origin = stored.origin;
                    status.note = stored.note;
                    if file_digest.is_some() && file_digest != stored.file_digest {
                        unless_it_ends(store.note_file(stored.revision, file_digest.as_deref()).await)?;
                    }
                }
                None => {
                    let body = body(&kept.texts);
                    let revision = store.insert(NewConfiguration {
                        applied_at: now(),
                        origin: Origin::File.word(),
                        note: "",
                        digest: &status.digest,
                        file_digest: file_digest.as_deref(),
                        devices: u32::try_from(status.devices).unwrap_or(u32::MAX),
                        body: &body,
                    });
                    status.revision = unless_it_ends(revision.await)?;
                }
            }
        }
        let paused = store.pauses().await.unwrap_or_else(|error| {
            error!(%error, "which devices are paused cannot be read: all of them are asked");
            Paused::new()
        });
        for device in paused.keys() {
            parts.fleet.set_pause(device, true);
            if parts.devices.contains_key(device) {
                warn!(%device, "the device is paused, as it was before the start; `twinspan resume` has it asked again");
            }
        }
        let (pauses, pauses_rx) = watch::channel(Arc::new(paused));
        let (commands_tx, commands) = mpsc::channel(QUEUE);
        let (status, status_rx) = watch::channel(Arc::new(status));
        let watch = file.as_deref().filter(|_| parts.gateway.reload_on_change).map(Watch::new);
        let keeper = Self { parts, store, file, file_digest, watch, commands, status, pauses };
        Ok((keeper, Running { commands: commands_tx, status: status_rx, pauses: pauses_rx }))
    }

    /// Carries out what is asked until `stop`; then ends the mappers.
    ///
    /// # Errors
    /// Why a mapper has ended for good.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), String> {
        self.parts.fleet.assign(&self.parts.devices).await.map_err(|error| error.to_string())?;
        let outcome = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                reason = self.parts.fleet.ended() => break Err(reason),
                Some(command) = self.commands.recv() => self.handle(command).await,
                () = files_changed(&mut self.watch) => drop(self.reload().await),
            }
        };
        self.parts.fleet.stop().await;
        if let Err(error) = self.store.close().await {
            warn!(%error, "the database of the configurations could not be closed");
        }
        outcome
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Apply { texts, note, dry_run, answer } => {
                let applied = self.apply(texts, Origin::Rest, &note, dry_run).await;
                let _ = answer.send(applied);
            }
            Command::Reload { answer } => drop(answer.send(self.reload().await)),
            Command::Rollback { revision, note, dry_run, answer } => {
                let applied = self.rollback(revision, &note, dry_run).await;
                let _ = answer.send(applied);
            }
            Command::Pause { device, pause, answer } => {
                let _ = answer.send(self.set_pause(&device, pause).await);
            }
            Command::History { answer } => {
                let all = self.store.all().await.map_err(ApplyError::from);
                let all = all.map(|all| Revisions { revisions: all.into_iter().map(Into::into).collect() });
                let _ = answer.send(all);
            }
        }
    }

    async fn reload(&mut self) -> Result<Applied, ApplyError> {
        let Some(file) = self.file.clone() else { return Err(ApplyError::NoFile) };
        let read = tokio::task::spawn_blocking(move || files::load_texts(&file)).await;
        let read = read.map_err(|_| ApplyError::Stopping)?;
        let (texts, loaded) = match read {
            Ok(read) => read,
            Err(error) => {
                self.update(|status| status.file_state = FileState::Broken);
                let error = match error {
                    ReadError::Faults(faults) => ApplyError::Faults(faults),
                    error @ (ReadError::Unreadable { .. }
                    | ReadError::Empty { .. }
                    | ReadError::TooLong { .. }) => ApplyError::Unreadable(error.to_string()),
                };
                return Err(self.failed(error).await);
            }
        };
        self.file_digest = Some(texts.digest());
        self.bring_into_force(texts, loaded, Origin::File, "", false).await
    }

    async fn rollback(&mut self, revision: i64, note: &str, dry_run: bool) -> Result<Applied, ApplyError> {
        let (_, body) = self.store.get(revision).await?.ok_or(ApplyError::UnknownRevision(revision))?;
        let texts: Texts = serde_json::from_str(&body).map_err(|error| {
            ApplyError::Unreadable(format!(
                "the configuration with revision {revision} cannot be read: {error}"
            ))
        })?;
        let note = if note.is_empty() { format!("back to revision {revision}") } else { note.to_owned() };
        self.apply(texts, Origin::Rollback, &note, dry_run).await
    }

    async fn apply(
        &mut self,
        texts: Texts,
        origin: Origin,
        note: &str,
        dry_run: bool,
    ) -> Result<Applied, ApplyError> {
        let read = tokio::task::spawn_blocking(move || {
            let loaded = files::load_again(&texts);
            (texts, loaded)
        });
        let (texts, loaded) = read.await.map_err(|_| ApplyError::Stopping)?;
        match loaded {
            Ok(loaded) => self.bring_into_force(texts, loaded, origin, note, dry_run).await,
            Err(faults) if dry_run => Err(ApplyError::Faults(faults)),
            Err(faults) => Err(self.failed(ApplyError::Faults(faults)).await),
        }
    }

    /// All of it, or nothing.
    async fn bring_into_force(
        &mut self,
        texts: Texts,
        loaded: Loaded,
        origin: Origin,
        note: &str,
        dry_run: bool,
    ) -> Result<Applied, ApplyError> {
        let begun = Instant::now();
        let digest = texts.digest();
        let steps = steps(&self.parts.gateway, &self.parts.devices, loaded.config);
        let mut applied = Applied::of(&steps.diff, &loaded.warnings);
        applied.revision = self.status.borrow().revision;
        if dry_run {
            return Ok(applied);
        }
        if let Err(error) = self.parts.fleet.check(&steps.all) {
            return Err(self.failed(ApplyError::Mapper(error.to_string())).await);
        }
        let mut record = Record::new(Action::ConfigBegun);
        record.from = Some(origin.word().to_owned());
        record.subject = Some(digest.clone());
        record.revision = self.status.borrow().revision.and_then(|revision| u64::try_from(revision).ok());
        record.note = Some(note.to_owned()).filter(|note| !note.is_empty());
        let begun_at = match self.parts.audit.write(record.clone()).await {
            Ok(number) => number,
            Err(error) => return Err(self.failed(ApplyError::Audit(error)).await),
        };
        let at = now();
        let devices = u32::try_from(steps.all.len()).unwrap_or(u32::MAX);
        let stored = if self.status.borrow().digest == digest {
            // The same text may mean something else now: a secret may have changed. It is the same revision all the same.
            let revision = self.status.borrow().revision;
            match revision {
                Some(revision) => {
                    let noted = self.store.note_file(revision, self.file_digest.as_deref()).await;
                    noted.map(|()| Some(revision))
                }
                None => Ok(None),
            }
        } else {
            let body = body(&texts);
            let new = NewConfiguration {
                applied_at: at,
                origin: origin.word(),
                note,
                digest: &digest,
                file_digest: self.file_digest.as_deref(),
                devices,
                body: &body,
            };
            self.store.insert(new).await.map(Some)
        };
        let revision = match stored {
            Ok(revision) => revision,
            Err(error) => return Err(self.failed(ApplyError::Store(error)).await),
        };
        if !steps.diff.devices.is_empty() {
            self.parts.fleet.assign(&steps.same).await.map_err(|e| ApplyError::Mapper(e.to_string()))?;
            let definitions: std::collections::BTreeMap<_, _> =
                steps.all.iter().map(|(id, device)| (id.clone(), device.definition.clone())).collect();
            self.parts.service.declare(definitions.clone()).await.map_err(|_| ApplyError::Stopping)?;
            self.parts.bus.until_known(&definitions).await;
            self.parts.fleet.assign(&steps.all).await.map_err(|e| ApplyError::Mapper(e.to_string()))?;
            self.parts.devices = steps.all;
        }
        applied.applied = true;
        record.action = Action::ConfigEnded;
        record.revision = revision.and_then(|revision| u64::try_from(revision).ok());
        (record.outcome, record.answers) = (Some(Outcome::Applied), Some(begun_at));
        self.parts.audit.owe(record).await;
        applied.revision = revision;
        applied.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let same_as_file = self.file_digest.as_ref() == Some(&digest);
        let (restart_needed, devices) = (applied.restart_needed.clone(), self.parts.devices.clone());
        let has_file = self.file.is_some();
        self.update(|status| {
            if status.digest != digest {
                status.applied_at = at.as_millis();
                origin.word().clone_into(&mut status.origin);
                note.clone_into(&mut status.note);
            }
            status.revision = revision;
            status.digest = digest;
            status.restart_needed = restart_needed;
            status.last_failure = None;
            status.file_state = match (has_file, same_as_file) {
                (false, _) => FileState::NoFile,
                (true, true) => FileState::Same,
                (true, false) => FileState::Differs,
            };
            count(status, &devices);
        });
        info!(
            revision,
            origin = origin.word(),
            added = applied.added.len(),
            removed = applied.removed.len(),
            changed = applied.changed.len(),
            same = applied.same_devices,
            took_ms = applied.took_ms,
            "the configuration is in force"
        );
        if !applied.restart_needed.is_empty() {
            warn!(
                settings = applied.restart_needed.join(", "),
                "these settings of the gateway come into force when it is started again"
            );
        }
        Ok(applied)
    }

    async fn failed(&self, error: ApplyError) -> ApplyError {
        let mut record = Record::new(Action::ConfigEnded);
        record.outcome = Some(Outcome::Refused(error.to_string()));
        self.parts.audit.owe(record).await;
        error!(%error, "a configuration did not come into force");
        self.update(|status| {
            status.last_failure = Some(Failure { at: now().as_millis(), reason: error.to_string() });
        });
        error
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| change(Arc::make_mut(status)));
    }
}

/// A disk that is full or read-only does not keep the gateway from its work: the file is there, and read at the next start.
fn unless_it_ends<T>(stored: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match stored {
        Ok(stored) => Ok(Some(stored)),
        Err(error) => match error.mend() {
            Some(mend) => {
                error!(%error, mend, "the configuration is in force, but is not kept in the history");
                Ok(None)
            }
            None => Err(error),
        },
    }
}

fn count(status: &mut Status, devices: &Devices) {
    status.devices = devices.len();
    status.properties = devices.values().map(|device| device.properties.len()).sum();
}

fn body(texts: &Texts) -> String {
    // Texts and bytes can always be written as JSON.
    serde_json::to_string(texts).unwrap_or_default()
}

async fn files_changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
