//! Registers to values and back.

mod number;
mod order;

use std::collections::BTreeMap;

use mapper_sdk::Fault;
use twin_core::{Value, ValueType};

use crate::point::Order;

/// What the bits or registers of a point mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Codec {
    /// How much of the registers it takes, and what is in there.
    pub kind: Kind,
    /// Which byte of a register comes first.
    pub byte_order: Order,
    /// Which register comes first.
    pub word_order: Order,
    /// The value is the number times this.
    pub scale: Option<f64>,
    /// Added after `scale`.
    pub offset: Option<f64>,
    /// How many decimals the value keeps, 0 to 9.
    pub precision: Option<u8>,
    /// What the numbers are called; where there are names, the values are texts.
    pub names: BTreeMap<i64, String>,
}

/// How much of the registers a point takes, and what is in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A coil, a discrete input, or a register that is true when it is not zero.
    Flag,
    /// One bit of a register, 0 to 15.
    Bit(u8),
    /// One byte of a register.
    Byte {
        /// Whether it is the high one.
        high: bool,
        /// Whether it has a sign.
        signed: bool,
    },
    /// A whole number.
    Integer {
        /// How many registers: 1, 2 or 4.
        words: u16,
        /// Whether it has a sign.
        signed: bool,
    },
    /// Four decimal digits in each register.
    Bcd {
        /// How many registers: 1 or 2.
        words: u16,
    },
    /// IEEE 754 in two registers.
    Float32,
    /// IEEE 754 in four registers.
    Float64,
    /// UTF-8 text.
    Text {
        /// How many registers.
        words: u16,
    },
    /// Bytes as they are.
    Bytes {
        /// How many registers.
        words: u16,
    },
}

impl Kind {
    /// Whether it holds a number, which can be scaled.
    #[must_use]
    pub fn is_number(self) -> bool {
        match self {
            Self::Byte { .. } | Self::Integer { .. } | Self::Bcd { .. } | Self::Float32 | Self::Float64 => {
                true
            }
            Self::Flag | Self::Bit(_) | Self::Text { .. } | Self::Bytes { .. } => false,
        }
    }
}

impl Codec {
    /// How many registers (or bits, in a bit area) it takes.
    #[must_use]
    pub fn registers(&self) -> u16 {
        match self.kind {
            Kind::Flag | Kind::Bit(_) | Kind::Byte { .. } => 1,
            Kind::Float32 => 2,
            Kind::Float64 => 4,
            Kind::Integer { words, .. }
            | Kind::Bcd { words }
            | Kind::Text { words }
            | Kind::Bytes { words } => words,
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        if !self.names.is_empty() {
            return ValueType::String;
        }
        match self.kind {
            Kind::Flag | Kind::Bit(_) => ValueType::Bool,
            Kind::Float32 | Kind::Float64 => ValueType::Float,
            Kind::Text { .. } => ValueType::String,
            Kind::Bytes { .. } => ValueType::Bytes,
            Kind::Byte { .. } | Kind::Integer { .. } | Kind::Bcd { .. } => {
                if self.is_scaled() {
                    ValueType::Float
                } else {
                    ValueType::Int
                }
            }
        }
    }

    /// Which bits of the register belong to a point that is a part of one.
    #[must_use]
    pub fn mask(&self) -> Option<u16> {
        match self.kind {
            Kind::Bit(bit) => Some(self.swapped(1 << bit)),
            Kind::Byte { high, .. } => Some(self.swapped(if high { 0xFF00 } else { 0x00FF })),
            Kind::Flag
            | Kind::Integer { .. }
            | Kind::Bcd { .. }
            | Kind::Float32
            | Kind::Float64
            | Kind::Text { .. }
            | Kind::Bytes { .. } => None,
        }
    }

    /// The value of a coil or discrete input.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when its state has no name where others have.
    pub fn decode_bit(&self, bit: bool) -> Result<Value, Fault> {
        if self.names.is_empty() { Ok(Value::Bool(bit)) } else { self.named(i64::from(bit)) }
    }

    /// The value in `registers`.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when they hold none, for example NaN.
    pub fn decode(&self, registers: &[u16]) -> Result<Value, Fault> {
        let words = usize::from(self.registers());
        if registers.len() != words {
            return Err(Fault::Protocol(format!("{} registers in place of {words}", registers.len())));
        }
        match self.kind {
            Kind::Flag => self.decode_bit(registers[0] != 0),
            Kind::Bit(bit) => self.decode_bit(self.swapped(registers[0]) >> bit & 1 == 1),
            Kind::Byte { .. } | Kind::Integer { .. } | Kind::Bcd { .. } => {
                self.integer(self.whole_in(registers)?)
            }
            Kind::Float32 => self.float(f64::from(f32::from_bits(self.wide(registers) as u32))),
            Kind::Float64 => self.float(f64::from_bits(self.wide(registers))),
            Kind::Text { .. } => {
                let mut bytes = self.bytes(registers);
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                bytes.truncate(end);
                let text = String::from_utf8(bytes).map_err(|_| {
                    Fault::NotAValue(
                        "the registers hold no UTF-8 text: check byte_order, or use type: bytes".into(),
                    )
                })?;
                Ok(Value::String(text.trim_end_matches(' ').to_owned()))
            }
            Kind::Bytes { .. } => Ok(Value::Bytes(self.bytes(registers))),
        }
    }

    /// Whether a coil is on.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when the value is no bool, nor a name for one.
    pub fn encode_bit(&self, value: &Value) -> Result<bool, Fault> {
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

    /// The registers that hold `value`: the inverse of [`decode`](Self::decode). The bits outside the
    /// [`mask`](Self::mask) are zero.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when they cannot hold it.
    pub fn encode(&self, value: &Value) -> Result<Vec<u16>, Fault> {
        let words = usize::from(self.registers());
        match self.kind {
            Kind::Flag => Ok(vec![u16::from(self.encode_bit(value)?)]),
            Kind::Bit(bit) => Ok(vec![self.swapped(u16::from(self.encode_bit(value)?) << bit)]),
            Kind::Byte { .. } | Kind::Integer { .. } | Kind::Bcd { .. } => self.whole(value),
            Kind::Float32 => {
                let small = self.raw(value)? as f32;
                if !small.is_finite() {
                    return Err(Fault::Unsuitable(format!("{value} does not fit float32")));
                }
                Ok(self.spread(u64::from(small.to_bits()), words))
            }
            Kind::Float64 => Ok(self.spread(self.raw(value)?.to_bits(), words)),
            Kind::Text { .. } => {
                let Value::String(text) = value else {
                    return Err(Fault::Unsuitable(format!("{value} is not a text")));
                };
                if text.contains('\0') {
                    return Err(Fault::Unsuitable("a text in registers cannot hold a zero byte".into()));
                }
                self.fill(text.as_bytes(), words)
            }
            Kind::Bytes { .. } => match value {
                Value::Bytes(bytes) if bytes.len() == words * 2 => self.fill(bytes, words),
                Value::Bytes(bytes) => {
                    let (found, wanted) = (bytes.len(), words * 2);
                    Err(Fault::Unsuitable(format!("{found} bytes are not the {wanted} of the point")))
                }
                Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Json(_) => {
                    Err(Fault::Unsuitable(format!("{value} is not bytes")))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
