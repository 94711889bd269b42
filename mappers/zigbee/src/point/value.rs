//! From what a device holds to a value, and back.

use mapper_sdk::Fault;
use twin_core::Value;

use super::Resolved;
use crate::zcl::{Scalar, Shape, TypeId};

impl Resolved {
    /// What a number of the device means; `factor` is the scale that the device says itself, or 1.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when it means nothing.
    pub fn decode(&self, kind: TypeId, scalar: &Scalar, factor: f64) -> Result<Value, Fault> {
        if let Scalar::None = scalar {
            return Err(Fault::NotAValue("the device has no value now".to_owned()));
        }
        if kind != self.kind && !is_alike(kind, self.kind) {
            return Err(Fault::NotAValue(format!("the device gives {kind} where {} should be", self.kind)));
        }
        let number = match scalar {
            Scalar::Unsigned(number) => i64::try_from(*number).ok(),
            Scalar::Signed(number) => Some(*number),
            Scalar::Bool(bit) => return Ok(Value::Bool(*bit)),
            Scalar::Float(number) => return float(times(*number, self.scale * factor)),
            Scalar::Text(text) => return Ok(Value::String(text.clone())),
            Scalar::Bytes(bytes) => return Ok(Value::Bytes(bytes.clone())),
            Scalar::None => None,
        };
        let Some(number) = number else {
            return Err(Fault::NotAValue("the number is over 2^63 - 1".to_owned()));
        };
        if let Some(bit) = self.bit {
            return Ok(Value::Bool(number >> bit & 1 == 1));
        }
        if !self.names.is_empty() {
            let name = self.names.get(&number);
            let nameless = || Fault::NotAValue(format!("the device gives {number}, which has no name"));
            return name.map(|name| Value::String(name.clone())).ok_or_else(nameless);
        }
        let scale = self.scale * factor;
        if self.scale == 1.0 && self.formatting.is_none() {
            Ok(Value::Int(number))
        } else {
            float(times(number as f64, scale))
        }
    }

    /// What is to be written for a value.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when the attribute cannot hold it.
    pub fn encode(&self, value: &Value, factor: f64) -> Result<Scalar, Fault> {
        let wrong = || Fault::Unsuitable(format!("an attribute of type {} cannot hold {value}", self.kind));
        let number = match value {
            Value::String(name) if !self.names.is_empty() => {
                let found = self.names.iter().find(|(_, other)| *other == name);
                found.map(|(number, _)| *number as f64).ok_or_else(wrong)?
            }
            Value::Bool(bit) => match self.kind.shape() {
                Some(Shape::Bool) => return Ok(Scalar::Bool(*bit)),
                _ => f64::from(u8::from(*bit)),
            },
            Value::Int(number) => *number as f64,
            Value::Float(number) => number.get(),
            Value::String(text) => return fits(Scalar::Text(text.clone()), self.kind, wrong),
            Value::Bytes(bytes) => return fits(Scalar::Bytes(bytes.clone()), self.kind, wrong),
            Value::Json(_) => return Err(wrong()),
        };
        let raw = number / (self.scale * factor);
        let scalar = match self.kind.shape() {
            Some(Shape::Bool) if raw == 0.0 || raw == 1.0 => Scalar::Bool(raw == 1.0),
            Some(Shape::Float(_)) => Scalar::Float(raw),
            Some(Shape::Signed(_)) if raw.abs() < 9.0e18 => Scalar::Signed(raw.round() as i64),
            Some(Shape::Bits(_) | Shape::Unsigned(_) | Shape::Choice(_))
                if (0.0..1.8e19).contains(&raw.round()) =>
            {
                Scalar::Unsigned(raw.round() as u64)
            }
            _ => return Err(wrong()),
        };
        let is_whole = !self.names.is_empty() || self.scale != 1.0 || factor != 1.0 || raw.fract() == 0.0;
        if !is_whole && !matches!(scalar, Scalar::Float(_)) {
            return Err(wrong());
        }
        fits(scalar, self.kind, wrong)
    }

    /// The least change that is reported, as a number of the device.
    #[must_use]
    pub fn raw_change(&self, factor: f64) -> Option<Scalar> {
        let raw = (self.change / (self.scale * factor)).abs();
        match self.kind.shape()? {
            Shape::Unsigned(_) => Some(Scalar::Unsigned(raw.round() as u64)),
            Shape::Signed(_) => Some(Scalar::Signed(raw.round() as i64)),
            Shape::Float(_) => Some(Scalar::Float(raw)),
            Shape::Nothing
            | Shape::Bool
            | Shape::Bits(_)
            | Shape::Choice(_)
            | Shape::Bytes(_)
            | Shape::Text(_)
            | Shape::Opaque(_)
            | Shape::Array
            | Shape::Structure => None,
        }
    }
}

