//! A point as the session wants it: numbers for names, and the rules that the types alone do not say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use config::CheckFault;
use twin_core::ValueType;

use super::Point;
use crate::host::Place;
use crate::zcl::clusters::{self, Attribute, Cluster, Command, Writing};
use crate::zcl::{Shape, TypeId};

/// How a point is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Not at all.
    Never,
    /// By Write Attributes.
    Attribute,
    /// By a command of the cluster.
    Command(Command),
}

/// A point, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Where it is.
    pub place: Place,
    /// Its type.
    pub kind: TypeId,
    /// The value is the number times this.
    pub scale: f64,
    /// The attributes with the multiplier and the divisor, where the device says its scale itself.
    pub formatting: Option<(u16, u16)>,
    /// The bit that is meant.
    pub bit: Option<u8>,
    /// What the numbers are called.
    pub names: BTreeMap<i64, String>,
    /// How it is written.
    pub writes: Writes,
    /// It comes by a notification of its cluster.
    pub notified: bool,
    /// The least interval between reports.
    pub min: Option<Duration>,
    /// The longest interval between reports.
    pub max: Option<Duration>,
    /// The least change that is reported.
    pub change: f64,
}

impl Point {
    /// Puts numbers for names; `endpoint` is that of the device.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn resolve(&self, endpoint: u8) -> Result<Resolved, CheckFault> {
        let (cluster_id, cluster) = self.find_cluster()?;
        let (attribute_id, attribute) = self.find_attribute(cluster)?;
        let attribute = attribute.filter(|_| self.manufacturer.is_none());
        let kind = self.find_type(attribute)?;
        let endpoint = self.endpoint.unwrap_or(endpoint);
        if !(1..=240).contains(&endpoint) {
            let message = format!("{endpoint} is not an endpoint");
            return Err(CheckFault::new("endpoint", message, "write a number from 1 to 240"));
        }
        let place =
            Place { endpoint, cluster: cluster_id, manufacturer: self.manufacturer, attribute: attribute_id };
        let scale = self.find_scale(attribute)?;
        let writes = match attribute.map(|attribute| attribute.writing) {
            None | Some(Writing::Attribute) => Writes::Attribute,
            Some(Writing::Never) => Writes::Never,
            Some(Writing::Command(command)) => Writes::Command(command),
        };
        let bit = self.bit.or(attribute.and_then(|attribute| attribute.bit));
        let resolved = Resolved {
            place,
            kind,
            scale,
            formatting: attribute.and_then(|a| a.formatting).filter(|_| self.scale.is_none()),
            bit,
            names: self.names.clone(),
            // A bit cannot be written without its neighbours.
            writes: if bit.is_some() { Writes::Never } else { writes },
            notified: attribute.is_some_and(|attribute| attribute.notified),
            min: self.reporting.min.map(config::BoundedDuration::get),
            max: self.reporting.max.map(config::BoundedDuration::get),
            change: self.reporting.change.map_or(attribute.map_or(0.0, |a| a.change), |change| change.0),
        };
        self.check_meaning(&resolved)?;
        Ok(resolved)
    }

    fn find_cluster(&self) -> Result<(u16, Option<&'static Cluster>), CheckFault> {
        if let Some(id) = self.cluster.number() {
            return Ok((id, clusters::numbered(id)));
        }
        let known = clusters::named(&self.cluster.0);
        let cluster = known.ok_or_else(|| {
            let names: BTreeSet<_> = clusters::all().into_iter().flatten().map(|c| c.name).collect();
            let names: Vec<_> = names.into_iter().collect();
            let message = format!("there is no cluster `{}`", self.cluster);
            let hint = format!("write its number such as 0x0402, or one of {}", names.join(", "));
            CheckFault::new("cluster", message, hint)
        })?;
        Ok((cluster.id, Some(cluster)))
    }

    fn find_attribute(
        &self,
        cluster: Option<&'static Cluster>,
    ) -> Result<(u16, Option<&'static Attribute>), CheckFault> {
        if let Some(id) = self.attribute.number() {
            return Ok((id, cluster.and_then(|cluster| cluster.numbered(id)).filter(|a| a.bit.is_none())));
        }
        let known = cluster.and_then(|cluster| cluster.named(&self.attribute.0));
        let attribute = known.ok_or_else(|| {
            let names: Vec<_> =
                cluster.into_iter().flat_map(|cluster| cluster.attributes).map(|a| a.name).collect();
            let message = format!("there is no attribute `{}` in {}", self.attribute, self.cluster);
            let hint = if names.is_empty() {
                "write its number such as 0x0000, and its `type`".to_owned()
            } else {
                format!("write its number such as 0x0000, or one of {}", names.join(", "))
            };
            CheckFault::new("attribute", message, hint)
        })?;
        Ok((attribute.id, Some(attribute)))
    }

    fn find_type(&self, attribute: Option<&Attribute>) -> Result<TypeId, CheckFault> {
        let written = match &self.data_type {
            Some(name) => Some(TypeId::named(name).ok_or_else(|| {
                let names: Vec<_> = TypeId::names().collect();
                let hint = format!("write one of {}", names.join(", "));
                CheckFault::new("type", format!("there is no type `{name}`"), hint)
            })?),
            None => None,
        };
        match (written, attribute) {
            (Some(written), Some(known)) if written != known.kind => {
                let message = format!("`{}` is {}, not {written}", known.name, known.kind);
                Err(CheckFault::new("type", message, "leave the type out"))
            }
            (Some(written), _) => Ok(written),
            (None, Some(known)) => Ok(known.kind),
            (None, None) => {
                let message = format!("nobody knows the type of attribute {}", self.attribute);
                Err(CheckFault::new("type", message, "write its type, for example `type: uint16`"))
            }
        }
    }

    fn find_scale(&self, attribute: Option<&Attribute>) -> Result<f64, CheckFault> {
        let Some(scale) = self.scale else { return Ok(attribute.map_or(1.0, |attribute| attribute.scale)) };
        if !scale.0.is_finite() || scale.0 == 0.0 {
            let message = format!("a value cannot be {} times a number", scale.0);
            return Err(CheckFault::new("scale", message, "write for example 0.1, or leave it out"));
        }
        Ok(scale.0)
    }

    fn check_meaning(&self, resolved: &Resolved) -> Result<(), CheckFault> {
        if self.bit.is_some_and(|bit| bit > 63) {
            return Err(CheckFault::new("bit", "there is no such bit", "write a number from 0 to 63"));
        }
        let is_number = resolved.is_number();
        if resolved.bit.is_some() && !is_number {
            let message = format!("a {} has no bits", resolved.kind);
            return Err(CheckFault::new("bit", message, "use it with numbers and bitmaps"));
        }
        if !self.names.is_empty() && (!is_number || resolved.bit.is_some() || resolved.is_scaled()) {
            let message = "names are for whole numbers that are as they are";
            return Err(CheckFault::new("enum", message, "leave out `bit` and `scale`, or `enum`"));
        }
        if self.names.values().collect::<BTreeSet<_>>().len() < self.names.len() {
            return Err(CheckFault::new("enum", "two numbers have one name", "give each its own"));
        }
        if self.scale.is_some() && (!is_number || resolved.bit.is_some()) {
            return Err(CheckFault::new("scale", "only numbers have a scale", "leave it out"));
        }
        if let (Some(min), Some(max)) = (resolved.min, resolved.max)
            && max < min
        {
            let message = "the longest interval is shorter than the least";
            return Err(CheckFault::new("reporting.max", message, "swap `min` and `max`"));
        }
        if !resolved.change.is_finite() || resolved.change < 0.0 {
            let message = format!("{} is not a change", resolved.change);
            return Err(CheckFault::new("reporting.change", message, "write a number from 0 up"));
        }
        Ok(())
    }
}

