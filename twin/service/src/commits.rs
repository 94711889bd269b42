//! What the replicas ask of the store and the link, and what is done when the store cannot.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, warn};
use twin_core::history::Place;
use twin_core::replica::{Commit, Effect, FetchToken, LinkCommand};
use twin_core::{Revision, Stream};
use twin_store::{StoreError, Verdict};

use crate::alarm::AlarmError;
use crate::command::ReportError;
use crate::service::{Connection, DeviceTwin, Error, Waiter};
use crate::trouble::{Held, tell};

impl DeviceTwin {
    /// Does everything that the replicas ask, one commit after the other.
    pub(crate) async fn settle_effects(&mut self) -> Result<(), Error> {
        loop {
            self.judge_wishes();
            let Some((stream, effect)) = self.replicas.poll_effect() else { break };
            match effect {
                Effect::Commit(commit) => self.commit(commit).await?,
                Effect::Fetch { token, after, up_to, limit } => {
                    self.fetch(stream, token, after, up_to, limit).await?;
                }
                Effect::Send(message) => {
                    let Some(connection) = self.connection.as_ref().map(|c| c.number) else { continue };
                    if self.link.try_send(LinkCommand::Send { connection, stream, message }).is_err() {
                        debug!(connection, "the link's queue is full; the message will be sent again");
                    }
                }
                Effect::Publish(commit) => self.handle_published(commit),
            }
        }
        self.answer();
        let (now, is_connected) = (self.now(), self.connection.is_some());
        let twin = self.replicas.of(Stream::Twin);
        self.progress.note(twin.committed(), twin.acked(), is_connected, now);
        match &self.held {
            None => self.publish_wishes(),
            Some(held) => {
                let told = held.told(self.replicas.uncommitted());
                tell(&self.health, |health| health.trouble = Some(told));
                self.refuse_waiting();
            }
        }
        Ok(())
    }

    async fn commit(&mut self, commit: Arc<Commit>) -> Result<(), Error> {
        if let Some(held) = &mut self.held {
            held.commits.push(commit);
            return Ok(());
        }
        let started = Instant::now();
        let samples = self.recorder.begin(commit.stream);
        let error = match self.store.commit_with(&commit, samples).await {
            Ok(place) => {
                self.handle_stored(&commit, place, started);
                return Ok(());
            }
            Err(error) => error,
        };
        // Once more at once: the log may have been full and the database not, or another program was in the way.
        match self.store.commit_again(&commit, self.recorder.begin(commit.stream), &error).await {
            Ok(place) => {
                warn!(reason = %error, "a commit failed and succeeded at the second attempt");
                tell(&self.health, |health| health.failed_commits += 1);
                self.handle_stored(&commit, place, started);
                Ok(())
            }
            Err(again) => match self.store.verdict(&again) {
                Verdict::Retry(trouble) => {
                    tell(&self.health, |health| health.failed_commits += 1);
                    self.held = Some(Held::new(commit, trouble, again, self.now()));
                    Ok(())
                }
                Verdict::Rebuild => self.rebuild(&again).await,
                Verdict::GiveUp => Err(again.into()),
            },
        }
    }

