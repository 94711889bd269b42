//! Registers to values and back.

use mapper_sdk::Fault;
use twin_core::{Value, ValueType};

use crate::point::{DataType, Order};

/// What the bits or registers of a point mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Codec {
    /// The type.
    pub kind: Kind,
    /// Which byte of a register comes first.
    pub byte_order: Order,
    /// Which register comes first.
    pub word_order: Order,
    /// The value is the number times this.
    pub scale: Option<f64>,
    /// Added after `scale`.
    pub offset: Option<f64>,
}

/// How much of a register a point takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One bit of a register, 0 to 15.
    Bit(u8),
    /// Whole registers, or one bit where the area has bits.
    Whole {
        /// The type.
        data_type: DataType,
        /// How many registers a string or bytes takes.
        length: u16,
        /// Whether it is a coil or discrete input.
        in_bit_area: bool,
    },
}

/// The bytes of a number, the highest first, in the last of 8.
type Wide = [u8; 8];

impl Codec {
    /// How many registers (or bits, in a bit area) it takes.
    #[must_use]
    pub fn registers(&self) -> u16 {
        match self.kind {
            Kind::Bit(_) => 1,
            Kind::Whole { data_type, length, .. } => match data_type {
                DataType::Bool | DataType::Int16 | DataType::Uint16 => 1,
                DataType::Int32 | DataType::Uint32 | DataType::Float32 => 2,
                DataType::Int64 | DataType::Uint64 | DataType::Float64 => 4,
                DataType::String | DataType::Bytes => length,
            },
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        let Kind::Whole { data_type, .. } = self.kind else { return ValueType::Bool };
        match data_type {
            DataType::Bool => ValueType::Bool,
            DataType::Float32 | DataType::Float64 => ValueType::Float,
            DataType::String => ValueType::String,
            DataType::Bytes => ValueType::Bytes,
            DataType::Int16
            | DataType::Uint16
            | DataType::Int32
            | DataType::Uint32
            | DataType::Int64
            | DataType::Uint64 => {
                if self.is_scaled() {
                    ValueType::Float
                } else {
                    ValueType::Int
                }
            }
        }
    }

    /// The value of a coil or discrete input.
    #[must_use]
    pub fn decode_bit(&self, bit: bool) -> Value {
        Value::Bool(bit)
    }

    /// The value in `registers`.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when they hold none, for example NaN.
    pub fn decode(&self, registers: &[u16]) -> Result<Value, Fault> {
        if registers.len() != usize::from(self.registers()) {
            return Err(Fault::Protocol(format!(
                "{} registers in place of {}",
                registers.len(),
                self.registers()
            )));
        }
        let data_type = match self.kind {
            Kind::Bit(bit) => return Ok(Value::Bool(self.swapped(registers[0]) >> bit & 1 == 1)),
            Kind::Whole { data_type, .. } => data_type,
        };
        match data_type {
            DataType::Bool => Ok(Value::Bool(registers[0] != 0)),
            DataType::Int16 => self.integer(i64::from(self.swapped(registers[0]) as i16)),
            DataType::Uint16 => self.integer(i64::from(self.swapped(registers[0]))),
            DataType::Int32 => self.integer(i64::from(self.wide(registers) as u32 as i32)),
            DataType::Uint32 => self.integer(i64::from(self.wide(registers) as u32)),
            DataType::Int64 => self.integer(self.wide(registers) as i64),
            DataType::Uint64 => {
                let number = self.wide(registers);
                let small = i64::try_from(number).map_err(|_| {
                    Fault::NotAValue(format!("{number} is more than a value can hold ({})", i64::MAX))
                })?;
                self.integer(small)
            }
            DataType::Float32 => self.float(f64::from(f32::from_bits(self.wide(registers) as u32))),
            DataType::Float64 => self.float(f64::from_bits(self.wide(registers))),
            DataType::String => {
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
            DataType::Bytes => Ok(Value::Bytes(self.bytes(registers))),
        }
    }

    /// Whether a coil is on.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when the value is no bool.
    pub fn encode_bit(&self, value: &Value) -> Result<bool, Fault> {
        match value {
            Value::Bool(bit) => Ok(*bit),
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Bytes(_) | Value::Json(_) => {
                Err(Fault::Unsuitable(format!("{value} is not true or false")))
            }
        }
    }

    /// The mask of a point that is one bit of a register.
    #[must_use]
    pub fn bit_mask(&self) -> Option<u16> {
        match self.kind {
            Kind::Bit(bit) => Some(self.swapped(1 << bit)),
            Kind::Whole { .. } => None,
        }
    }

    /// The registers that hold `value`: the inverse of [`decode`](Self::decode).
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when they cannot hold it.
    pub fn encode(&self, value: &Value) -> Result<Vec<u16>, Fault> {
        let data_type = match self.kind {
            Kind::Bit(_) => {
                return Ok(vec![if self.encode_bit(value)? { self.bit_mask().unwrap_or(0) } else { 0 }]);
            }
            Kind::Whole { data_type, .. } => data_type,
        };
        let words = usize::from(self.registers());
        match data_type {
            DataType::Bool => Ok(vec![u16::from(self.encode_bit(value)?)]),
            DataType::Int16 => self.whole(value, "int16", i16::MIN.into(), i16::MAX.into()),
            DataType::Uint16 => self.whole(value, "uint16", 0, u16::MAX.into()),
            DataType::Int32 => self.whole(value, "int32", i32::MIN.into(), i32::MAX.into()),
            DataType::Uint32 => self.whole(value, "uint32", 0, u32::MAX.into()),
            DataType::Int64 => self.whole(value, "int64", i64::MIN.into(), i64::MAX.into()),
            DataType::Uint64 => self.whole(value, "uint64", 0, u64::MAX.into()),
            DataType::Float32 => {
                let number = self.raw(value)?;
                let small = number as f32;
                if !small.is_finite() {
                    return Err(Fault::Unsuitable(format!("{value} does not fit float32")));
                }
                Ok(self.spread(u64::from(small.to_bits()), words))
            }
            DataType::Float64 => Ok(self.spread(self.raw(value)?.to_bits(), words)),
            DataType::String => {
                let Value::String(text) = value else {
                    return Err(Fault::Unsuitable(format!("{value} is not a text")));
                };
                if text.contains('\0') {
                    return Err(Fault::Unsuitable("a text in registers cannot hold a zero byte".into()));
                }
                self.fill(text.as_bytes(), words)
            }
            DataType::Bytes => match value {
                Value::Bytes(bytes) if bytes.len() == words * 2 => self.fill(bytes, words),
                Value::Bytes(bytes) => Err(Fault::Unsuitable(format!(
                    "{} bytes are not the {} of the point",
                    bytes.len(),
                    words * 2
                ))),
                Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Json(_) => {
                    Err(Fault::Unsuitable(format!("{value} is not bytes")))
                }
            },
        }
    }

    fn is_scaled(&self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    fn swapped(&self, register: u16) -> u16 {
        match self.byte_order {
            Order::Big => register,
            Order::Little => register.swap_bytes(),
        }
    }

    /// The number in up to four registers.
    fn wide(&self, registers: &[u16]) -> u64 {
        let join = |number: u64, register: &u16| number << 16 | u64::from(self.swapped(*register));
        match self.word_order {
            Order::Big => registers.iter().fold(0, join),
            Order::Little => registers.iter().rev().fold(0, join),
        }
    }

    /// The inverse of [`wide`](Self::wide).
    fn spread(&self, number: u64, words: usize) -> Vec<u16> {
        let bytes: Wide = number.to_be_bytes();
        let high_first = bytes[8 - 2 * words..].as_chunks::<2>().0.iter();
        let word = |pair: &[u8; 2]| self.swapped(u16::from_be_bytes(*pair));
        match self.word_order {
            Order::Big => high_first.map(word).collect(),
            Order::Little => high_first.rev().map(word).collect(),
        }
    }

    fn bytes(&self, registers: &[u16]) -> Vec<u8> {
        let word = |register: &u16| self.swapped(*register).to_be_bytes();
        match self.word_order {
            Order::Big => registers.iter().flat_map(word).collect(),
            Order::Little => registers.iter().rev().flat_map(word).collect(),
        }
    }

    fn fill(&self, bytes: &[u8], words: usize) -> Result<Vec<u16>, Fault> {
        if bytes.len() > words * 2 {
            return Err(Fault::Unsuitable(format!(
                "{} bytes do not fit the {} of the point",
                bytes.len(),
                words * 2
            )));
        }
        let mut padded = bytes.to_vec();
        padded.resize(words * 2, 0);
        let mut registers: Vec<u16> =
            padded.as_chunks::<2>().0.iter().map(|pair| self.swapped(u16::from_be_bytes(*pair))).collect();
        if self.word_order == Order::Little {
            registers.reverse();
        }
        Ok(registers)
    }

    fn integer(&self, number: i64) -> Result<Value, Fault> {
        if self.is_scaled() { self.float(number as f64) } else { Ok(Value::Int(number)) }
    }

    fn float(&self, number: f64) -> Result<Value, Fault> {
        let result = if self.is_scaled() {
            scaled(number, self.scale.unwrap_or(1.0)) + self.offset.unwrap_or(0.0)
        } else {
            number
        };
        Value::float(result).map_err(|_| Fault::NotAValue(format!("the registers hold {number}")))
    }

    /// The number that the registers must hold.
    fn raw(&self, value: &Value) -> Result<f64, Fault> {
        let number = value.as_number().filter(|_| !matches!(value, Value::Bool(_)));
        let number = number.ok_or_else(|| Fault::Unsuitable(format!("{value} is not a number")))?;
        let raw = if self.is_scaled() {
            (number - self.offset.unwrap_or(0.0)) / self.scale.unwrap_or(1.0)
        } else {
            number
        };
        if raw.is_finite() { Ok(raw) } else { Err(Fault::Unsuitable(format!("{value} is too large"))) }
    }

    fn whole(&self, value: &Value, name: &str, least: i128, most: i128) -> Result<Vec<u16>, Fault> {
        let exact = match value {
            Value::Int(number) if !self.is_scaled() => i128::from(*number),
            Value::Int(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Json(_) => {
                let raw = self.raw(value)?;
                if !self.is_scaled() && raw.fract() != 0.0 {
                    return Err(Fault::Unsuitable(format!("{value} is not a whole number, as {name} needs")));
                }
                raw.round() as i128
            }
        };
        if exact < least || exact > most {
            return Err(Fault::Unsuitable(if self.is_scaled() {
                format!("{value} does not fit {name}: with scale and offset it would be {exact}")
            } else {
                format!("does not fit {name}: {exact}")
            }));
        }
        Ok(self.spread(exact as u64, usize::from(self.registers())))
    }
}

/// `number * scale`, without the dust that a scale such as 0.1 leaves, which has no exact binary form: 213 tenths are
/// 21.3, not 21.300000000000001.
fn scaled(number: f64, scale: f64) -> f64 {
    let parts = (1.0 / scale).round();
    if scale.abs() < 1.0 && parts.abs() < 1e15 && 1.0 / parts == scale {
        number / parts
    } else {
        number * scale
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
