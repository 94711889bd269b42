//! Bytes of characteristics and advertisements to values and back.

pub mod assigned;
mod measured;
mod medfloat;
mod number;
mod patch;

use std::collections::BTreeMap;

use mapper_sdk::Fault;
use twin_core::{Value, ValueType};

use crate::point::Order;

pub use measured::Measured;
pub use patch::Patch;

/// Where a value lies among the bytes, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Codec {
    /// How much it takes, and what is in there.
    pub kind: Kind,
    /// The first byte, counted from 0.
    pub at: usize,
    /// Which byte of a number comes first.
    pub order: Order,
    /// The bits of a whole number that belong to it; none: all.
    pub part: Option<Part>,
    /// Numbers that stand for "not known".
    pub unknown: &'static [i64],
    /// What the specification of the characteristic multiplies the number by.
    pub step: f64,
    /// The value is that times this.
    pub scale: Option<f64>,
    /// Added after `scale`.
    pub offset: Option<f64>,
    /// How many decimals the value keeps, 0 to 9.
    pub precision: Option<u8>,
    /// What the numbers are called; where there are names, the values are texts.
    pub names: BTreeMap<i64, String>,
}

/// How many bytes a value takes, and what is in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A byte that is true when it is not zero.
    Flag,
    /// A whole number.
    Integer {
        /// How many bytes, 1 to 8.
        bytes: usize,
        /// Whether it has a sign.
        signed: bool,
    },
    /// IEEE 754 in two bytes.
    Float16,
    /// IEEE 754 in four bytes.
    Float32,
    /// IEEE 754 in eight bytes.
    Float64,
    /// IEEE 11073-20601 SFLOAT, two bytes.
    Medfloat16,
    /// IEEE 11073-20601 FLOAT, four bytes.
    Medfloat32,
    /// UTF-8 text, so many bytes or all there are.
    Text(Option<usize>),
    /// Bytes as they are, so many or all there are.
    Bytes(Option<usize>),
    /// One field of a characteristic whose first byte says what is in it.
    Measured(Measured),
}

/// Some bits of a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The lowest one, counted from 0.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Kind {
    /// How many bytes it takes; none when that depends on the bytes.
    #[must_use]
    pub fn width(self) -> Option<usize> {
        match self {
            Self::Flag => Some(1),
            Self::Integer { bytes, .. } => Some(bytes),
            Self::Float16 | Self::Medfloat16 => Some(2),
            Self::Float32 | Self::Medfloat32 => Some(4),
            Self::Float64 => Some(8),
            Self::Text(length) | Self::Bytes(length) => length,
            Self::Measured(_) => None,
        }
    }

    /// Whether it holds a number, which can be scaled.
    #[must_use]
    pub fn is_number(self) -> bool {
        match self {
            Self::Integer { .. }
            | Self::Float16
            | Self::Float32
            | Self::Float64
            | Self::Medfloat16
            | Self::Medfloat32 => true,
            Self::Measured(field) => field.is_number(),
            Self::Flag | Self::Text(_) | Self::Bytes(_) => false,
        }
    }

    /// Whether its numbers have fractions.
    fn is_float(self) -> bool {
        match self {
            Self::Float16 | Self::Float32 | Self::Float64 | Self::Medfloat16 | Self::Medfloat32 => true,
            Self::Measured(field) => field.is_float(),
            Self::Flag | Self::Integer { .. } | Self::Text(_) | Self::Bytes(_) => false,
        }
    }
}

