//! The alarms of all properties: every change that is reported, and time, is told to the rules that watch it.
//!
//! Bounded by the configuration: one watch for each rule.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use twin_core::alarm::Watch;
use twin_core::{Alarm, AlarmId, Change, PropertyId, RuleName, Timestamp};

use super::{Changes, Memory};
use crate::alarm::{AlarmAct, AlarmError, AlarmRequest};

#[derive(Debug, Default)]
pub(super) struct Alarms {
    watches: HashMap<PropertyId, BTreeMap<RuleName, Slot>>,
    /// What the store holds, until the rules are declared.
    stored: HashMap<AlarmId, Alarm>,
    /// When a watch is to be told the time: at most one moment for each.
    timers: BTreeSet<(Timestamp, AlarmId)>,
}

#[derive(Debug)]
struct Slot {
    watch: Watch,
    timer: Option<Timestamp>,
}

impl Alarms {
    /// Takes what the store holds.
    pub(super) fn take(&mut self, id: AlarmId, body: Option<Alarm>) {
        match body {
            Some(alarm) => drop(self.stored.insert(id, alarm)),
            None => drop(self.stored.remove(&id)),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn slot(&mut self, id: &AlarmId) -> Option<&mut Slot> {
        self.watches.get_mut(id.property())?.get_mut(id.rule())
    }

    /// Does something to a watch, sets its timer anew, and gives the change of its document.
    fn with<E>(
        &mut self,
        id: &AlarmId,
        act: impl FnOnce(&mut Watch) -> Result<bool, E>,
    ) -> Result<Option<Change>, E> {
        let Some(slot) = self.watches.get_mut(id.property()).and_then(|rules| rules.get_mut(id.rule()))
        else {
            return Ok(None);
        };
        let changed = act(&mut slot.watch)?;
        let next = slot.watch.poll_timeout();
        if next != slot.timer {
            if let Some(old) = slot.timer.take() {
                self.timers.remove(&(old, id.clone()));
            }
            if let Some(next) = next {
                self.timers.insert((next, id.clone()));
            }
            slot.timer = next;
        }
        Ok(changed.then(|| Change::Alarm(id.clone(), slot.watch.alarm().cloned())))
    }

    fn tell(&mut self, id: &AlarmId, act: impl FnOnce(&mut Watch) -> bool) -> Option<Change> {
        self.with(id, |watch| Ok::<_, std::convert::Infallible>(act(watch)))
            .unwrap_or_else(|never| match never {})
    }

    fn ids(&self) -> Vec<AlarmId> {
        let ids = self.watches.iter().flat_map(|(property, rules)| {
            rules.keys().map(|rule| AlarmId::new(property.clone(), rule.clone()))
        });
        ids.collect()
    }

    /// The watches go on with ages as they were when the wall clock was set.
    pub(super) fn handle_clock_set(&mut self, by_ms: i64) {
        for id in self.ids() {
            self.tell(&id, |watch| {
                watch.handle_clock_set(by_ms);
                false
            });
        }
    }
}

impl Memory {
    /// Watches the rules of the devices that are declared, and no others. What people did about the alarm of a rule that
    /// has changed stays; the alarm of a rule that is gone is deleted.
    pub fn declare_alarms(&mut self, now: Timestamp) -> Changes {
        let mut changes = Vec::new();
        let mut there = BTreeSet::new();
        for (device, twin) in &self.twins {
            for (name, definition) in &twin.device.definition.properties {
                let property = PropertyId::new(device.clone(), name.clone());
                let reported = twin.properties.get(name).and_then(|p| p.reported.as_ref());
                for (rule_name, rule) in &definition.alarms {
                    let id = AlarmId::new(property.clone(), rule_name.clone());
                    let message = rule.words(name.as_str(), definition.unit.as_deref());
                    let stored = self.alarms.stored.remove(&id);
                    let rules = self.alarms.watches.entry(property.clone()).or_default();
                    rules.entry(rule_name.clone()).or_insert_with(|| Slot {
                        watch: Watch::new(rule.clone(), message.clone(), stored, now),
                        timer: None,
                    });
                    changes.extend(self.alarms.tell(&id, |watch| {
                        let renamed = watch.set_rule(rule.clone(), message);
                        watch.handle_reported(reported, now) || renamed
                    }));
                    there.insert(id);
                }
            }
        }
        for id in self.alarms.ids().into_iter().filter(|id| !there.contains(id)) {
            changes.extend(self.forget_alarm(&id));
        }
        let orphans = std::mem::take(&mut self.alarms.stored);
        changes.extend(orphans.into_keys().map(|id| Change::Alarm(id, None)));
        changes
    }

    fn forget_alarm(&mut self, id: &AlarmId) -> Option<Change> {
        let rules = self.alarms.watches.get_mut(id.property())?;
        let slot = rules.remove(id.rule())?;
        if rules.is_empty() {
            self.alarms.watches.remove(id.property());
        }
        if let Some(timer) = slot.timer {
            self.alarms.timers.remove(&(timer, id.clone()));
        }
        slot.watch.alarm().is_some().then(|| Change::Alarm(id.clone(), None))
    }

    /// Tells the rules what has changed; gives what becomes of their alarms.
    pub fn judge_alarms(&mut self, changes: &[Change], now: Timestamp) -> Changes {
        let mut alarms = Vec::new();
        if self.alarms.watches.is_empty() {
            return alarms;
        }
        for change in changes {
            let Change::Reported(property, reported) = change else { continue };
            let Some(rules) = self.alarms.watches.get(property) else { continue };
            let rules: Vec<RuleName> = rules.keys().cloned().collect();
            for rule in rules {
                let id = AlarmId::new(property.clone(), rule);
                alarms.extend(self.alarms.tell(&id, |watch| watch.handle_reported(reported.as_ref(), now)));
            }
        }
        alarms
    }

    /// Tells the rules the time; gives what becomes of their alarms.
    pub(super) fn handle_alarm_timeouts(&mut self, now: Timestamp) -> Changes {
        let mut changes = Vec::new();
        while let Some((at, id)) = self.alarms.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.alarms.timers.remove(&(at, id.clone()));
            if let Some(slot) = self.alarms.slot(&id) {
                slot.timer = None;
            }
            changes.extend(self.alarms.tell(&id, |watch| watch.handle_timeout(now)));
        }
        changes
    }

    /// Does what a person asks of an alarm; gives the change, or none when it was so already.
    ///
    /// # Errors
    /// [`AlarmError`] when there is no such rule, or it cannot be done.
    pub fn act_on_alarm(
        &mut self,
        request: AlarmRequest,
        now: Timestamp,
    ) -> Result<Option<Change>, AlarmError> {
        let AlarmRequest { id, act } = request;
        if self.alarms.slot(&id).is_none() {
            return Err(AlarmError::Unknown { id });
        }
        let done = self.alarms.with(&id, |watch| match act {
            AlarmAct::Acknowledge(who) => watch.acknowledge(who, now),
            AlarmAct::Shelve { until, who } => watch.shelve(until, who, now),
            AlarmAct::Unshelve => watch.unshelve(),
        });
        done.map_err(|why| AlarmError::NotDone { id, why })
    }

    /// An alarm as it stands.
    #[must_use]
    pub fn alarm(&self, id: &AlarmId) -> Option<&Alarm> {
        self.alarms.watches.get(id.property())?.get(id.rule())?.watch.alarm()
    }

    /// All alarms as they stand.
    #[must_use]
    pub fn all_alarms(&self) -> Changes {
        let watched = self.alarms.watches.iter().flat_map(|(property, rules)| {
            rules.iter().filter_map(|(rule, slot)| {
                let id = AlarmId::new(property.clone(), rule.clone());
                Some((id, slot.watch.alarm()?.clone()))
            })
        });
        let stored = self.alarms.stored.iter().map(|(id, alarm)| (id.clone(), alarm.clone()));
        watched.chain(stored).map(|(id, alarm)| Change::Alarm(id, Some(alarm))).collect()
    }
}
