//! A database that is damaged is made anew: from memory while the service runs, from what could be read at its start.
//!
//! The new one has a new incarnation and follows nothing, so the ordinary rules bring both sides of the link in line: the
//! cloud takes everything of the edge anew, and gives everything that it wants.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use tracing::error;
use twin_core::replica::Stored;
use twin_core::{Change, Cursor, Entry, Incarnation, Revision, Side, Stream};
use twin_store::{Damage, StoreError};

use crate::replicas::Replicas;
use crate::service::{DeviceTwin, Error};
use crate::trouble::{StoreDamage, tell};

impl DeviceTwin {
    /// Goes on with a new database. All twins are in memory: nothing of them is lost.
    pub(crate) async fn rebuild(&mut self, why: &StoreError) -> Result<(), Error> {
        error!(reason = %why, "the database is damaged: it is moved aside and made anew from memory");
        self.close_link(why);
        let moved_to = self.store.rebuild(&why.to_string()).await.map_err(Error::Rebuild)?;
        let kept_documents = self.begin_anew(self.replicas.of(Stream::Twin).last()).await?;
        if let Some(held) = self.held.take() {
            held.handle_over();
        }
        error!(
            moved_to = %moved_to.display(),
            kept_documents,
            "the database was damaged and has been made anew from memory; nothing of the twins is lost. \
             Have the disk checked; the damaged file may be deleted"
        );
        let damage =
            StoreDamage { at: self.now(), reason: why.to_string(), moved_to, kept_documents, is_whole: true };
        tell(&self.health, |health| {
            health.trouble = None;
            health.damage = Some(damage);
        });
        Ok(())
    }

    /// Takes over what was saved of a database that was found damaged at the start.
    pub(crate) async fn take_over(&mut self, damage: Damage) -> Result<(), Error> {
        let Damage { reason, moved_to, saved } = damage;
        let own = |entry: &&Entry| entry.change.part().author() == Side::Edge;
        let last = saved.iter().filter(own).map(|entry| entry.revision).max().unwrap_or(Revision::ZERO);
        self.memory.restore(saved);
        let kept_documents = self.begin_anew(last).await?;
        error!(
            reason,
            moved_to = %moved_to.display(),
            kept_documents,
            "the database was damaged and has been made anew from what could be read of it: overrides and last values \
             that are not among that are lost; the cloud says again what it wants, and the devices are read anew. \
             Have the disk checked, or restore a backup; the damaged file may be deleted"
        );
        let damage = StoreDamage { at: self.now(), reason, moved_to, kept_documents, is_whole: false };
        tell(&self.health, |health| health.damage = Some(damage));
        Ok(())
    }

    /// Gives everything in memory to a replica that begins anew, on a database that is empty. Revisions go on from where
    /// they were, so that nothing looks older than it is.
    async fn begin_anew(&mut self, last: Revision) -> Result<u64, Error> {
        let before = |revision| Stored {
            incarnations: vec![Cursor { incarnation: drawn(), revision }],
            ..Stored::default()
        };
        let alarm = before(self.replicas.of(Stream::Alarm).last());
        self.replicas = Replicas::new(drawn(), &alarm, &before(last), self.settings.limits);
        self.staged.clear();
        // What the cloud wants is its own to say; until it does, what it last said holds.
        let desired = self.memory.all_desired();
        self.store.keep(&desired).await?;
        let devices = self.memory.all_devices();
        let overrides = self.memory.all_overrides();
        let alarms = self.memory.all_alarms();
        let mut kept = desired.len() + devices.len() + overrides.len() + alarms.len();
        self.write(alarms);
        self.write(devices);
        for (id, wanted) in overrides {
            let revision = self.write(vec![Change::Override(id.clone(), Some(wanted))]);
            self.memory.renumber_override(&id, revision);
        }
        let reported = self.memory.all_reported();
        kept += reported.len();
        let last = self.write(reported);
        for (revision, _) in &mut self.waiting {
            *revision = last;
        }
        let last = self.replicas.of(Stream::Alarm).last();
        for (revision, ..) in &mut self.waiting_alarms {
            *revision = last;
        }
        Ok(kept as u64)
    }
}

/// A random incarnation: the keys of the standard library's hashes are drawn by the operating system.
fn drawn() -> Incarnation {
    Incarnation::new(RandomState::new().build_hasher().finish())
}
