//! Secrets: where they come from, and a type that never shows them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A password or token. `Debug` and `Display` show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The name under which the decoder is told that a secret is wanted.
    pub(crate) const MARK: &'static str = "twinspan::Secret";

    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself. Give it only to what needs it, never to a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret: ${file:/path} or ${env:NAME}")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Secret, D::Error> {
                inner.deserialize_str(self)
            }
        }
        deserializer.deserialize_newtype_struct(Self::MARK, Visitor)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A secret: ${file:/path} or ${env:NAME}. Written out in the file it is taken with a warning.",
        })
    }
}

/// Where a secret is to be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRef<'a> {
    /// `${file:PATH}`.
    File(&'a str),
    /// `${env:NAME}`.
    Env(&'a str),
}

/// Reads secrets for [`load`](crate::load), which itself opens no file. Any closure of this form will do.
pub trait SecretSource {
    /// Reads one secret. One line break at its end is cut off by the caller.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, wanted: SecretRef<'_>) -> Result<String, String>;
}

impl<F: Fn(SecretRef<'_>) -> Result<String, String>> SecretSource for F {
    fn read(&self, wanted: SecretRef<'_>) -> Result<String, String> {
        self(wanted)
    }
}

/// Knows no secret: every reference is a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn read(&self, _: SecretRef<'_>) -> Result<String, String> {
        Err("secrets are not read here".into())
    }
}
