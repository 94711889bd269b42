//! One property with its defaults, and the rules between its keys.

use std::sync::Arc;
use std::time::Duration;

use twin_core::history::HistoryPolicy;
use twin_core::{Access, Condition, PropertyDefinition, Range, Value, ValueType};

use crate::config::{PropertyConfig, ReportPolicy};
use crate::decode::{Sink, Spot, check_fault, decode};
use crate::node::{Entry, Kind};
use crate::protocol::Protocol;
use crate::source::Span;
use crate::written::history::{HistoryAge, HistoryWritten};
use crate::written::property::{PropertyWritten, ReportWritten};

/// How often a property is read when nothing is said.
const EVERY: Duration = Duration::from_secs(1);

/// A property that is right by itself.
#[derive(Clone)]
pub(super) struct Property {
    pub(super) config: Arc<PropertyConfig>,
    /// The protocol in which it lives, and where that is written.
    pub(super) protocol: Option<(&'static str, Span)>,
    /// Where its name is written.
    pub(super) at: Span,
}

/// Reads one property; nothing where it is wrong.
pub(super) fn property(spot: &Spot<'_>, protocols: &[Protocol], sink: &mut Sink) -> Option<Property> {
    let held_out =
        protocols.iter().map(Protocol::name).chain(["one_of", "alarms", "history"]).collect::<Vec<_>>();
    let decoded = decode::<PropertyWritten>(spot, &held_out, sink);
    let found = only_protocol(spot, protocols, "a property lives in one protocol only", sink);
    let point = found.map(|(protocol, entry)| (protocol.point.decode)(&spot.below(entry), sink));
    let written = decoded.value?;

    let rules = Rules { spot: *spot, value_type: written.value_type.into(), access: written.access.into() };
    let mut definition = PropertyDefinition::new(rules.value_type, rules.access);
    definition.range = written.range.and_then(|range| rules.range(range, sink));
    definition.tolerance = written.tolerance.filter(|tolerance| rules.tolerance(*tolerance, sink));
    definition.unit = written.unit;
    definition.description = written.description;
    if let Some(entry) = spot.node.entry("one_of") {
        definition.one_of = rules.one_of(&spot.below(entry), &definition, sink);
    }
    if let Some(entry) = spot.node.entry("history") {
        definition.history = history(&spot.below(entry), sink);
    }
    let every = written.every.map_or(EVERY, |every| every.get());
    rules.polling(sink);
    let stale_after = written.stale_after.map(|age| age.get()).filter(|age| rules.stale(*age, every, sink));
    let mut report = rules.report(written.report.unwrap_or_default(), definition.range, sink);
    if let Some(age) = stale_after {
        // An unchanged value is passed on before it would count as stale.
        let silence = age / 2;
        report.max_silence = Some(report.max_silence.map_or(silence, |written| written.min(silence)));
        definition.stale_after_ms = u64::try_from(age.as_millis()).ok();
    }
    if let Some(entry) = spot.node.entry("alarms") {
        definition.alarms = rules.alarms(entry, &definition, every, sink);
    }
    if let Some(silence) = shortest_silence(&definition) {
        report.max_silence = Some(report.max_silence.map_or(silence, |written| written.min(silence)));
    }
    let (guard, interlock) = written.guard.map_or((None, None), |guard| rules.guard(guard, sink));
    definition.guard = guard;
    let point = match point {
        Some(None) => return None,
        Some(Some(point)) => Some(point),
        None => None,
    };
    if let (Some(point), Some((_, entry)), true) = (&point, found, decoded.clean)
        && let Err(fault) = point.check_for(&definition)
    {
        check_fault(&spot.below(entry), fault, sink);
    }
    let every = definition.access.readable().then_some(every);
    let protocol = found.map(|(protocol, entry)| (protocol.name(), entry.key_at));
    let config = Arc::new(PropertyConfig { definition, point, every, report, stale_after, interlock });
    Some(Property { config, protocol, at: spot.head })
}

/// Half of the shortest time after which an alarm says that nothing was read: an unchanged value is passed on before.
fn shortest_silence(definition: &PropertyDefinition) -> Option<Duration> {
    let after = |rule: &twin_core::AlarmRule| match rule.condition {
        Condition::Stale { after_ms } => Some(Duration::from_millis(after_ms) / 2),
        Condition::High { .. } | Condition::Low { .. } | Condition::Equals { .. } => None,
    };
    definition.alarms.values().filter_map(after).min()
}

/// The one protocol that is named here; a fault at every further one.
pub(super) fn only_protocol<'a, 'p>(
    spot: &Spot<'a>,
    protocols: &'p [Protocol],
    rule: &str,
    sink: &mut Sink,
) -> Option<(&'p Protocol, &'a Entry)> {
    let entries = spot.node.entries().unwrap_or(&[]);
    let mut named = entries.iter().filter_map(|entry| {
        let protocol = protocols.iter().find(|protocol| protocol.name() == &*entry.key)?;
        Some((protocol, entry))
    });
    let first = named.next()?;
    for (_, further) in named {
        let finding = spot.below(further).head_finding(rule);
        sink.fault(finding.hint("remove one of the two").related(first.1.key_at, "the other one"));
    }
    Some(first)
}

pub(super) struct Rules<'a> {
    pub(super) spot: Spot<'a>,
    pub(super) value_type: ValueType,
    pub(super) access: Access,
}

