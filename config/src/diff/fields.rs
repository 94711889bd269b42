//! The fields of the parts of a configuration, side by side. Every type is taken apart by name, so that a new field is
//! not forgotten.

use std::time::Duration;

use twin_core::history::HistoryPolicy;
use twin_core::{Access, AlarmRule, Condition, DeviceDefinition, Guard, PropertyDefinition, Rate};

use super::{FieldDiff, Values, pairs, rights};
use crate::config::{
    Cloud, DeviceConfig, EmbeddedBroker, ExternalBroker, Gateway, History, Log, LogFormat, Mqtt,
    PropertyConfig, ReportPolicy,
};

/// Collects what differs.
#[derive(Default)]
pub(super) struct Fields(Vec<FieldDiff>);

impl Fields {
    /// A field whose values are shown.
    pub(super) fn shown(&mut self, field: impl Into<String>, old: Option<String>, new: Option<String>) {
        if old != new {
            self.0.push(FieldDiff { field: field.into(), values: Some(Values { old, new }) });
        }
    }

    /// A field whose values are not shown.
    pub(super) fn hidden(&mut self, field: impl Into<String>, same: bool) {
        if !same {
            self.0.push(FieldDiff { field: field.into(), values: None });
        }
    }
}

pub(super) fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn duration(value: Duration) -> Option<String> {
    Some(crate::duration::words(u64::try_from(value.as_millis()).unwrap_or(u64::MAX)))
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "read_write",
    }
}

/// What differs of the settings of the gateway.
pub(super) fn gateway(old: &Gateway, new: &Gateway) -> Vec<FieldDiff> {
    let Gateway { node, data_dir, mqtt, cloud, api, audit, log, history, reload_on_change, shutdown_grace } =
        old;
    let mut fields = Fields::default();
    fields.shown("node", text(node), text(&new.node));
    fields.shown("data_dir", text(data_dir.display()), text(new.data_dir.display()));
    broker(mqtt, &new.mqtt, &mut fields);
    let url = |cloud: &Option<Cloud>| cloud.as_ref().map(|cloud| cloud.url.to_string());
    let token = |cloud: &Option<Cloud>| cloud.as_ref().and_then(|cloud| cloud.token.clone());
    fields.shown("cloud.url", url(cloud), url(&new.cloud));
    fields.hidden("cloud.token", token(cloud) == token(&new.cloud));
    rights::api(api, &new.api, &mut fields);
    fields.shown("audit.keep", duration(audit.keep), duration(new.audit.keep));
    let megabytes = |bytes: u64| text(bytes / 1_000_000);
    fields.shown("audit.megabytes", megabytes(audit.bytes), megabytes(new.audit.bytes));
    let Log { level, format } = log;
    fields.shown("log.level", text(level.word()), text(new.log.level.word()));
    let word = |format: LogFormat| match format {
        LogFormat::Auto => "auto",
        LogFormat::Human => "human",
        LogFormat::Json => "json",
    };
    fields.shown("log.format", text(word(*format)), text(word(new.log.format)));
    let History { max_bytes, max_age } = history;
    let size = |bytes: u64| Some(crate::size::words(bytes));
    fields.shown("history.max_bytes", size(*max_bytes), size(new.history.max_bytes));
    fields.shown("history.max_age", duration(*max_age), duration(new.history.max_age));
    fields.shown("reload_on_change", text(reload_on_change), text(new.reload_on_change));
    fields.shown("shutdown_grace", duration(*shutdown_grace), duration(new.shutdown_grace));
    fields.0
}

fn broker(old: &Mqtt, new: &Mqtt, fields: &mut Fields) {
    fn embedded(mqtt: &Mqtt) -> Option<&EmbeddedBroker> {
        match mqtt {
            Mqtt::Embedded(embedded) => Some(embedded),
            Mqtt::External(_) => None,
        }
    }
    fn external(mqtt: &Mqtt) -> Option<&ExternalBroker> {
        match mqtt {
            Mqtt::Embedded(_) => None,
            Mqtt::External(external) => Some(external),
        }
    }
    rights::broker(embedded(old), embedded(new), fields);
    let (old, new) = (external(old), external(new));
    let url = |broker: Option<&ExternalBroker>| broker.map(|broker| broker.url.to_string());
    fields.shown("mqtt.external.url", url(old), url(new));
    let user = |broker: Option<&ExternalBroker>| broker.and_then(|broker| broker.username.clone());
    fields.shown("mqtt.external.username", user(old), user(new));
    let password = |broker: Option<&ExternalBroker>| broker.and_then(|broker| broker.password.clone());
    fields.hidden("mqtt.external.password", password(old) == password(new));
    let ca = |broker: Option<&ExternalBroker>| {
        broker.and_then(|broker| broker.ca_file.as_ref()).map(|path| path.display().to_string())
    };
    fields.shown("mqtt.external.ca_file", ca(old), ca(new));
}

