//! Where a property lives in a Modbus device, as it is written.

use std::cmp::Ordering;
use std::fmt;

use config::{Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{PropertyDefinition, ValueType};

use crate::codec::{Codec, Kind};

/// One of the four tables of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Bits that are read and written.
    Coil,
    /// Bits that are read.
    Discrete,
    /// Registers that are read.
    Input,
    /// Registers that are read and written.
    Holding,
}

impl Area {
    /// Whether it holds bits, not registers.
    #[must_use]
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether it can be written.
    #[must_use]
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete input",
            Self::Input => "input register",
            Self::Holding => "holding register",
        })
    }
}

/// What the registers of a point mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// True or false; a register is true when it is not zero.
    Bool,
    /// One register, signed.
    Int16,
    /// One register, unsigned.
    Uint16,
    /// Two registers, signed.
    Int32,
    /// Two registers, unsigned.
    Uint32,
    /// Four registers, signed.
    Int64,
    /// Four registers, unsigned; at most 2^63 - 1.
    Uint64,
    /// Two registers, IEEE 754.
    Float32,
    /// Four registers, IEEE 754.
    Float64,
    /// UTF-8 text in `length` registers, filled up with zeros.
    String,
    /// The bytes of `length` registers.
    Bytes,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The high end, as the protocol has it.
    #[default]
    Big,
    /// The low end.
    Little,
}

/// A number in a point: points are ordered, plain floats are not.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Number {}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Where a property lives: `modbus: {holding: 10, type: float32, word_order: little, scale: 0.1}`.
///
/// Exactly one of `coil`, `discrete`, `input`, `holding` (counted from 0) and `address` (counted from 1) is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// A coil, counted from 0.
    #[serde(default)]
    pub coil: Option<u16>,
    /// A discrete input, counted from 0.
    #[serde(default)]
    pub discrete: Option<u16>,
    /// An input register, counted from 0.
    #[serde(default)]
    pub input: Option<u16>,
    /// A holding register, counted from 0.
    #[serde(default)]
    pub holding: Option<u16>,
    /// The number in a manual, counted from 1: 1 to 9999 coils, 10001 discrete inputs, 30001 input registers, 40001
    /// holding registers, or with six digits 100001, 300001 and 400001.
    #[serde(default)]
    pub address: Option<u32>,
    /// What the registers mean; `uint16` where nothing is written, `bool` for a bit.
    #[serde(default, rename = "type")]
    pub data_type: Option<DataType>,
    /// One bit of a register, 0 (lowest) to 15.
    #[serde(default)]
    pub bit: Option<u8>,
    /// How many registers a `string` or `bytes` takes, 1 to 123.
    #[serde(default)]
    pub length: Option<u16>,
    /// Which byte of a register comes first.
    #[serde(default)]
    pub byte_order: Order,
    /// Which register of a value comes first.
    #[serde(default)]
    pub word_order: Order,
    /// The value is the number in the registers times this.
    #[serde(default)]
    pub scale: Option<Number>,
    /// Added to the value after `scale`.
    #[serde(default)]
    pub offset: Option<Number>,
}

/// A point as the planner and the codec want it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The table.
    pub area: Area,
    /// The first coil, input or register, counted from 0.
    pub start: u16,
    /// How many.
    pub len: u16,
    /// What they mean.
    pub codec: Codec,
}

/// The most registers that one request can write.
const MOST_WRITTEN: u16 = 123;

