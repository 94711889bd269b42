//! Where a property lives in a Modbus device, as it is written.

mod area;
mod meaning;
mod words;

use std::collections::BTreeMap;

use config::{Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{PropertyDefinition, ValueType};

pub use area::Area;
use area::numbered;
pub use mapper_sdk::Number;
pub use words::{Byte, DataType, Order};

use crate::codec::Codec;

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
    /// Which byte of the register an `int8` or `uint8` is.
    #[serde(default)]
    pub byte: Option<Byte>,
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
    /// How many decimals the value keeps after `scale` and `offset`, 0 to 9.
    #[serde(default)]
    pub precision: Option<u8>,
    /// What the numbers are called: `{0: off, 1: on}`. The property is a string then.
    #[serde(default, rename = "enum")]
    pub names: BTreeMap<i64, String>,
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
            ValueType::String => "write `type: string` and `length: N`, or `enum: {0: name, ...}`",
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
        assert_eq!(field(Point { data_type: Some(DataType::Int8), ..holding(1) }), "type");
        assert_eq!(field(Point { byte: Some(Byte::Low), ..holding(1) }), "byte");
        assert_eq!(field(Point { precision: Some(1), ..holding(1) }), "precision");
        assert_eq!(
            field(Point { data_type: Some(DataType::Float32), precision: Some(10), ..holding(1) }),
            "precision"
        );
        let names = |names: &[(i64, &str)]| names.iter().map(|(n, name)| (*n, (*name).to_owned())).collect();
        assert_eq!(field(Point { names: names(&[(-1, "off")]), ..holding(1) }), "enum");
        assert_eq!(field(Point { names: names(&[(0, "off"), (1, "off")]), ..holding(1) }), "enum");
        assert_eq!(field(Point { names: names(&[(2, "on")]), bit: Some(1), ..holding(1) }), "enum");
        let scale = Some(Number(2.0));
        assert_eq!(field(Point { names: names(&[(0, "off")]), scale, ..holding(1) }), "enum");
        assert_eq!(
            field(Point { names: names(&[(0, "off")]), data_type: Some(DataType::Float32), ..holding(1) }),
            "enum"
        );
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
        let names = std::collections::BTreeMap::from([(0, "off".to_owned())]);
        let named = Point { names, ..holding(1) };
        assert!(named.check_for(&definition(ValueType::String, Access::ReadWrite)).is_ok());
        assert!(named.check_for(&definition(ValueType::Int, Access::ReadWrite)).is_err());
        assert!(holding(1).check_for(&definition(ValueType::Json, Access::Read)).is_err());
    }
}
