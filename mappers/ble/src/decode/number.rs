//! Numbers: their bytes, their bits, their names, and their scale.

use mapper_sdk::Fault;
use twin_core::Value;

use crate::decode::{Codec, Kind, Part, Patch};
use crate::point::Order;

impl Codec {
    /// The bits of `bytes`, at most eight of them.
    pub(super) fn wide(&self, bytes: &[u8]) -> u64 {
        let add = |wide: u64, byte: &u8| wide << 8 | u64::from(*byte);
        match self.order {
            Order::Big => bytes.iter().fold(0, add),
            Order::Little => bytes.iter().rev().fold(0, add),
        }
    }

    /// The lowest bits of `wide` as so many bytes.
    pub(super) fn spread(&self, wide: u64, bytes: usize) -> Vec<u8> {
        let little = wide.to_le_bytes();
        let mut own = little[..bytes.min(8)].to_vec();
        if self.order == Order::Big {
            own.reverse();
        }
        own
    }

    /// The bits that belong to the value.
    fn bits(&self) -> Part {
        let all = Part { first: 0, count: self.kind.width().map_or(64, |bytes| 8 * bytes as u32) };
        self.part.unwrap_or(all)
    }

    /// The least and the most that the bits can hold; none where they hold no whole number.
    #[must_use]
    pub fn bounds(&self) -> Option<(i128, i128)> {
        let count = self.bits().count;
        match self.kind {
            Kind::Flag => Some((0, 1)),
            Kind::Integer { signed: true, .. } if count > 1 => {
                Some((-(1i128 << (count - 1)), (1i128 << (count - 1)) - 1))
            }
            Kind::Integer { .. } => Some((0, (1i128 << count) - 1)),
            Kind::Float16
            | Kind::Float32
            | Kind::Float64
            | Kind::Medfloat16
            | Kind::Medfloat32
            | Kind::Text(_)
            | Kind::Bytes(_)
            | Kind::Measured(_) => None,
        }
    }

    pub(super) fn integer(&self, own: &[u8]) -> Result<Value, Fault> {
        let Part { first, count } = self.bits();
        let field = self.wide(own) >> first & ones(count);
        let is_negative = self.bounds().is_some_and(|(least, _)| least < 0) && field >> (count - 1) == 1;
        let number = i128::from(field) - if is_negative { 1i128 << count } else { 0 };
        let number = i64::try_from(number).map_err(|_| {
            Fault::NotAValue(format!("{number} is more than a value can hold ({})", i64::MAX))
        })?;
        if count == 1 && self.names.is_empty() && !self.is_scaled() {
            return Ok(Value::Bool(number != 0));
        }
        self.whole(number)
    }

    pub(super) fn flag(&self, flag: bool) -> Result<Value, Fault> {
        if self.names.is_empty() { Ok(Value::Bool(flag)) } else { self.named(i64::from(flag)) }
    }

    pub(super) fn whole(&self, number: i64) -> Result<Value, Fault> {
        if self.unknown.contains(&number) {
            return Err(Fault::NotAValue("the device says that the value is not known".into()));
        }
        if !self.names.is_empty() {
            self.named(number)
        } else if self.is_scaled() {
            self.float(number as f64)
        } else {
            Ok(Value::Int(number))
        }
    }

    pub(super) fn float(&self, number: f64) -> Result<Value, Fault> {
        let mut result =
            scaled(scaled(number, self.step), self.scale.unwrap_or(1.0)) + self.offset.unwrap_or(0.0);
        if let Some(decimals) = self.precision {
            let parts = 10f64.powi(i32::from(decimals));
            let rounded = (result * parts).round() / parts;
            // A number so large that it overflows here has no decimals to lose.
            result = if rounded.is_finite() { rounded } else { result };
        }
        Value::float(result).map_err(|_| Fault::NotAValue(format!("the bytes hold {number}")))
    }

