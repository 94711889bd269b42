//! The words with which a point says what its bytes mean.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the bytes of a point mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// One byte, true when it is not zero.
    Bool,
    /// One byte, signed.
    Int8,
    /// One byte, unsigned.
    Uint8,
    /// Two bytes, signed.
    Int16,
    /// Two bytes, unsigned.
    Uint16,
    /// Three bytes, signed.
    Int24,
    /// Three bytes, unsigned.
    Uint24,
    /// Four bytes, signed.
    Int32,
    /// Four bytes, unsigned.
    Uint32,
    /// Five bytes, unsigned.
    Uint40,
    /// Six bytes, signed.
    Int48,
    /// Six bytes, unsigned.
    Uint48,
    /// Seven bytes, unsigned.
    Uint56,
    /// Eight bytes, signed.
    Int64,
    /// Eight bytes, unsigned; at most 2^63 - 1.
    Uint64,
    /// Two bytes, IEEE 754.
    Float16,
    /// Four bytes, IEEE 754.
    Float32,
    /// Eight bytes, IEEE 754.
    Float64,
    /// Two bytes, the SFLOAT of IEEE 11073.
    Medfloat16,
    /// Four bytes, the FLOAT of IEEE 11073.
    Medfloat32,
    /// UTF-8 text: `length` bytes, or all there are.
    String,
    /// `length` bytes, or all there are.
    Bytes,
}

/// Which end of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The low end, as the protocol has it.
    #[default]
    Little,
    /// The high end.
    Big,
}

/// How a characteristic is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// The device responds.
    WithResponse,
    /// The device does not respond.
    WithoutResponse,
}

/// Something about the connection, rather than in the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkWord {
    /// The strength of the last advertisement heard, in dBm (int).
    Rssi,
    /// The power with which the device says it sends, in dBm (int).
    TxPower,
    /// Whether it is connected now (bool).
    Connected,
    /// Whether there is a bond (bool).
    Bonded,
    /// The name that it advertises (string).
    Name,
    /// The address that it has (string).
    Address,
}
