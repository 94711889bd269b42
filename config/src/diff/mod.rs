//! What differs between two configurations, by device, property and field.

mod fields;
mod rights;
mod show;

use std::collections::BTreeMap;

use twin_core::{DeviceId, PropertyName};

use crate::config::{Config, DeviceConfig};
use fields::{device, gateway, property};

/// What differs between two configurations. `Display` shows it line by line and ends with the counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diff {
    /// The settings of the gateway that differ.
    pub gateway: Vec<FieldDiff>,
    /// The devices that are in one of the two only, or differ.
    pub devices: BTreeMap<DeviceId, DeviceDiff>,
    /// How many devices are the same in both.
    pub same_devices: usize,
}

/// How a device differs.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceDiff {
    /// It is in the new configuration only.
    Added {
        /// The protocol of its mapper.
        protocol: Option<String>,
        /// How many properties it has.
        properties: usize,
    },
    /// It is in the old configuration only.
    Removed,
    /// It is in both.
    Changed {
        /// What differs of the device itself.
        fields: Vec<FieldDiff>,
        /// Its properties that are in one of the two only, or differ.
        properties: BTreeMap<PropertyName, PropertyDiff>,
    },
}

/// How a property differs.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyDiff {
    /// It is in the new configuration only.
    Added,
    /// It is in the old configuration only.
    Removed,
    /// It is in both.
    Changed(Vec<FieldDiff>),
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDiff {
    /// Its key, with dots where it lies deeper.
    pub field: String,
    /// The values, which are shown; none for a body of a protocol and for secrets.
    pub values: Option<Values>,
}

/// The old and the new value of a field in words; none where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The old value.
    pub old: Option<String>,
    /// The new value.
    pub new: Option<String>,
}

impl Diff {
    /// What differs in `new` from `old`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut diff = Self { gateway: gateway(&old.gateway, &new.gateway), ..Self::default() };
        for (id, old, new) in pairs(&old.devices, &new.devices) {
            let device = match (old, new) {
                (Some(old), Some(new)) if old == new => {
                    diff.same_devices += 1;
                    continue;
                }
                (Some(old), Some(new)) => changed(old, new),
                (None, Some(new)) => {
                    DeviceDiff::Added { protocol: new.protocol.clone(), properties: new.properties.len() }
                }
                (Some(_), None) | (None, None) => DeviceDiff::Removed,
            };
            diff.devices.insert(id.clone(), device);
        }
        diff
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gateway.is_empty() && self.devices.is_empty()
    }
}

fn changed(old: &DeviceConfig, new: &DeviceConfig) -> DeviceDiff {
    let mut properties = BTreeMap::new();
    for (name, before, after) in pairs(&old.properties, &new.properties) {
        let property = match (before, after) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(before), Some(after)) => {
                PropertyDiff::Changed(property(new.protocol.as_deref(), before, after))
            }
            (None, Some(_)) => PropertyDiff::Added,
            (Some(_), None) | (None, None) => PropertyDiff::Removed,
        };
        properties.insert(name.clone(), property);
    }
    DeviceDiff::Changed { fields: device(old, new), properties }
}

/// The entries of two maps side by side, in the order of their keys.
fn pairs<'a, K: Ord, V>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let (mut left, mut right) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return None,
        };
        let old = if order.is_le() { left.next() } else { None };
        let new = if order.is_ge() { right.next() } else { None };
        let key = old.or(new)?.0;
        Some((key, old.map(|(_, value)| value), new.map(|(_, value)| value)))
    })
}