/// Whether a value of one type may stand for the other: makers are not strict between numbers and bits.
fn is_alike(found: TypeId, wanted: TypeId) -> bool {
    let class = |kind: TypeId| {
        Some(match kind.shape()? {
            Shape::Bool => 0,
            Shape::Bits(_) | Shape::Unsigned(_) | Shape::Signed(_) | Shape::Choice(_) => 1,
            Shape::Float(_) => 2,
            Shape::Text(_) => 3,
            Shape::Bytes(_) | Shape::Opaque(_) | Shape::Array | Shape::Structure => 4,
            Shape::Nothing => return None,
        })
    };
    class(found).is_some() && class(found) == class(wanted)
}

/// Multiplies; by a division where that gives the number that people write: 2207 * 0.01 is not quite 22.07.
fn times(number: f64, scale: f64) -> f64 {
    let inverse = (1.0 / scale).round();
    if inverse >= 1.0 && (1.0 / inverse - scale).abs() <= scale.abs() * 1e-12 {
        number / inverse
    } else {
        number * scale
    }
}

fn float(number: f64) -> Result<Value, Fault> {
    Value::float(number).map_err(|error| Fault::NotAValue(error.to_string()))
}

fn fits(scalar: Scalar, kind: TypeId, wrong: impl FnOnce() -> Fault) -> Result<Scalar, Fault> {
    if scalar.put(kind, &mut Vec::new()) { Ok(scalar) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::point::Point;

    fn resolved(cluster: &str, attribute: &str) -> Resolved {
        Point::named(cluster, attribute).resolve(1).unwrap()
    }

    #[test]
    fn numbers_become_what_people_write() {
        let temperature = resolved("temperature", "measured_value");
        let decoded = temperature.decode(TypeId::INT16, &Scalar::Signed(2207), 1.0);
        assert_eq!(decoded, Ok(Value::float(22.07).unwrap()));
        let battery = resolved("power_configuration", "battery_percentage_remaining");
        assert_eq!(
            battery.decode(TypeId::UINT8, &Scalar::Unsigned(199), 1.0),
            Ok(Value::float(99.5).unwrap())
        );
        let alarm = resolved("ias_zone", "battery_low");
        assert_eq!(alarm.decode(TypeId::BITMAP16, &Scalar::Unsigned(8), 1.0), Ok(Value::Bool(true)));
        let power = resolved("electrical_measurement", "active_power");
        assert_eq!(power.decode(TypeId::INT16, &Scalar::Signed(421), 0.1), Ok(Value::float(42.1).unwrap()));
        let level = resolved("level", "current_level");
        assert_eq!(level.decode(TypeId::UINT8, &Scalar::Unsigned(77), 1.0), Ok(Value::Int(77)));
        assert!(level.decode(TypeId::UINT8, &Scalar::None, 1.0).is_err());
        assert!(level.decode(TypeId::TEXT, &Scalar::Text("77".into()), 1.0).is_err());
    }

    #[test]
    fn what_an_attribute_cannot_hold_is_unsuitable() {
        let setpoint = resolved("thermostat", "occupied_heating_setpoint");
        let float = |number| Value::float(number).unwrap();
        assert_eq!(setpoint.encode(&float(22.5), 1.0), Ok(Scalar::Signed(2250)));
        assert!(matches!(setpoint.encode(&float(1_000.0), 1.0), Err(Fault::Unsuitable(_))));
        let mode = resolved("thermostat", "system_mode");
        assert_eq!(mode.encode(&Value::Int(4), 1.0), Ok(Scalar::Unsigned(4)));
        assert!(mode.encode(&Value::Int(-1), 1.0).is_err());
        assert!(mode.encode(&float(1.5), 1.0).is_err());
        assert!(mode.encode(&Value::String("heat".into()), 1.0).is_err());
        assert_eq!(setpoint.raw_change(1.0), Some(Scalar::Signed(10)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(raw in -32_767i64..=32_767) {
            let setpoint = resolved("thermostat", "occupied_heating_setpoint");
            let value = setpoint.decode(TypeId::INT16, &Scalar::Signed(raw), 1.0).unwrap();
            prop_assert_eq!(setpoint.encode(&value, 1.0), Ok(Scalar::Signed(raw)));
        }
    }
}