    /// Tries again what waits.
    pub(crate) async fn retry(&mut self) -> Result<(), Error> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        for (stored, commit) in held.commits.iter().enumerate() {
            let started = Instant::now();
            let samples = self.recorder.begin(commit.stream);
            let outcome = match stored {
                0 => self.store.commit_again(commit, samples, &held.error).await,
                _ => self.store.commit_with(commit, samples).await,
            };
            let error = match outcome {
                Ok(place) => {
                    self.handle_stored(commit, place, started);
                    continue;
                }
                Err(error) => error,
            };
            tell(&self.health, |health| health.failed_commits += 1);
            match self.store.verdict(&error) {
                Verdict::Retry(trouble) => {
                    held.commits.drain(..stored);
                    held.handle_failed(trouble, error);
                    self.held = Some(held);
                    return Ok(());
                }
                Verdict::Rebuild => return self.rebuild(&error).await,
                Verdict::GiveUp => return Err(error.into()),
            }
        }
        held.handle_over();
        // Their guards are asked again, since it is now that the wishes go out.
        self.touched.append(&mut self.judged);
        tell(&self.health, |health| health.trouble = None);
        Ok(())
    }

    fn handle_stored(&mut self, commit: &Arc<Commit>, place: Option<Place>, started: Instant) {
        let lost = self.recorder.handle_committed(commit.stream);
        if lost > 0 {
            warn!(samples = lost, "samples found no room in memory while the store took none: they are lost");
        }
        if place.is_some() {
            self.logged.send_replace(place);
        }
        self.progress.note_commit(started.elapsed());
        debug!(
            took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            authored = commit.authored.len(),
            followed = commit.followed.len(),
            "committed"
        );
        self.replicas.handle_committed(commit.stream, commit.token);
        // Whoever waits for this commit does not wait for the link as well.
        self.answer();
    }

    async fn fetch(
        &mut self,
        stream: Stream,
        token: FetchToken,
        after: Revision,
        up_to: Revision,
        limit: usize,
    ) -> Result<(), Error> {
        match self.store.fetch(stream, after, up_to, limit).await {
            Ok(entries) => {
                let now = self.steady.now();
                self.replicas.handle_fetched(stream, token, up_to, entries, now);
                Ok(())
            }
            Err(error) => match error.verdict() {
                Verdict::Retry(_) => {
                    warn!(%error, "what is owed to the cloud cannot be read; the link begins anew");
                    self.close_link(&error);
                    Ok(())
                }
                Verdict::Rebuild => self.rebuild(&error).await,
                Verdict::GiveUp => Err(error.into()),
            },
        }
    }

    /// Has the link begin anew: the next hello says how things stand.
    pub(crate) fn close_link(&mut self, why: &StoreError) {
        if let Some(Connection { number, .. }) = self.connection.take() {
            let _ = self.link.try_send(LinkCommand::Close { connection: number, reason: why.to_string() });
            self.replicas.handle_disconnected();
        }
    }

    /// Answers those whose changes are committed.
    pub(crate) fn answer(&mut self) {
        let committed = self.replicas.of(Stream::Twin).committed();
        while let Some((_, waiter)) = self.waiting.pop_front_if(|(revision, _)| *revision <= committed) {
            match waiter {
                Waiter::Report(reply, updated) => drop(reply.send(Ok(updated))),
                Waiter::State(reply, since) => drop(reply.send(Ok(since))),
                Waiter::Override(reply, revision) => drop(reply.send(Ok(revision))),
                Waiter::Declared(reply) => drop(reply.send(())),
            }
        }
        let committed = self.replicas.of(Stream::Alarm).committed();
        while let Some((_, reply, alarm)) =
            self.waiting_alarms.pop_front_if(|(revision, ..)| *revision <= committed)
        {
            let _ = reply.send(Ok(alarm));
        }
    }

    /// Tells those who wait that what they said is not stored. It stays in memory, and is stored when that is possible.
    fn refuse_waiting(&mut self) {
        let Some(held) = &self.held else { return };
        let trouble = held.trouble;
        for (_, reply, _) in self.waiting_alarms.drain(..) {
            let _ = reply.send(Err(AlarmError::NotStored { trouble }));
        }
        for (_, waiter) in self.waiting.drain(..) {
            let error = ReportError::NotStored { trouble, is_kept: true };
            match waiter {
                Waiter::Report(reply, _) => drop(reply.send(Err(error))),
                Waiter::State(reply, _) => drop(reply.send(Err(error))),
                Waiter::Override(reply, _) => drop(reply.send(Err(error))),
                // Which devices there are is kept elsewhere and said again at every start.
                Waiter::Declared(reply) => drop(reply.send(())),
            }
        }
    }
}