impl Point {
    /// Resolves what is written.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn layout(&self) -> Result<Layout, CheckFault> {
        let (area, start, field) = self.place()?;
        let codec = self.codec(area)?;
        let len = codec.registers();
        if u32::from(start) + u32::from(len) > 0x1_0000 {
            let message = format!("{len} registers from {start} end after 65535, the last there is");
            return Err(CheckFault::new(field, message, "check the address and the type"));
        }
        Ok(Layout { area, start, len, codec })
    }

    fn place(&self) -> Result<(Area, u16, &'static str), CheckFault> {
        let written = [
            ("coil", self.coil.map(|n| (Area::Coil, n))),
            ("discrete", self.discrete.map(|n| (Area::Discrete, n))),
            ("input", self.input.map(|n| (Area::Input, n))),
            ("holding", self.holding.map(|n| (Area::Holding, n))),
            ("address", self.address.map(numbered).transpose()?),
        ];
        let mut places = written.into_iter().filter_map(|(field, place)| place.map(|(a, n)| (a, n, field)));
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (None, _) => Err(CheckFault::new(
                "",
                "it does not say where the property lives",
                "write one of coil, discrete, input, holding (from 0) or address (from 1, like 40001)",
            )),
            (Some((_, _, first)), Some((_, _, second))) => Err(CheckFault::new(
                second,
                format!("the property cannot live in two places, `{first}` and `{second}`"),
                "write one of them",
            )),
        }
    }

    fn codec(&self, area: Area) -> Result<Codec, CheckFault> {
        let fault = |field: &str, message: &str, hint: &str| Err(CheckFault::new(field, message, hint));
        if area.is_bits() {
            if self.bit.is_some() {
                return fault("bit", "a coil or discrete input is one bit", "take out `bit`");
            }
            if self.data_type.is_some_and(|t| t != DataType::Bool) {
                return fault("type", "a coil or discrete input is a bool", "take out `type`");
            }
        }
        if let Some(bit) = self.bit {
            if bit > 15 {
                return fault("bit", "a register has the bits 0 to 15", "write 0 (lowest) to 15 (highest)");
            }
            if self.data_type.is_some_and(|t| t != DataType::Bool) {
                return fault("type", "one bit of a register is a bool", "take out `type` or `bit`");
            }
        }
        let bits = area.is_bits() || self.bit.is_some();
        let data_type = self.data_type.unwrap_or(if bits { DataType::Bool } else { DataType::Uint16 });
        let counted = matches!(data_type, DataType::String | DataType::Bytes);
        match self.length {
            None if counted => {
                return fault("type", "a string or bytes needs a length", "write length: N, in registers");
            }
            Some(_) if !counted => {
                return fault("length", "only a string or bytes has a length", "take out `length`");
            }
            Some(length) if !(1..=MOST_WRITTEN).contains(&length) => {
                return fault("length", "the length is not between 1 and 123 registers", "check the manual");
            }
            Some(_) | None => {}
        }
        let numeric = !counted && data_type != DataType::Bool;
        for (field, number) in [("scale", self.scale), ("offset", self.offset)] {
            let Some(Number(number)) = number else { continue };
            if !numeric {
                return fault(field, "only a number can be scaled", "take it out");
            }
            if !number.is_finite() || (field == "scale" && number == 0.0) {
                return fault(field, "it must be a finite number, and a scale not zero", "write a number");
            }
        }
        Ok(Codec {
            kind: self.bit.map_or(
                Kind::Whole { data_type, length: self.length.unwrap_or(0), in_bit_area: area.is_bits() },
                Kind::Bit,
            ),
            byte_order: self.byte_order,
            word_order: self.word_order,
            scale: self.scale.map(|n| n.0),
            offset: self.offset.map(|n| n.0),
        })
    }
}