/// What differs of a device itself.
pub(super) fn device(old: &DeviceConfig, new: &DeviceConfig) -> Vec<FieldDiff> {
    let DeviceConfig { id: _, definition, protocol, link, properties: _ } = old;
    let DeviceDefinition { protocol: _, model, description, labels, properties: _ } = definition;
    let mut fields = Fields::default();
    fields.shown("model", model.clone(), new.definition.model.clone());
    fields.shown("description", description.clone(), new.definition.description.clone());
    for (label, old, new) in pairs(labels, &new.definition.labels) {
        fields.shown(format!("labels.{label}"), old.cloned(), new.cloned());
    }
    fields.shown("protocol", protocol.clone(), new.protocol.clone());
    if *protocol == new.protocol {
        fields.hidden(protocol.as_deref().unwrap_or("link"), *link == new.link);
    }
    fields.0
}

/// What differs of a property of a device that speaks `protocol`.
pub(super) fn property(protocol: Option<&str>, old: &PropertyConfig, new: &PropertyConfig) -> Vec<FieldDiff> {
    let PropertyConfig { definition, point, every, report, stale_after, interlock: _ } = old;
    let PropertyDefinition {
        value_type,
        access,
        unit,
        description,
        range,
        one_of,
        tolerance,
        stale_after_ms: _,
        guard,
        alarms,
        history,
    } = definition;
    let mut fields = Fields::default();
    fields.shown("type", text(value_type), text(new.definition.value_type));
    fields.shown("access", text(access_word(*access)), text(access_word(new.definition.access)));
    fields.shown("unit", unit.clone(), new.definition.unit.clone());
    fields.shown("description", description.clone(), new.definition.description.clone());
    let bounds = |range: &twin_core::Range| format!("[{}, {}]", range.min, range.max);
    fields.shown("range", range.as_ref().map(bounds), new.definition.range.as_ref().map(bounds));
    let values = |values: &[twin_core::Value]| {
        let words = values.iter().map(|value| value.to_json().to_string()).collect::<Vec<_>>();
        (!words.is_empty()).then(|| format!("[{}]", words.join(", ")))
    };
    fields.shown("one_of", values(one_of), values(&new.definition.one_of));
    let number = |number: f64| number.to_string();
    fields.shown("tolerance", tolerance.map(number), new.definition.tolerance.map(number));
    fields.hidden(protocol.unwrap_or("point"), *point == new.point);
    fields.shown("every", every.and_then(duration), new.every.and_then(duration));
    let ReportPolicy { deadband, deadband_percent, max_silence, min_interval } = report;
    fields.shown("report.deadband", text(deadband), text(new.report.deadband));
    let percent = text(new.report.deadband_percent);
    fields.shown("report.deadband_percent", text(deadband_percent), percent);
    let silence = new.report.max_silence.and_then(duration);
    fields.shown("report.max_silence", max_silence.and_then(duration), silence);
    fields.shown("report.min_interval", duration(*min_interval), duration(new.report.min_interval));
    fields.shown("stale_after", stale_after.and_then(duration), new.stale_after.and_then(duration));
    self::guard(guard.as_ref(), new.definition.guard.as_ref(), &mut fields);
    for (name, old, new) in pairs(alarms, &new.definition.alarms) {
        fields.shown(format!("alarms.{name}"), old.map(alarm), new.map(alarm));
    }
    let age = |history: HistoryPolicy| {
        history.for_ms.map_or_else(|| "as long as the gateway allows".to_owned(), crate::duration::words)
    };
    let rows = |history: HistoryPolicy| history.rows.map(|rows| rows.to_string());
    fields.shown("history", history.map(age), new.definition.history.map(age));
    fields.shown("history.rows", history.and_then(rows), new.definition.history.and_then(rows));
    fields.0
}

/// What differs of the guards of a property.
fn guard(old: Option<&Guard>, new: Option<&Guard>, fields: &mut Fields) {
    let of = |guard: Option<&Guard>| guard.cloned().unwrap_or_default();
    let Guard { step, rate, when, message } = of(old);
    let new = of(new);
    let number = |number: f64| number.to_string();
    fields.shown("guard.step", step.map(number), new.step.map(number));
    let rate_words = |rate: Rate| format!("{} per {}", rate.most, crate::duration::words(rate.per_ms));
    fields.shown("guard.rate", rate.map(rate_words), new.rate.map(rate_words));
    fields.shown("guard.when", when, new.when);
    fields.shown("guard.message", message, new.message);
}

/// The rule of an alarm in one line.
fn alarm(rule: &AlarmRule) -> String {
    let AlarmRule { condition, delay_ms, severity, message } = rule;
    let condition = match condition {
        Condition::High { limit, hysteresis } => format!("high {limit}, hysteresis {hysteresis}"),
        Condition::Low { limit, hysteresis } => format!("low {limit}, hysteresis {hysteresis}"),
        Condition::Equals { value } => format!("equals {}", value.to_json()),
        Condition::Stale { after_ms } => format!("stale {}", crate::duration::words(*after_ms)),
    };
    let message = message.as_ref().map_or_else(String::new, |message| format!(", \"{message}\""));
    format!("{condition}, delay {}, {severity}{message}", crate::duration::words(*delay_ms))
}