    /// The number that the bytes must hold.
    pub(super) fn raw(&self, value: &Value) -> Result<f64, Fault> {
        let number = value.as_number().filter(|_| !matches!(value, Value::Bool(_)));
        let number = number.ok_or_else(|| Fault::Unsuitable(format!("{value} is not a number")))?;
        let raw = (number - self.offset.unwrap_or(0.0)) / self.scale.unwrap_or(1.0) / self.step;
        if raw.is_finite() { Ok(raw) } else { Err(Fault::Unsuitable(format!("{value} is too large"))) }
    }

    /// What has to be written for a whole number.
    pub(super) fn patch_of(&self, value: &Value, bytes: usize) -> Result<Patch, Fault> {
        let exact = match value {
            Value::Bool(bit) if self.bits().count == 1 => i128::from(*bit),
            Value::String(_) if !self.names.is_empty() => i128::from(self.number_of(value)?),
            Value::Int(number) if !self.is_scaled() => i128::from(*number),
            Value::Int(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Json(_) => {
                let raw = self.raw(value)?;
                if !self.is_scaled() && raw.fract() != 0.0 {
                    return Err(Fault::Unsuitable(format!("{value} is not a whole number")));
                }
                raw.round() as i128
            }
        };
        let (least, most) = self.bounds().unwrap_or_default();
        if exact < least || exact > most {
            return Err(Fault::Unsuitable(format!(
                "{exact} is not between {least} and {most}, as the bytes need"
            )));
        }
        let Part { first, count } = self.bits();
        let field = (exact as u64 & ones(count)) << first;
        if self.part.is_none() {
            return Ok(Patch::whole(self.at, self.spread(field, bytes), false));
        }
        Ok(Patch::part(self.at, self.spread(field, bytes), self.spread(ones(count) << first, bytes)))
    }

    pub(super) fn flag_of(&self, value: &Value) -> Result<bool, Fault> {
        if !self.names.is_empty() {
            return Ok(self.number_of(value)? != 0);
        }
        match value {
            Value::Bool(bit) => Ok(*bit),
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Bytes(_) | Value::Json(_) => {
                Err(Fault::Unsuitable(format!("{value} is not true or false")))
            }
        }
    }

    /// What the number is called.
    fn named(&self, number: i64) -> Result<Value, Fault> {
        let name = self.names.get(&number).cloned();
        name.map(Value::String)
            .ok_or_else(|| Fault::NotAValue(format!("the bytes hold {number}, which has no name")))
    }

    /// The number with this name.
    fn number_of(&self, value: &Value) -> Result<i64, Fault> {
        let Value::String(wanted) = value else {
            return Err(Fault::Unsuitable(format!("{value} is not a name")));
        };
        let found = self.names.iter().find(|(_, name)| *name == wanted);
        found.map(|(number, _)| *number).ok_or_else(|| {
            let names: Vec<&str> = self.names.values().map(String::as_str).collect();
            Fault::Unsuitable(format!("`{wanted}` is none of: {}", names.join(", ")))
        })
    }
}

/// So many ones, at most 64.
fn ones(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// `number * scale`, without the dust that a scale such as 0.01 leaves, which has no exact binary form: 2150 hundredths
/// are 21.5, not 21.500000000000004.
fn scaled(number: f64, scale: f64) -> f64 {
    let parts = (1.0 / scale).round();
    if scale.abs() < 1.0 && parts.abs() < 1e15 && 1.0 / parts == scale {
        number / parts
    } else {
        number * scale
    }
}

/// The number in two bytes of IEEE 754 (binary16).
pub(super) fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    }
}

/// The nearest number in two bytes.
pub(super) fn to_half(number: f64) -> Result<u16, Fault> {
    let sign = if number.is_sign_negative() { 0x8000 } else { 0 };
    let magnitude = number.abs();
    if magnitude >= 65_520.0 {
        return Err(Fault::Unsuitable(format!("{number} does not fit float16")));
    }
    // All positive numbers are in the order of their bits.
    let (mut low, mut high) = (0u16, 0x7C00u16);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if half(middle) <= magnitude { low = middle } else { high = middle }
    }
    let next = half(high);
    let nearer = next.is_finite() && next - magnitude < magnitude - half(low);
    Ok(sign | if nearer { high } else { low })
}