/// The place with this number, counted from 1, as manuals print it.
fn numbered(address: u32) -> Result<(Area, u16), CheckFault> {
    let (area, number) = match address {
        1..=9_999 => (Area::Coil, address),
        10_001..=19_999 => (Area::Discrete, address - 10_000),
        30_001..=39_999 => (Area::Input, address - 30_000),
        40_001..=49_999 => (Area::Holding, address - 40_000),
        100_001..=165_536 => (Area::Discrete, address - 100_000),
        300_001..=365_536 => (Area::Input, address - 300_000),
        400_001..=465_536 => (Area::Holding, address - 400_000),
        _ => {
            let hint = "write 1, 10001, 30001 or 40001 and up, or the place from 0 as coil, discrete, input or holding";
            return Err(CheckFault::new("address", format!("{address} names no place"), hint));
        }
    };
    Ok((area, u16::try_from(number - 1).unwrap_or(u16::MAX)))
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        self.layout().map(|_| ())
    }

    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        let layout = self.layout()?;
        if property.access.writable() && !layout.area.is_writable() {
            let message = format!("a writable property cannot live in a {}, which is only read", layout.area);
            return Err(CheckFault::new("", message, "use a coil or a holding register, or `access: read`"));
        }
        let found = layout.codec.value_type();
        let fits = match property.value_type {
            ValueType::Bool => found == ValueType::Bool,
            ValueType::Int => matches!(found, ValueType::Int | ValueType::Bool | ValueType::Float),
            ValueType::Float => matches!(found, ValueType::Int | ValueType::Float),
            ValueType::String => found == ValueType::String,
            ValueType::Bytes => found == ValueType::Bytes,
            ValueType::Json => false,
        };
        if fits {
            return Ok(());
        }
        let message = format!("the registers hold a {found}, the property is a {}", property.value_type);
        let hint = match property.value_type {
            ValueType::Bool => "write `bit: N` for one bit of a register, or `type: bool`",
            ValueType::Int | ValueType::Float => "write a number type such as int16 or float32",
            ValueType::String => "write `type: string` and `length: N`",
            ValueType::Bytes => "write `type: bytes` and `length: N`",
            ValueType::Json => "give the property another type",
        };
        Err(CheckFault::new("type", message, hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::Access;

    fn holding(n: u16) -> Point {
        Point { holding: Some(n), ..Point::default() }
    }

    #[test]
    fn both_customs_of_counting_name_the_same_place() {
        let at = |address| Point { address: Some(address), ..Point::default() }.layout().unwrap();
        assert_eq!(at(40_001), holding(0).layout().unwrap());
        assert_eq!(at(400_001), at(40_001));
        assert_eq!((at(30_010).area, at(30_010).start), (Area::Input, 9));
        assert_eq!((at(10_001).area, at(10_001).start), (Area::Discrete, 0));
        assert_eq!((at(1).area, at(1).start), (Area::Coil, 0));
        assert_eq!((at(465_536).area, at(465_536).start), (Area::Holding, 65_535));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        let field = |point: Point| point.check().unwrap_err().field;
        assert_eq!(field(Point::default()), "");
        assert_eq!(field(Point { coil: Some(1), ..holding(1) }), "holding");
        for address in [0, 10_000, 20_000, 50_000, 99_999, 166_000, 465_537] {
            assert_eq!(field(Point { address: Some(address), ..Point::default() }), "address", "{address}");
        }
        assert_eq!(field(Point { bit: Some(16), ..holding(1) }), "bit");
        assert_eq!(field(Point { bit: Some(1), coil: Some(1), ..Point::default() }), "bit");
        assert_eq!(field(Point { bit: Some(1), data_type: Some(DataType::Int16), ..holding(1) }), "type");
        assert_eq!(
            field(Point { data_type: Some(DataType::Int16), coil: Some(1), ..Point::default() }),
            "type"
        );
        assert_eq!(field(Point { data_type: Some(DataType::String), ..holding(1) }), "type");
        assert_eq!(
            field(Point { data_type: Some(DataType::String), length: Some(124), ..holding(1) }),
            "length"
        );
        assert_eq!(field(Point { length: Some(2), ..holding(1) }), "length");
        assert_eq!(field(Point { scale: Some(Number(0.0)), ..holding(1) }), "scale");
        assert_eq!(field(Point { offset: Some(Number(f64::NAN)), ..holding(1) }), "offset");
        assert_eq!(field(Point { bit: Some(1), scale: Some(Number(2.0)), ..holding(1) }), "scale");
        assert_eq!(field(Point { data_type: Some(DataType::Float64), ..holding(65_533) }), "holding");
        assert_eq!(Point { data_type: Some(DataType::Float64), ..holding(65_532) }.check(), Ok(()));
    }

    #[test]
    fn a_property_that_the_point_cannot_serve_is_refused() {
        let definition = |value_type, access| PropertyDefinition::new(value_type, access);
        let input = Point { input: Some(1), ..Point::default() };
        assert!(input.check_for(&definition(ValueType::Int, Access::Read)).is_ok());
        assert!(input.check_for(&definition(ValueType::Int, Access::ReadWrite)).is_err());
        assert!(input.check_for(&definition(ValueType::Bool, Access::Read)).is_err());
        assert!(input.check_for(&definition(ValueType::Float, Access::Read)).is_ok());
        assert!(holding(1).check_for(&definition(ValueType::Int, Access::ReadWrite)).is_ok());
        assert!(holding(1).check_for(&definition(ValueType::Json, Access::Read)).is_err());
    }
}