impl Rules<'_> {
    pub(super) fn is_number(&self) -> bool {
        matches!(self.value_type, ValueType::Int | ValueType::Float)
    }

    /// A fault at one of the keys here, if it is written.
    pub(super) fn fault(&self, keys: &[&str], message: impl Into<String>, hint: &str, sink: &mut Sink) {
        let (at, path) = self.place(keys);
        sink.fault(crate::fault::Finding::new(at, path, message).hint(hint));
    }

    /// Where the value below these keys is written, and the path there.
    pub(super) fn place(&self, keys: &[&str]) -> (Span, String) {
        let mut path = self.spot.path.to_string();
        let (mut node, mut at) = (self.spot.node, self.spot.head);
        for key in keys {
            path.push('.');
            path.push_str(key);
            if let Some(entry) = node.entry(key) {
                (node, at) = (&entry.value, entry.value.at);
            }
        }
        (at, path)
    }

    fn range(&self, (min, max): (f64, f64), sink: &mut Sink) -> Option<Range> {
        if !self.is_number() {
            let message = format!("a range is for numbers, and this property is of type {}", self.value_type);
            self.fault(&["range"], message, "remove the range, or write `type: float`", sink);
        } else if min >= max {
            let hint =
                if min > max { format!("write [{max}, {min}]") } else { "write [lowest, highest]".into() };
            self.fault(&["range"], "the lowest number must be below the highest", &hint, sink);
        } else {
            return Some(Range { min, max });
        }
        None
    }

    fn tolerance(&self, tolerance: f64, sink: &mut Sink) -> bool {
        if self.value_type != ValueType::Float {
            let message =
                format!("a tolerance is for floats, and this property is of type {}", self.value_type);
            self.fault(&["tolerance"], message, "remove the tolerance", sink);
        } else if tolerance < 0.0 {
            self.fault(&["tolerance"], "a tolerance is not negative", "", sink);
        } else {
            return true;
        }
        false
    }

    fn one_of(&self, spot: &Spot<'_>, definition: &PropertyDefinition, sink: &mut Sink) -> Vec<Value> {
        if spot.node.is_unread() {
            return Vec::new();
        }
        let Kind::Seq(items) = &spot.node.kind else {
            sink.fault(
                spot.finding(format!("a list is wanted here, not {}", spot.node.what())).hint("write [a, b]"),
            );
            return Vec::new();
        };
        if items.is_empty() {
            sink.fault(
                spot.finding("no value at all would be allowed").hint("remove the key or name the values"),
            );
        }
        let mut values = Vec::new();
        for (index, node) in items.iter().enumerate().filter(|(_, node)| !node.is_unread()) {
            let spot = Spot { node, head: node.at, path: spot.path.index(index) };
            match value(&spot, self.value_type, sink) {
                None => {}
                Some(Err(error)) => {
                    let message = format!("{} is not a value of type {}", node.what(), error.wanted);
                    sink.fault(spot.finding(message).hint(error.rule));
                }
                Some(Ok(value)) => {
                    if let Err(error) = definition.check_value(&value) {
                        sink.fault(
                            spot.finding(error.to_string()).hint("change the range or remove the value"),
                        );
                    }
                    values.push(value);
                }
            }
        }
        values
    }

    /// What is only written is not read, so there is nothing to say about reading it.
    fn polling(&self, sink: &mut Sink) {
        if self.access.readable() {
            return;
        }
        for key in ["every", "report", "stale_after", "history"] {
            if let Some(entry) = self.spot.node.entry(key) {
                let finding = self
                    .spot
                    .below(entry)
                    .head_finding("this property can only be written, so it is never read");
                sink.fault(finding.hint("remove the key, or write `access: read_write`"));
            }
        }
    }

    fn stale(&self, age: Duration, every: Duration, sink: &mut Sink) -> bool {
        let unread = |key| self.spot.node.entry(key).is_some_and(|entry| entry.value.is_unread());
        let fresh = age > every || !self.access.readable() || unread("every") || unread("access");
        if !fresh {
            let every = crate::duration::words(u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
            let message =
                format!("every value would be stale before the next comes, since it is read every {every}");
            self.fault(&["stale_after"], message, "write a longer time, some times that of `every`", sink);
        }
        fresh
    }

    /// The deadband in the property's unit, and the one in percent of the value.
    fn deadband(&self, written: &ReportWritten, range: Option<Range>, sink: &mut Sink) -> (f64, f64) {
        let keys = [
            ("deadband", written.deadband, f64::INFINITY),
            ("deadband_percent", written.deadband_percent, 100.0),
            ("deadband_span_percent", written.deadband_span_percent, 100.0),
        ];
        let mut first: Option<&str> = None;
        for (key, size, most) in keys {
            let Some(size) = size else { continue };
            if size != 0.0 && !self.is_number() {
                let message =
                    format!("a deadband is for numbers, and this property is of type {}", self.value_type);
                self.fault(&["report", key], message, "remove the deadband", sink);
            } else if size < 0.0 {
                let hint = "write 0 to report every change";
                self.fault(&["report", key], "a deadband is not negative", hint, sink);
            } else if size > most {
                let hint = "write 1 for one percent";
                self.fault(&["report", key], "a deadband is at most 100 percent", hint, sink);
            } else if let Some(first) = first {
                let message = format!("`{first}` says already how far a number must move");
                self.fault(&["report", key], message, "write one of the two", sink);
            }
            first.get_or_insert(key);
        }
        let span = match (written.deadband_span_percent, range) {
            (Some(percent), Some(range)) => (range.max - range.min) * percent / 100.0,
            (Some(_), None) if self.is_number() && self.spot.node.entry("range").is_none() => {
                let message = "there is no span to take a percentage of";
                let hint = "give the property a `range`, or write `deadband` or `deadband_percent`";
                self.fault(&["report", "deadband_span_percent"], message, hint, sink);
                0.0
            }
            (Some(_) | None, _) => 0.0,
        };
        (written.deadband.unwrap_or(span), written.deadband_percent.unwrap_or(0.0))
    }

    fn report(&self, written: ReportWritten, range: Option<Range>, sink: &mut Sink) -> ReportPolicy {
        let (deadband, deadband_percent) = self.deadband(&written, range, sink);
        let max_silence = written.max_silence.map(|silence| silence.get());
        let min_interval = written.min_interval.map_or(Duration::ZERO, |interval| interval.get());
        if max_silence.is_some_and(|silence| silence < min_interval) {
            let message = "the longest silence is shorter than the shortest time between two values";
            self.fault(&["report", "max_silence"], message, "write a longer time than `min_interval`", sink);
        }
        ReportPolicy { deadband, deadband_percent, max_silence, min_interval }
    }
}