impl Codec {
    /// A value of this kind at the first byte, with nothing else said.
    #[must_use]
    pub fn plain(kind: Kind) -> Self {
        Self {
            kind,
            at: 0,
            order: Order::Little,
            part: None,
            unknown: &[],
            step: 1.0,
            scale: None,
            offset: None,
            precision: None,
            names: BTreeMap::new(),
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        if !self.names.is_empty() {
            return ValueType::String;
        }
        match self.kind {
            Kind::Flag => ValueType::Bool,
            Kind::Text(_) => ValueType::String,
            Kind::Bytes(_) => ValueType::Bytes,
            Kind::Measured(field) if !field.is_number() => ValueType::Bool,
            Kind::Integer { .. } if self.part.is_some_and(|part| part.count == 1) && !self.is_scaled() => {
                ValueType::Bool
            }
            Kind::Integer { .. }
            | Kind::Float16
            | Kind::Float32
            | Kind::Float64
            | Kind::Medfloat16
            | Kind::Medfloat32
            | Kind::Measured(_) => {
                if self.kind.is_float() || self.is_scaled() {
                    ValueType::Float
                } else {
                    ValueType::Int
                }
            }
        }
    }

    /// Whether the value is not the number itself.
    #[must_use]
    pub fn is_scaled(&self) -> bool {
        self.step != 1.0 || self.scale.is_some() || self.offset.is_some()
    }

    /// The value among `bytes`.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when there is none, for example because they are too few.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, Fault> {
        if let Kind::Measured(field) = self.kind {
            return match field.decode(bytes)? {
                measured::Found::Flag(flag) => self.flag(flag),
                measured::Found::Whole(number) => self.whole(number),
                measured::Found::Float(number) => self.float(number),
            };
        }
        let own = self.own(bytes)?;
        match self.kind {
            Kind::Flag => self.flag(own[0] != 0),
            Kind::Integer { .. } => self.integer(own),
            Kind::Float16 => self.float(number::half(self.wide(own) as u16)),
            Kind::Float32 => self.float(f64::from(f32::from_bits(self.wide(own) as u32))),
            Kind::Float64 => self.float(f64::from_bits(self.wide(own))),
            Kind::Medfloat16 => self.float(medfloat::short(self.wide(own) as u16)?),
            Kind::Medfloat32 => self.float(medfloat::long(self.wide(own) as u32)?),
            Kind::Text(_) => {
                let end = own.iter().position(|byte| *byte == 0).unwrap_or(own.len());
                let text = std::str::from_utf8(&own[..end]);
                let text = text.map_err(|_| Fault::NotAValue("the bytes are no UTF-8 text".into()))?;
                Ok(Value::String(text.to_owned()))
            }
            Kind::Bytes(_) | Kind::Measured(_) => Ok(Value::Bytes(own.to_vec())),
        }
    }

    /// What of `bytes` belongs to the value.
    fn own<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        let rest = bytes.get(self.at..);
        let own = match self.kind.width() {
            Some(width) => rest.and_then(|rest| rest.get(..width)),
            None => rest,
        };
        own.ok_or_else(|| {
            let wanted = self.at + self.kind.width().unwrap_or(0);
            Fault::NotAValue(format!("there are {} bytes, the value would end at {wanted}", bytes.len()))
        })
    }

    /// What has to be written for `value`.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when the bytes cannot hold it.
    pub fn encode(&self, value: &Value) -> Result<Patch, Fault> {
        let unsuitable = |what: &str| Fault::Unsuitable(format!("{value} is not {what}"));
        let whole = |bytes: Vec<u8>| Patch::whole(self.at, bytes, self.kind.width().is_none());
        match self.kind {
            Kind::Flag => Ok(whole(vec![u8::from(self.flag_of(value)?)])),
            Kind::Integer { bytes, .. } => self.patch_of(value, bytes),
            Kind::Float16 => Ok(whole(self.spread(u64::from(number::to_half(self.raw(value)?)?), 2))),
            Kind::Float32 => {
                let small = self.raw(value)? as f32;
                if !small.is_finite() {
                    return Err(Fault::Unsuitable(format!("{value} does not fit float32")));
                }
                Ok(whole(self.spread(u64::from(small.to_bits()), 4)))
            }
            Kind::Float64 => Ok(whole(self.spread(self.raw(value)?.to_bits(), 8))),
            Kind::Medfloat16 => Ok(whole(self.spread(u64::from(medfloat::to_short(self.raw(value)?)?), 2))),
            Kind::Medfloat32 => Ok(whole(self.spread(u64::from(medfloat::to_long(self.raw(value)?)?), 4))),
            Kind::Text(length) => {
                let Value::String(text) = value else { return Err(unsuitable("a text")) };
                if text.contains('\0') {
                    return Err(Fault::Unsuitable("a text here cannot hold a zero byte".into()));
                }
                let mut bytes = text.as_bytes().to_vec();
                if let Some(length) = length {
                    if bytes.len() > length {
                        let found = bytes.len();
                        return Err(Fault::Unsuitable(format!("{found} bytes of text do not fit {length}")));
                    }
                    bytes.resize(length, 0);
                }
                Ok(whole(bytes))
            }
            Kind::Bytes(length) => match value {
                Value::Bytes(bytes) if length.is_none_or(|length| length == bytes.len()) => {
                    Ok(whole(bytes.clone()))
                }
                Value::Bytes(bytes) => {
                    let wanted = length.unwrap_or_default();
                    Err(Fault::Unsuitable(format!("{} bytes are not the {wanted} of the point", bytes.len())))
                }
                Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Json(_) => {
                    Err(unsuitable("bytes"))
                }
            },
            Kind::Measured(_) => Err(Fault::Refused("what a device measures can only be read".into())),
        }
    }
}

#[cfg(test)]
mod tests;