impl Resolved {
    fn is_number(&self) -> bool {
        match self.kind.shape() {
            Some(Shape::Bits(_) | Shape::Unsigned(_) | Shape::Signed(_) | Shape::Choice(_)) => true,
            Some(
                Shape::Nothing
                | Shape::Bool
                | Shape::Float(_)
                | Shape::Bytes(_)
                | Shape::Text(_)
                | Shape::Opaque(_)
                | Shape::Array
                | Shape::Structure,
            )
            | None => false,
        }
    }

    fn is_scaled(&self) -> bool {
        self.scale != 1.0 || self.formatting.is_some()
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        if self.bit.is_some() {
            return ValueType::Bool;
        }
        if !self.names.is_empty() {
            return ValueType::String;
        }
        match self.kind.shape() {
            Some(Shape::Bool) => ValueType::Bool,
            Some(Shape::Float(_)) => ValueType::Float,
            Some(Shape::Text(_)) => ValueType::String,
            Some(Shape::Bits(_) | Shape::Unsigned(_) | Shape::Signed(_) | Shape::Choice(_)) => {
                if self.is_scaled() { ValueType::Float } else { ValueType::Int }
            }
            Some(Shape::Nothing | Shape::Bytes(_) | Shape::Opaque(_) | Shape::Array | Shape::Structure)
            | None => ValueType::Bytes,
        }
    }
}
