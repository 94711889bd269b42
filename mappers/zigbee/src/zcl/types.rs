//! Types of attributes. (2.6.2, table 2-10)

use std::fmt;

use crate::bytes::{Field, Reader};

/// The number of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u8);

impl TypeId {
    /// True or false.
    pub const BOOL: Self = Self(0x10);
    /// Eight bits.
    pub const BITMAP8: Self = Self(0x18);
    /// Sixteen bits.
    pub const BITMAP16: Self = Self(0x19);
    /// 32 bits.
    pub const BITMAP32: Self = Self(0x1B);
    /// An unsigned byte.
    pub const UINT8: Self = Self(0x20);
    /// Two unsigned bytes.
    pub const UINT16: Self = Self(0x21);
    /// Three unsigned bytes.
    pub const UINT24: Self = Self(0x22);
    /// Four unsigned bytes.
    pub const UINT32: Self = Self(0x23);
    /// Six unsigned bytes.
    pub const UINT48: Self = Self(0x25);
    /// A signed byte.
    pub const INT8: Self = Self(0x28);
    /// Two signed bytes.
    pub const INT16: Self = Self(0x29);
    /// Three signed bytes.
    pub const INT24: Self = Self(0x2A);
    /// Four signed bytes.
    pub const INT32: Self = Self(0x2B);
    /// One of up to 256 choices.
    pub const ENUM8: Self = Self(0x30);
    /// One of up to 65,536 choices.
    pub const ENUM16: Self = Self(0x31);
    /// A float of four bytes.
    pub const FLOAT: Self = Self(0x39);
    /// Bytes.
    pub const BYTES: Self = Self(0x41);
    /// Text.
    pub const TEXT: Self = Self(0x42);
    /// The address of a radio.
    pub const IEEE: Self = Self(0xF0);
}

/// How a type lies in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Nothing,
    /// One byte, 0 or 1.
    Bool,
    /// Bits, so many bytes.
    Bits(usize),
    /// An unsigned number of so many bytes; all ones mean that there is none.
    Unsigned(usize),
    /// A signed number of so many bytes; the lowest means that there is none.
    Signed(usize),
    /// One of several choices, so many bytes.
    Choice(usize),
    /// A float of so many bytes; NaN means that there is none.
    Float(usize),
    /// Bytes with their count in so many bytes.
    Bytes(usize),
    /// Text with its count in so many bytes.
    Text(usize),
    /// A time, a date or an id of so many bytes.
    Opaque(usize),
    /// Values of one type with their count.
    Array,
    /// Values of any type with their count.
    Structure,
}

impl TypeId {
    /// How it lies in a message; none for a number that is not a type.
    #[must_use]
    pub fn shape(self) -> Option<Shape> {
        let width = |first: u8| usize::from(self.0 - first) + 1;
        Some(match self.0 {
            0x00 => Shape::Nothing,
            0x08..=0x0F => Shape::Bits(width(0x08)),
            0x10 => Shape::Bool,
            0x18..=0x1F => Shape::Bits(width(0x18)),
            0x20..=0x27 => Shape::Unsigned(width(0x20)),
            0x28..=0x2F => Shape::Signed(width(0x28)),
            0x30 | 0x31 => Shape::Choice(width(0x30)),
            0x38 => Shape::Float(2),
            0x39 => Shape::Float(4),
            0x3A => Shape::Float(8),
            0x41 => Shape::Bytes(1),
            0x42 => Shape::Text(1),
            0x43 => Shape::Bytes(2),
            0x44 => Shape::Text(2),
            0x48 | 0x50 | 0x51 => Shape::Array,
            0x4C => Shape::Structure,
            0xE0 | 0xE1 | 0xE2 | 0xEA => Shape::Opaque(4),
            0xE8 | 0xE9 => Shape::Opaque(2),
            0xF0 => Shape::Opaque(8),
            0xF1 => Shape::Opaque(16),
            _ => return None,
        })
    }

    /// Whether a report of it has a least change. (2.6.2, "Analog")
    #[must_use]
    pub fn is_analog(self) -> bool {
        match self.shape() {
            Some(Shape::Unsigned(_) | Shape::Signed(_) | Shape::Float(_)) => true,
            Some(Shape::Opaque(_)) => matches!(self.0, 0xE0..=0xE2),
            Some(
                Shape::Nothing
                | Shape::Bool
                | Shape::Bits(_)
                | Shape::Choice(_)
                | Shape::Bytes(_)
                | Shape::Text(_)
                | Shape::Array
                | Shape::Structure,
            )
            | None => false,
        }
    }

    /// Its name in a configuration, where it has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(id, _)| *id == self.0).map(|(_, name)| *name)
    }

    /// The type with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, other)| *other == name).map(|(id, _)| Self(*id))
    }

    /// All names, for a hint.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }
}

const NAMES: [(u8, &str); 28] = [
    (0x10, "bool"),
    (0x18, "bitmap8"),
    (0x19, "bitmap16"),
    (0x1A, "bitmap24"),
    (0x1B, "bitmap32"),
    (0x20, "uint8"),
    (0x21, "uint16"),
    (0x22, "uint24"),
    (0x23, "uint32"),
    (0x24, "uint40"),
    (0x25, "uint48"),
    (0x26, "uint56"),
    (0x27, "uint64"),
    (0x28, "int8"),
    (0x29, "int16"),
    (0x2A, "int24"),
    (0x2B, "int32"),
    (0x2C, "int40"),
    (0x2D, "int48"),
    (0x2E, "int56"),
    (0x2F, "int64"),
    (0x30, "enum8"),
    (0x31, "enum16"),
    (0x39, "float"),
    (0x3A, "double"),
    (0x41, "bytes"),
    (0x42, "string"),
    (0xF0, "ieee"),
];

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {:#04x}", self.0),
        }
    }
}

impl Field for TypeId {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.get().map(TypeId)
    }
}
