//! The machine of one rule: hears what is reported and what time it is, and keeps the alarm's document.

use std::time::Duration;

use super::document::Alarm;
use super::rule::{AlarmRule, Condition, Verdict};
use crate::document::Reported;
use crate::quality::Why;
use crate::time::Timestamp;
use crate::value::Value;

/// One rule that is watched, and its alarm.
///
/// Whatever it is told, it answers whether the document has changed. While the value is bad the rule cannot be judged:
/// the alarm stays as it is and says so, and a delay that runs is judged when there is a value again.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(super) rule: AlarmRule,
    pub(super) message: String,
    pub(super) alarm: Option<Alarm>,
    /// Since when the rule is broken without that the alarm is raised: its delay runs.
    broken_since: Option<Timestamp>,
    /// Whether the last word on the rule was that it is broken, so that the end of the delay raises the alarm.
    broken: bool,
    /// When the last value was read, by the clock as it is set now.
    read_at: Option<Timestamp>,
    /// The same by the clock as it was set then: two reports of one read are told from two reads.
    heard_at: Option<Timestamp>,
    /// Since when it is watched: what was not read before that is not held against the mapper.
    since: Timestamp,
    value: Option<Value>,
}

impl Watch {
    /// Watches a rule from `now` on, with the document that is stored of it. `message` is what
    /// [`AlarmRule::words`] gives.
    #[must_use]
    pub fn new(rule: AlarmRule, message: String, alarm: Option<Alarm>, now: Timestamp) -> Self {
        Self {
            rule,
            message,
            alarm,
            broken_since: None,
            broken: false,
            read_at: None,
            heard_at: None,
            since: now,
            value: None,
        }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &AlarmRule {
        &self.rule
    }

    /// The alarm; none while the rule was never broken, and nobody has shelved it.
    #[must_use]
    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// Watches another rule in its place; what people did about the alarm stays. The caller tells it next what is
    /// reported.
    pub fn set_rule(&mut self, rule: AlarmRule, message: String) -> bool {
        if rule.condition != self.rule.condition {
            (self.broken_since, self.broken) = (None, false);
        }
        self.rule = rule;
        self.message = message;
        let Some(alarm) = &mut self.alarm else { return false };
        let changed = alarm.severity != self.rule.severity || alarm.message != self.message;
        alarm.severity = self.rule.severity;
        alarm.message.clone_from(&self.message);
        changed
    }

    /// Hears what is reported now.
    pub fn handle_reported(&mut self, reported: Option<&Reported>, now: Timestamp) -> bool {
        self.value = reported.and_then(|r| r.value.clone());
        let heard_at = reported.and_then(|r| r.gateway_time);
        if heard_at != self.heard_at {
            (self.heard_at, self.read_at) = (heard_at, heard_at);
        }
        if let Condition::Stale { .. } = self.rule.condition {
            return self.judge_age(now);
        }
        match self.rule.judge(reported) {
            Verdict::Broken => {
                self.broken = true;
                let held = self.hold(None);
                self.handle_broken(now) || held
            }
            Verdict::Kept => {
                let held = self.hold(None);
                self.clear(now) || held
            }
            Verdict::Between => {
                // A delay that runs begins anew: the rule was not broken all the time.
                (self.broken_since, self.broken) = (None, false);
                self.hold(None)
            }
            Verdict::Unknown(why) => {
                self.broken = false;
                self.hold(Some(why))
            }
        }
    }

    /// Lets time pass: a delay ends, a value gets stale, a shelf is emptied.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        let taken_out = self.take_out(now);
        let judged = match self.rule.condition {
            Condition::Stale { .. } => self.judge_age(now),
            Condition::High { .. } | Condition::Low { .. } | Condition::Equals { .. } => {
                self.broken && self.handle_broken(now)
            }
        };
        judged || taken_out
    }

    /// The wall clock was set by so many milliseconds: what began a minute ago began a minute ago all the same. The end
    /// of a shelf is a date, and stays.
    pub fn handle_clock_set(&mut self, by_ms: i64) {
        let moved = |at: Timestamp| Timestamp::from_millis(at.as_millis().saturating_add(by_ms));
        self.read_at = self.read_at.map(moved);
        self.broken_since = self.broken_since.map(moved);
        self.since = moved(self.since);
    }

    /// When it is to be told the time next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let raise = match self.rule.condition {
            Condition::Stale { .. } if self.is_active() => None,
            Condition::Stale { .. } => self.rule.stale_at(self.judged_from()),
            Condition::High { .. } | Condition::Low { .. } | Condition::Equals { .. } => {
                self.broken_since.filter(|_| self.broken).map(|since| since.after(self.delay()))
            }
        };
        let shelf = self.alarm.as_ref().and_then(|alarm| alarm.shelved.as_ref()).map(|shelved| shelved.until);
        [raise, shelf].into_iter().flatten().min()
    }

    fn is_active(&self) -> bool {
        self.alarm.as_ref().is_some_and(|alarm| alarm.active)
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.rule.delay_ms)
    }

    fn judged_from(&self) -> Timestamp {
        self.read_at.map_or(self.since, |read_at| read_at.max(self.since))
    }

    fn judge_age(&mut self, now: Timestamp) -> bool {
        let stale = |from| self.rule.stale_at(from).is_some_and(|at| at <= now);
        if self.is_active() {
            // Only a fresh value clears it, not that the gateway has started anew.
            let fresh = self.read_at.is_some_and(|read_at| !stale(read_at));
            fresh && self.clear(now)
        } else {
            stale(self.judged_from()) && self.raise(now)
        }
    }

    fn handle_broken(&mut self, now: Timestamp) -> bool {
        if self.is_active() {
            return false;
        }
        let since = *self.broken_since.get_or_insert(now);
        since.after(self.delay()) <= now && self.raise(now)
    }

    fn raise(&mut self, now: Timestamp) -> bool {
        self.broken_since = None;
        let before = self.alarm.take();
        self.alarm = Some(Alarm {
            severity: self.rule.severity,
            message: self.message.clone(),
            active: true,
            raised_at: Some(now),
            value: self.value.clone(),
            raised: before.as_ref().map_or(0, |alarm| alarm.raised).saturating_add(1),
            cleared_at: None,
            held: None,
            acknowledged: None,
            shelved: before.and_then(|alarm| alarm.shelved),
        });
        true
    }

    fn clear(&mut self, now: Timestamp) -> bool {
        (self.broken_since, self.broken) = (None, false);
        let Some(alarm) = self.alarm.as_mut().filter(|alarm| alarm.active) else { return false };
        alarm.active = false;
        alarm.cleared_at = Some(now);
        true
    }

    /// Notes on an active alarm why its rule cannot be judged now, or that it can.
    fn hold(&mut self, why: Option<Why>) -> bool {
        let Some(alarm) = &mut self.alarm else { return false };
        let why = why.filter(|_| alarm.active);
        let changed = alarm.held != why;
        alarm.held = why;
        changed
    }
}
