//! What changes by the passing of time alone: wishes run out, values get stale.

use std::collections::BTreeSet;
use std::time::Duration;

use twin_core::{Change, DeviceId, PropertyId, Quality, Reported, Timestamp, Why};

use super::{Changes, Memory};

impl Memory {
    /// When something expires or may get stale next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let next = |set: &BTreeSet<(Timestamp, PropertyId)>| set.first().map(|(at, _)| *at);
        let own = [next(&self.expiries), next(&self.ages)];
        own.into_iter().chain([self.guards.poll_timeout(), self.alarms.poll_timeout()]).flatten().min()
    }

    /// Turns good values bad that have got too old by `now`: their mapper has fallen silent.
    fn handle_ages(&mut self, now: Timestamp, changes: &mut Changes) {
        while let Some((at, id)) = self.ages.pop_first() {
            if at > now {
                self.ages.insert((at, id));
                break;
            }
            let Some(twin) = self.twins.get_mut(&id.device) else { continue };
            let Some(property) = twin.properties.get_mut(&id.property) else { continue };
            property.aging = false;
            let set_ms = property.clock_set_ms;
            let stale_at = |reported: &Reported| {
                let limit = twin.device.definition.properties.get(&id.property)?.stale_after_ms?;
                Some(moved(reported.gateway_time?, set_ms).after(Duration::from_millis(limit)))
            };
            let Some(reported) = property.reported.as_mut().filter(|r| r.quality.is_good()) else { continue };
            match stale_at(reported) {
                Some(stale_at) if stale_at <= now => {
                    reported.quality = Quality::Bad(Why::Stale);
                    changes.push(Change::Reported(id, Some(reported.clone())));
                }
                Some(stale_at) => {
                    property.aging = true;
                    self.ages.insert((stale_at, id));
                }
                None => {}
            }
        }
    }

    /// The wall clock was set by so many milliseconds: what was read a minute ago is a minute old all the same.
    pub fn handle_clock_set(&mut self, by_ms: i64) {
        self.alarms.handle_clock_set(by_ms);
        let ages = std::mem::take(&mut self.ages);
        self.ages = ages.into_iter().map(|(at, id)| (moved(at, by_ms), id)).collect();
        for property in self.twins.values_mut().flat_map(|twin| twin.properties.values_mut()) {
            property.clock_set_ms = property.clock_set_ms.saturating_add(by_ms);
        }
    }

    /// Lets what has run out at `now` expire: an override is deleted, for it is the edge's own. Gives the devices whose
    /// effective values may have changed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> (Changes, BTreeSet<DeviceId>) {
        let mut changes = Vec::new();
        let mut touched = self.guards.handle_timeout(now);
        self.handle_ages(now, &mut changes);
        changes.extend(self.handle_alarm_timeouts(now));
        while let Some((at, id)) = self.expiries.pop_first() {
            if at > now {
                self.expiries.insert((at, id));
                break;
            }
            touched.insert(id.device.clone());
            let property = self.twins.get_mut(&id.device).and_then(|t| t.properties.get_mut(&id.property));
            if let Some(property) = property
                && property.override_.as_ref().is_some_and(|(o, _)| o.expires_at.is_some_and(|at| at <= now))
            {
                property.override_ = None;
                changes.push(Change::Override(id, None));
            }
        }
        (changes, touched)
    }
}

fn moved(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(by_ms))
}
