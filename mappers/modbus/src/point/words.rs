//! The words with which a point says what its registers mean.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the registers of a point mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// True or false; a register is true when it is not zero.
    Bool,
    /// One byte of a register, signed; `byte` says which.
    Int8,
    /// One byte of a register, unsigned; `byte` says which.
    Uint8,
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
    /// One register with four decimal digits, 0 to 9999.
    Bcd16,
    /// Two registers with eight decimal digits, 0 to 99999999.
    Bcd32,
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

/// One of the two bytes of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Byte {
    /// Bits 8 to 15.
    High,
    /// Bits 0 to 7.
    Low,
}
