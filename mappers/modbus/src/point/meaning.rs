//! What the registers of a point mean, and which of its words go together.

use std::collections::BTreeSet;

use config::CheckFault;

use crate::codec::{Codec, Kind};
use crate::point::{Area, Byte, DataType, Number, Point};

/// The most registers that one request can write.
const MOST_WRITTEN: u16 = 123;
/// The most decimals that a value can be rounded to.
const MOST_DECIMALS: u8 = 9;

fn fault<T>(field: &str, message: &str, hint: &str) -> Result<T, CheckFault> {
    Err(CheckFault::new(field, message, hint))
}

impl Point {
    /// The codec of the point in `area`.
    pub(super) fn codec(&self, area: Area) -> Result<Codec, CheckFault> {
        let codec = Codec {
            kind: self.kind(area)?,
            byte_order: self.byte_order,
            word_order: self.word_order,
            scale: self.scale.map(|n| n.0),
            offset: self.offset.map(|n| n.0),
            precision: self.precision,
            names: self.names.clone(),
        };
        self.check_scaling(&codec)?;
        self.check_names(&codec)?;
        Ok(codec)
    }

    fn kind(&self, area: Area) -> Result<Kind, CheckFault> {
        let other_than_bool = self.data_type.is_some_and(|t| t != DataType::Bool);
        if area.is_bits() && self.bit.is_some() {
            return fault("bit", "a coil or discrete input is one bit", "take out `bit`");
        }
        if area.is_bits() && other_than_bool {
            return fault("type", "a coil or discrete input is a bool", "take out `type`");
        }
        if self.bit.is_some_and(|bit| bit > 15) {
            return fault("bit", "a register has the bits 0 to 15", "write 0 (lowest) to 15 (highest)");
        }
        if self.bit.is_some() && other_than_bool {
            return fault("type", "one bit of a register is a bool", "take out `type` or `bit`");
        }
        let bits = area.is_bits() || self.bit.is_some();
        let data_type = self.data_type.unwrap_or(if bits { DataType::Bool } else { DataType::Uint16 });
        let words = self.length(data_type)?;
        let is_byte = matches!(data_type, DataType::Int8 | DataType::Uint8);
        if is_byte && self.byte.is_none() {
            return fault(
                "type",
                "it does not say which byte of the register",
                "write `byte: high` or `low`",
            );
        }
        if !is_byte && self.byte.is_some() {
            return fault("byte", "only an int8 or uint8 is one byte of a register", "take out `byte`");
        }
        let high = self.byte == Some(Byte::High);
        Ok(match data_type {
            DataType::Bool => self.bit.map_or(Kind::Flag, Kind::Bit),
            DataType::Int8 => Kind::Byte { high, signed: true },
            DataType::Uint8 => Kind::Byte { high, signed: false },
            DataType::Int16 => Kind::Integer { words: 1, signed: true },
            DataType::Uint16 => Kind::Integer { words: 1, signed: false },
            DataType::Int32 => Kind::Integer { words: 2, signed: true },
            DataType::Uint32 => Kind::Integer { words: 2, signed: false },
            DataType::Int64 => Kind::Integer { words: 4, signed: true },
            DataType::Uint64 => Kind::Integer { words: 4, signed: false },
            DataType::Bcd16 => Kind::Bcd { words: 1 },
            DataType::Bcd32 => Kind::Bcd { words: 2 },
            DataType::Float32 => Kind::Float32,
            DataType::Float64 => Kind::Float64,
            DataType::String => Kind::Text { words },
            DataType::Bytes => Kind::Bytes { words },
        })
    }

    /// How many registers a string or bytes takes; 0 for all else.
    fn length(&self, data_type: DataType) -> Result<u16, CheckFault> {
        let counted = matches!(data_type, DataType::String | DataType::Bytes);
        match self.length {
            None if counted => {
                fault("type", "a string or bytes needs a length", "write length: N, in registers")
            }
            Some(_) if !counted => {
                fault("length", "only a string or bytes has a length", "take out `length`")
            }
            Some(length) if !(1..=MOST_WRITTEN).contains(&length) => {
                fault("length", "the length is not between 1 and 123 registers", "check the manual")
            }
            Some(_) | None => Ok(self.length.unwrap_or(0)),
        }
    }

    fn check_scaling(&self, codec: &Codec) -> Result<(), CheckFault> {
        for (field, number) in [("scale", self.scale), ("offset", self.offset)] {
            let Some(Number(number)) = number else { continue };
            if !codec.kind.is_number() {
                return fault(field, "only a number can be scaled", "take it out");
            }
            if !number.is_finite() || (field == "scale" && number == 0.0) {
                return fault(field, "it must be a finite number, and a scale not zero", "write a number");
            }
        }
        let Some(decimals) = self.precision else { return Ok(()) };
        if decimals > MOST_DECIMALS {
            return fault("precision", "a value keeps 0 to 9 decimals", "write 0 to 9");
        }
        let fractions = matches!(codec.kind, Kind::Float32 | Kind::Float64) || codec.is_scaled();
        if !fractions {
            return fault("precision", "a whole number has no decimals", "take out `precision`");
        }
        Ok(())
    }

    fn check_names(&self, codec: &Codec) -> Result<(), CheckFault> {
        if self.names.is_empty() {
            return Ok(());
        }
        let Some((least, most)) = codec.kind.bounds() else {
            return fault("enum", "only a whole number or a bit can have names", "take out `enum`");
        };
        if codec.is_scaled() {
            return fault("enum", "a number that has names is not scaled", "take out `scale` and `offset`");
        }
        let mut seen = BTreeSet::new();
        for (number, name) in &self.names {
            if !(least..=most).contains(&i128::from(*number)) {
                let message = format!("{number} is outside what the registers can hold, {least} to {most}");
                return Err(CheckFault::new("enum", message, "check the type, or take the name out"));
            }
            if name.is_empty() || !seen.insert(name) {
                let message = format!("two numbers cannot both be called `{name}`, nor can a name be empty");
                return Err(CheckFault::new("enum", message, "give every number a name of its own"));
            }
        }
        Ok(())
    }
}