/// How much history is kept: a duration, or a map that says more.
fn history(spot: &Spot<'_>, sink: &mut Sink) -> Option<HistoryPolicy> {
    if spot.node.is_unread() || spot.node.is_null() {
        return None;
    }
    let millis = |age: HistoryAge| u64::try_from(age.get().as_millis()).ok();
    if let Kind::Scalar(_) = &spot.node.kind {
        let age = decode::<HistoryAge>(spot, &[], sink).if_clean()?;
        return Some(HistoryPolicy { for_ms: millis(age), rows: None });
    }
    let written = decode::<HistoryWritten>(spot, &[], sink).if_clean()?;
    if let (Some(0), Some(entry)) = (written.rows, spot.node.entry("rows")) {
        let finding = spot.below(entry).finding("no sample at all would be kept");
        sink.fault(finding.hint("write a number from 1, or remove `history`"));
        return None;
    }
    Some(HistoryPolicy { for_ms: written.keep_for.and_then(millis), rows: written.rows.map(u64::from) })
}

/// The value that is written here, if it is of the type.
pub(super) fn value(
    spot: &Spot<'_>,
    wanted: ValueType,
    sink: &mut Sink,
) -> Option<Result<Value, twin_core::TypeMismatch>> {
    let json = match (&spot.node.kind, wanted) {
        (Kind::Scalar(scalar), ValueType::String) if !spot.node.is_null() => scalar.text.as_ref().into(),
        (Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_), _) => {
            decode::<serde_json::Value>(spot, &[], sink).if_clean()?
        }
    };
    Some(Value::from_json(wanted, &json))
}
