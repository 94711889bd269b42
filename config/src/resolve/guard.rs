//! The guards of one property, and, when all devices are known, the names in their interlocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use twin_core::{DeviceId, Guard, Rate, ValueType};
use twin_guard::{Input, Interlock};

use super::property::Rules;
use crate::config::{DeviceConfig, PlacedInterlock};
use crate::decode::Sink;
use crate::fault::Finding;
use crate::written::guard::GuardWritten;

/// The longest message, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024;

impl Rules<'_> {
    /// The guards of this property, with its interlock where it has one.
    pub(super) fn guard(
        &self,
        written: GuardWritten,
        sink: &mut Sink,
    ) -> (Option<Guard>, Option<PlacedInterlock>) {
        if !self.access.writable() {
            let message = "this property is only read, so there is nothing to guard";
            self.fault(&["guard"], message, "remove the guard, or write `access: read_write`", sink);
            return (None, None);
        }
        let step = written.step.filter(|step| self.amount(&["guard", "step"], *step, sink));
        let rate = written.rate.filter(|rate| self.amount(&["guard", "rate", "most"], rate.most, sink));
        let per_ms = |rate: &crate::written::guard::RateWritten| {
            u64::try_from(rate.per.get().as_millis()).unwrap_or(u64::MAX)
        };
        let rate = rate.map(|rate| Rate { most: rate.most, per_ms: per_ms(&rate) });
        let interlock = written.when.as_deref().and_then(|text| match Interlock::parse(text) {
            Ok(interlock) => {
                let (at, path) = self.place(&["guard", "when"]);
                Some(PlacedInterlock { interlock, at, path })
            }
            Err(fault) => {
                self.fault(&["guard", "when"], fault.message, &fault.hint, sink);
                None
            }
        });
        if let Some(message) = &written.message {
            self.message(&["guard", "message"], message, sink);
            if self.spot.node.entry("guard").is_some_and(|guard| guard.value.entry("when").is_none()) {
                let hint = "write `when: ...` as well, or remove the message";
                self.fault(
                    &["guard", "message"],
                    "the message is for the interlock, and there is none",
                    hint,
                    sink,
                );
            }
        }
        let guard = Guard { step, rate, when: written.when, message: written.message };
        ((guard != Guard::default()).then_some(guard), interlock)
    }

    /// Whether a change can be so large at most.
    fn amount(&self, keys: &[&str], amount: f64, sink: &mut Sink) -> bool {
        if !self.is_number() {
            let message =
                format!("a change is measured of numbers, and this property is of type {}", self.value_type);
            self.fault(keys, message, "remove the key", sink);
        } else if !self.access.readable() {
            let message = "a change is measured against what was read, and this property is never read";
            self.fault(keys, message, "remove the key, or write `access: read_write`", sink);
        } else if amount <= 0.0 {
            self.fault(keys, "no change at all would be allowed", "write a number above 0", sink);
        } else {
            return true;
        }
        false
    }

    /// A fault where a message for people is too long.
    pub(super) fn message(&self, keys: &[&str], message: &str, sink: &mut Sink) {
        if message.len() > MAX_MESSAGE_BYTES {
            let words = format!("a message is at most {MAX_MESSAGE_BYTES} bytes long");
            self.fault(keys, words, "make it shorter", sink);
        }
    }
}

/// Checks the names and types in all interlocks.
pub(crate) fn interlocks(devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>, sink: &mut Sink) {
    let whole = sink.is_clean();
    for device in devices.values() {
        for property in device.properties.values() {
            let Some(placed) = &property.interlock else { continue };
            let strangers = |input: &Input| input.device.as_ref().is_some_and(|id| !devices.contains_key(id));
            // A device that is wrong is not there, and has been reported.
            if !whole && placed.interlock.inputs().iter().any(strangers) {
                continue;
            }
            let types = |input: &Input| -> Option<ValueType> {
                let of = input.device.as_ref().map_or(Some(device), |id| devices.get(id))?;
                let definition = of.definition.properties.get(&input.property)?;
                definition.access.readable().then_some(definition.value_type)
            };
            if let Err(fault) = placed.interlock.check(types, property.definition.value_type) {
                let hint = match unknown_here(placed, device) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => fault.hint,
                };
                sink.fault(Finding::new(placed.at, &placed.path, fault.message).hint(hint));
            }
        }
    }
}

/// What the first property that the device does not have was most likely meant to be.
fn unknown_here<'d>(placed: &PlacedInterlock, device: &'d DeviceConfig) -> Option<&'d str> {
    let known = &device.definition.properties;
    let unknown = placed
        .interlock
        .inputs()
        .iter()
        .find(|input| input.device.is_none() && !known.contains_key(&input.property))?;
    crate::suggest::nearest(unknown.property.as_str(), known.keys().map(|name| name.as_str()))
}
