//! What a protocol brings to the configuration: how a device is reached and where a property lives.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use twin_core::PropertyDefinition;

use crate::decode::{Sink, Spot, check_fault, decode};

/// What is wrong with a decoded body, beyond the types of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFault {
    /// The key that is wrong, with dots where it lies deeper; empty for the whole body.
    pub field: String,
    /// What is wrong, in words.
    pub message: String,
    /// How to mend it; empty where nobody can know.
    pub hint: String,
}

impl CheckFault {
    /// Puts the three together.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), hint: hint.into() }
    }
}

/// A thing that several devices may be reached by, such as a serial port, and how one of them wants it. Devices of one
/// protocol that share it must want it the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its name, for example `/dev/ttyS1`.
    pub name: String,
    /// How it is wanted, always in the same order.
    pub terms: Vec<Term>,
}

/// One way in which devices can differ about what they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is about, in words: `baud rate`.
    pub what: &'static str,
    /// The key of the link that says it, with dots where it lies deeper.
    pub key: &'static str,
    /// What it says, also where it is only the default.
    pub value: String,
}

impl Term {
    /// Puts the three together.
    #[must_use]
    pub fn new(what: &'static str, key: &'static str, value: impl fmt::Display) -> Self {
        Self { what, key, value: value.to_string() }
    }
}

/// Rules that the types alone do not say.
pub trait Check {
    /// Checks the body by itself.
    ///
    /// # Errors
    /// The first rule that it breaks.
    fn check(&self) -> Result<(), CheckFault> {
        Ok(())
    }

    /// Checks a point against the property that lives there, for example that what can only be read is not writable.
    ///
    /// # Errors
    /// The first rule that the two break together.
    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        let _ = property;
        Ok(())
    }

    /// What a link shares with those of other devices.
    fn shared(&self) -> Option<Shared> {
        None
    }
}

/// A protocol that devices may name. Its two bodies are written as `name: {...}` in a device and in a property.
///
/// The types must not use `#[serde(flatten)]`, `untagged` or `tag`: those lose the place of a fault.
#[derive(Clone, Copy)]
pub struct Protocol {
    name: &'static str,
    pub(crate) link: BodyType,
    pub(crate) point: BodyType,
}

impl Protocol {
    /// The protocol `name` (the key in the file), with the types of its link and of its points.
    #[must_use]
    pub fn of<Link, Point>(name: &'static str) -> Self
    where
        Link: DeserializeOwned + Check + JsonSchema + PartialEq + Send + Sync + 'static,
        Point: DeserializeOwned + Check + JsonSchema + PartialEq + Send + Sync + 'static,
    {
        Self { name, link: BodyType::of::<Link>(), point: BodyType::of::<Point>() }
    }

    /// Its key in the file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol({})", self.name)
    }
}

/// A type of body, with the type itself forgotten.
#[derive(Clone, Copy)]
pub(crate) struct BodyType {
    pub(crate) decode: fn(&Spot<'_>, &mut Sink) -> Option<Body>,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

impl BodyType {
    fn of<T: DeserializeOwned + Check + JsonSchema + PartialEq + Send + Sync + 'static>() -> Self {
        Self { decode: decode_body::<T>, schema: |generator| generator.subschema_for::<T>() }
    }
}

fn decode_body<T>(spot: &Spot<'_>, sink: &mut Sink) -> Option<Body>
where
    T: DeserializeOwned + Check + JsonSchema + PartialEq + Send + Sync + 'static,
{
    let value = decode::<T>(spot, &[], sink).if_clean()?;
    match value.check() {
        Ok(()) => Some(Body::of(value)),
        Err(fault) => {
            check_fault(spot, fault, sink);
            None
        }
    }
}

/// A link or a point, decoded and checked. Two are equal when their values are, however they were written.
#[derive(Clone)]
pub struct Body(Arc<dyn BodyValue>);

impl Body {
    /// Wraps a value, which is not checked again.
    #[must_use]
    pub fn of<T: Check + PartialEq + Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, when it is of type `T`.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }

    pub(crate) fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        self.0.check_property(property)
    }

    pub(crate) fn shared(&self) -> Option<Shared> {
        self.0.shared_with_others()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.equals(other.0.as_any())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.type_name())
    }
}

trait BodyValue: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Any) -> bool;
    fn check_property(&self, property: &PropertyDefinition) -> Result<(), CheckFault>;
    fn shared_with_others(&self) -> Option<Shared>;
    fn type_name(&self) -> &'static str;
}

impl<T: Check + PartialEq + Send + Sync + 'static> BodyValue for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }
    fn check_property(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        self.check_for(property)
    }
    fn shared_with_others(&self) -> Option<Shared> {
        self.shared()
    }
    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
}
