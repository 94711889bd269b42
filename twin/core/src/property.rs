//! What the configuration says of a device: enough to check a value anywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alarm::{AlarmRule, RuleName};
use crate::guard::{Guard, Guarded};
use crate::history::HistoryPolicy;
use crate::id::PropertyName;
use crate::value::{TypeMismatch, Value, ValueType};

/// What may be done with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It is reported only.
    #[default]
    Read,
    /// It can be wanted but not read back.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether a value may be wanted.
    #[must_use]
    pub fn writable(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Whether a value is read.
    #[must_use]
    pub fn readable(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }
}

/// The lowest and highest number allowed, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Range {
    /// Whether `number` lies in it.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        self.min <= number && number <= self.max
    }
}

/// What is true of one property, wherever it lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertyDefinition {
    /// The type of its values.
    pub value_type: ValueType,
    /// What may be done with it.
    #[serde(default)]
    pub access: Access,
    /// The unit, as people write it: `bar`, `°C`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The numbers allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The values allowed, when they can be counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    /// How far a float read back may lie from the one written, in the property's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// How old a value may get, in milliseconds, before it counts as stale; none: any age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after_ms: Option<u64>,
    /// What guards it against a write that is wrong now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Its alarms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<RuleName, AlarmRule>,
    /// How much of its history is kept; none: no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryPolicy>,
}

/// Why a value cannot be wanted of a property.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unacceptable {
    /// It is not of the type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// The property is read only.
    #[error("the property is read only")]
    ReadOnly,
    /// It lies outside the range.
    #[error("{value} is outside the range {min} to {max}")]
    OutOfRange {
        /// What was wanted.
        value: f64,
        /// The lowest allowed.
        min: f64,
        /// The highest allowed.
        max: f64,
    },
    /// It is none of the values allowed.
    #[error("{value} is none of: {allowed}")]
    NotOneOf {
        /// What was wanted.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A guard says no.
    #[error(transparent)]
    Guarded(#[from] Guarded),
}

impl PropertyDefinition {
    /// A definition with nothing but a type and an access.
    #[must_use]
    pub fn new(value_type: ValueType, access: Access) -> Self {
        Self {
            value_type,
            access,
            unit: None,
            description: None,
            range: None,
            one_of: Vec::new(),
            tolerance: None,
            stale_after_ms: None,
            guard: None,
            alarms: BTreeMap::new(),
            history: None,
        }
    }

    /// Checks that `value` may be wanted of this property: type, access, range and enumeration.
    ///
    /// # Errors
    /// [`Unacceptable`] with the first rule that it breaks.
    pub fn check_wanted(&self, value: &Value) -> Result<(), Unacceptable> {
        if !self.access.writable() {
            return Err(Unacceptable::ReadOnly);
        }
        self.check_value(value)
    }

    /// Checks type, range and enumeration, whoever holds the value.
    ///
    /// # Errors
    /// [`Unacceptable`] with the first rule that it breaks.
    pub fn check_value(&self, value: &Value) -> Result<(), Unacceptable> {
        if value.value_type() != self.value_type {
            return Err(Unacceptable::Type(TypeMismatch {
                found: value.to_string().chars().take(80).collect(),
                wanted: self.value_type,
                rule: "the type of the property says how",
            }));
        }
        if let (Some(range), Some(number)) = (self.range, value.as_number())
            && !range.contains(number)
        {
            return Err(Unacceptable::OutOfRange { value: number, min: range.min, max: range.max });
        }
        if !self.one_of.is_empty() && !self.one_of.contains(value) {
            let allowed = self.one_of.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            return Err(Unacceptable::NotOneOf { value: value.to_string(), allowed });
        }
        Ok(())
    }
}

/// What the configuration says of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeviceDefinition {
    /// Which mapper serves it: `modbus`, ...; empty for a device that is served over MQTT by others.
    #[serde(default)]
    pub protocol: String,
    /// The model it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its properties.
    #[serde(default)]
    pub properties: BTreeMap<PropertyName, PropertyDefinition>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_value_is_checked_by_access_type_range_and_enumeration() {
        let mut definition = PropertyDefinition::new(ValueType::Int, Access::ReadWrite);
        definition.range = Some(Range { min: 0.0, max: 10.0 });
        definition.one_of = vec![Value::Int(0), Value::Int(5), Value::Int(20)];
        assert_eq!(definition.check_wanted(&Value::Int(5)), Ok(()));
        assert!(matches!(definition.check_wanted(&Value::Bool(true)), Err(Unacceptable::Type(_))));
        assert!(matches!(definition.check_wanted(&Value::Int(20)), Err(Unacceptable::OutOfRange { .. })));
        assert!(matches!(definition.check_wanted(&Value::Int(6)), Err(Unacceptable::NotOneOf { .. })));
        definition.access = Access::Read;
        assert_eq!(definition.check_wanted(&Value::Int(5)), Err(Unacceptable::ReadOnly));
    }
}
