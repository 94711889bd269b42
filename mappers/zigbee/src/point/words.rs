//! The words with which a point says where it is.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A name from the tables of clusters, or a number, written as one or as text: `temperature`, `0x0402`, `1026`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(pub String);

impl Name {
    /// The number, when it is one.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match self.0.strip_prefix("0x").or_else(|| self.0.strip_prefix("0X")) {
            Some(digits) => u16::from_str_radix(digits, 16).ok(),
            None => self.0.parse().ok(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a number from 0 to 0xFFFF")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name(text.chars().take(80).collect()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Name, E> {
                let number = u16::try_from(number).map_err(|_| E::custom("a number over 0xFFFF"))?;
                Ok(Name(format!("{number:#06x}")))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Name, E> {
                self.visit_u64(u64::try_from(number).map_err(|_| E::custom("a number below 0"))?)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "NameOrNumber".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
    fn inline_schema() -> bool {
        true
    }
}
