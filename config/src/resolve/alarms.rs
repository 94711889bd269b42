//! The alarms of one property.

use std::collections::BTreeMap;
use std::time::Duration;

use twin_core::{AlarmRule, Condition, PropertyDefinition, RuleName};

use super::name;
use super::property::{Rules, value};
use crate::decode::{Sink, Spot, decode};
use crate::node::Entry;
use crate::written::guard::AlarmWritten;

/// The most alarms of one property.
const MOST: usize = 16;

/// The kinds of rules, one of which each alarm has.
const KINDS: [&str; 4] = ["high", "low", "equals", "stale"];

impl Rules<'_> {
    /// Reads the rules below `alarms`. `every` is how often the property is read.
    pub(super) fn alarms(
        &self,
        entry: &Entry,
        definition: &PropertyDefinition,
        every: Duration,
        sink: &mut Sink,
    ) -> BTreeMap<RuleName, AlarmRule> {
        let spot = self.spot.below(entry);
        let entries = spot.map(sink);
        if !self.access.readable() && !entries.is_empty() {
            let message = "this property can only be written, so nothing is known of it";
            self.fault(&["alarms"], message, "remove the alarms, or write `access: read_write`", sink);
            return BTreeMap::new();
        }
        if entries.len() > MOST {
            let message = format!("a property has at most {MOST} alarms");
            sink.fault(spot.head_finding(message).hint("remove those that nobody acts on"));
            return BTreeMap::new();
        }
        let mut rules = BTreeMap::new();
        for entry in entries {
            let spot = spot.below(entry);
            let name = name::<RuleName>(&spot, &entry.key, sink);
            let rule = self.alarm(&spot, definition, every, sink);
            if let (Some(name), Some(rule)) = (name, rule) {
                rules.insert(name, rule);
            }
        }
        rules
    }

    fn alarm(
        &self,
        spot: &Spot<'_>,
        definition: &PropertyDefinition,
        every: Duration,
        sink: &mut Sink,
    ) -> Option<AlarmRule> {
        let decoded = decode::<AlarmWritten>(spot, &["equals"], sink);
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| spot.node.entry(kind).is_some()).collect();
        let kind = match kinds.as_slice() {
            [one] => *one,
            [] => {
                if spot.node.entries().is_some() || spot.node.is_null() {
                    let finding = spot.head_finding("nothing says when this alarm is raised");
                    sink.fault(finding.hint("write one of `high`, `low`, `equals` and `stale`"));
                }
                return None;
            }
            [_, second, ..] => {
                self.at(
                    spot,
                    second,
                    "an alarm has one rule only",
                    "write a second alarm with a name of its own",
                    sink,
                );
                return None;
            }
        };
        let written = decoded.value?;
        if let Some(message) = &written.message
            && message.len() > super::guard::MAX_MESSAGE_BYTES
        {
            self.at(spot, "message", "a message is at most 1024 bytes long", "make it shorter", sink);
        }
        let numeric = kind == "high" || kind == "low";
        if !numeric && written.hysteresis.is_some() {
            self.at(spot, "hysteresis", "a hysteresis is for `high` and `low`", "remove it", sink);
        }
        if written.hysteresis.is_some_and(|hysteresis| hysteresis < 0.0) {
            self.at(
                spot,
                "hysteresis",
                "a hysteresis is not negative",
                "write how far the value must come back",
                sink,
            );
        }
        if numeric && !self.is_number() {
            let message = format!("a limit is for numbers, and this property is of type {}", self.value_type);
            self.at(spot, kind, message, "write `equals: ...`", sink);
            return None;
        }
        let hysteresis = written.hysteresis.unwrap_or(0.0);
        let condition = if let Some(limit) = written.high {
            self.limit(spot, kind, limit, hysteresis, definition, sink);
            Condition::High { limit, hysteresis }
        } else if let Some(limit) = written.low {
            self.limit(spot, kind, limit, hysteresis, definition, sink);
            Condition::Low { limit, hysteresis }
        } else if let Some(stale) = written.stale {
            if written.delay.is_some() {
                self.at(spot, "delay", "`stale` says already how long to wait", "remove the delay", sink);
            }
            let after = stale.get();
            if after <= every {
                let message = "the property is not read that often";
                self.at(spot, "stale", message, "write a longer time, some times that of `every`", sink);
            }
            Condition::Stale { after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
        } else {
            Condition::Equals { value: self.equals(spot, sink)? }
        };
        let delay = written.delay.map_or(Duration::ZERO, |delay| delay.get());
        Some(AlarmRule {
            condition,
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            severity: written.severity.into(),
            message: written.message,
        })
    }

    /// A limit outside the range is never seen broken: a value there is bad, and raises nothing.
    fn limit(
        &self,
        spot: &Spot<'_>,
        kind: &str,
        limit: f64,
        hysteresis: f64,
        definition: &PropertyDefinition,
        sink: &mut Sink,
    ) {
        let Some(range) = definition.range else { return };
        let (never, back) = match kind {
            "high" => (limit >= range.max, limit - hysteresis),
            _ => (limit <= range.min, limit + hysteresis),
        };
        if never {
            let message = format!(
                "this is never raised: a value outside the range {} to {} is bad, and a bad value raises nothing",
                range.min, range.max
            );
            self.at(spot, kind, message, "write a limit within the range, or a wider range", sink);
        } else if !range.contains(back) {
            let message = "this is never cleared: the value would have to come back out of the range";
            self.at(spot, "hysteresis", message, "write a smaller hysteresis", sink);
        }
    }

    fn equals(&self, spot: &Spot<'_>, sink: &mut Sink) -> Option<twin_core::Value> {
        let entry = spot.node.entry("equals").filter(|entry| !entry.value.is_unread())?;
        let at = spot.below(entry);
        match value(&at, self.value_type, sink)? {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("{} is not a value of type {}", at.node.what(), error.wanted);
                sink.fault(at.finding(message).hint(error.rule));
                None
            }
        }
    }

    /// A fault at a key of an alarm.
    fn at(&self, spot: &Spot<'_>, key: &str, message: impl Into<String>, hint: &str, sink: &mut Sink) {
        let finding = match spot.node.entry(key) {
            Some(entry) => spot.below(entry).finding(message),
            None => spot.head_finding(message),
        };
        sink.fault(finding.hint(hint));
    }
}
