//! Numbers: whole ones in binary and in decimal digits, their names, and their scale.

use mapper_sdk::Fault;
use twin_core::Value;

use crate::codec::{Codec, Kind};

impl Kind {
    /// The least and the most that a whole number or a bit can be; none for all else.
    #[must_use]
    pub fn bounds(self) -> Option<(i128, i128)> {
        let of = |bits: u32, signed: bool| {
            if signed {
                (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
            } else {
                (0, (1i128 << bits) - 1)
            }
        };
        match self {
            Self::Flag | Self::Bit(_) => Some((0, 1)),
            Self::Byte { signed, .. } => Some(of(8, signed)),
            Self::Integer { words, signed } => Some(of(16 * u32::from(words), signed)),
            Self::Bcd { words } => Some((0, 10i128.pow(4 * u32::from(words)) - 1)),
            Self::Float32 | Self::Float64 | Self::Text { .. } | Self::Bytes { .. } => None,
        }
    }

    /// Its name in a point.
    fn word(self) -> String {
        match self {
            Self::Byte { signed: true, .. } => "int8".into(),
            Self::Byte { signed: false, .. } => "uint8".into(),
            Self::Integer { words, signed } => {
                format!("{}int{}", if signed { "" } else { "u" }, words * 16)
            }
            Self::Bcd { words } => format!("bcd{}", words * 16),
            Self::Flag
            | Self::Bit(_)
            | Self::Float32
            | Self::Float64
            | Self::Text { .. }
            | Self::Bytes { .. } => "the point".into(),
        }
    }
}

impl Codec {
    /// Whether the value is not the number itself.
    #[must_use]
    pub fn is_scaled(&self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    /// The whole number in `registers`.
    pub(super) fn whole_in(&self, registers: &[u16]) -> Result<i64, Fault> {
        let wide = self.wide(registers);
        match self.kind {
            Kind::Byte { high, signed } => {
                let byte = (if high { wide >> 8 } else { wide }) as u8;
                Ok(if signed { i64::from(byte as i8) } else { i64::from(byte) })
            }
            Kind::Bcd { words } => from_digits(wide, words),
            Kind::Integer { words, signed: true } => {
                let unused = 64 - 16 * u32::from(words);
                Ok((wide as i64) << unused >> unused)
            }
            Kind::Integer { .. }
            | Kind::Flag
            | Kind::Bit(_)
            | Kind::Float32
            | Kind::Float64
            | Kind::Text { .. }
            | Kind::Bytes { .. } => i64::try_from(wide).map_err(|_| {
                Fault::NotAValue(format!("{wide} is more than a value can hold ({})", i64::MAX))
            }),
        }
    }

    pub(super) fn integer(&self, number: i64) -> Result<Value, Fault> {
        if !self.names.is_empty() {
            self.named(number)
        } else if self.is_scaled() {
            self.float(number as f64)
        } else {
            Ok(Value::Int(number))
        }
    }

    pub(super) fn float(&self, number: f64) -> Result<Value, Fault> {
        let mut result = number;
        if self.is_scaled() {
            result = scaled(number, self.scale.unwrap_or(1.0)) + self.offset.unwrap_or(0.0);
        }
        if let Some(decimals) = self.precision {
            let parts = 10f64.powi(i32::from(decimals));
            let rounded = (result * parts).round() / parts;
            // A number so large that it overflows here has no decimals to lose.
            result = if rounded.is_finite() { rounded } else { result };
        }
        Value::float(result).map_err(|_| Fault::NotAValue(format!("the registers hold {number}")))
    }

    /// The number that the registers must hold.
    pub(super) fn raw(&self, value: &Value) -> Result<f64, Fault> {
        let number = value.as_number().filter(|_| !matches!(value, Value::Bool(_)));
        let number = number.ok_or_else(|| Fault::Unsuitable(format!("{value} is not a number")))?;
        let raw = if self.is_scaled() {
            (number - self.offset.unwrap_or(0.0)) / self.scale.unwrap_or(1.0)
        } else {
            number
        };
        if raw.is_finite() { Ok(raw) } else { Err(Fault::Unsuitable(format!("{value} is too large"))) }
    }

    /// The registers that hold a whole number.
    pub(super) fn whole(&self, value: &Value) -> Result<Vec<u16>, Fault> {
        let exact = match value {
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
                    let word = self.kind.word();
                    return Err(Fault::Unsuitable(format!("{value} is not a whole number, as {word} needs")));
                }
                raw.round() as i128
            }
        };
        let (least, most) = self.kind.bounds().unwrap_or_default();
        if exact < least || exact > most {
            let word = self.kind.word();
            return Err(Fault::Unsuitable(if self.is_scaled() {
                format!("{value} does not fit {word}: with scale and offset it would be {exact}")
            } else {
                format!("does not fit {word}: {exact}")
            }));
        }
        let number = match self.kind {
            Kind::Byte { high, .. } => u64::from(exact as u8) << if high { 8 } else { 0 },
            Kind::Bcd { .. } => to_digits(exact as u64),
            Kind::Flag
            | Kind::Bit(_)
            | Kind::Integer { .. }
            | Kind::Float32
            | Kind::Float64
            | Kind::Text { .. }
            | Kind::Bytes { .. } => exact as u64,
        };
        Ok(self.spread(number, usize::from(self.registers())))
    }

    /// What the number is called.
    pub(super) fn named(&self, number: i64) -> Result<Value, Fault> {
        let name = self.names.get(&number).cloned();
        name.map(Value::String)
            .ok_or_else(|| Fault::NotAValue(format!("the registers hold {number}, which has no name")))
    }

    /// The number with this name.
    pub(super) fn number_of(&self, value: &Value) -> Result<i64, Fault> {
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

/// The number whose decimal digits are the groups of four bits.
fn from_digits(wide: u64, words: u16) -> Result<i64, Fault> {
    let mut number = 0;
    for place in (0..4 * u32::from(words)).rev() {
        let digit = wide >> (4 * place) & 0xF;
        if digit > 9 {
            return Err(Fault::NotAValue(format!("the registers hold no decimal digits: {wide:#x}")));
        }
        number = number * 10 + digit as i64;
    }
    Ok(number)
}

fn to_digits(mut number: u64) -> u64 {
    let mut wide = 0;
    for place in 0..16 {
        wide |= (number % 10) << (4 * place);
        number /= 10;
    }
    wide
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
