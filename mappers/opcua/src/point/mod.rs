//! Where a property lives in an OPC UA server, as it is written.

mod node;

use std::collections::BTreeMap;
use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
pub use mapper_sdk::Number;
use opcua_types::NumericRange;
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{PropertyDefinition, ValueType};

pub use node::{InvalidNode, Namespace, NodeName};

const NODE_HINT: &str = "write it like nsu=http://example.org/plant;s=Boiler.Temp or ns=2;i=5; `twinspan opcua browse URL` prints it";

/// Where a property lives: `opcua: {node: "nsu=http://example.org/plant;s=Boiler.Temp"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The variable; or with `method` the object whose method it is. The namespace is best given by its URI
    /// (`nsu=...;s=...`), since its index (`ns=2;s=...`) may change when the server does.
    pub node: String,
    /// A part of an array or of a text, for example `2`, `0:3` or `1,0:3`.
    #[serde(default)]
    pub index_range: Option<String>,
    /// The number of the attribute that is read; 13 is the value.
    #[serde(default)]
    pub attribute: Option<u32>,
    /// Whether the server tells of changes or is asked. Default: subscribe
    #[serde(default)]
    pub mode: Mode,
    /// How often the server looks at the value. Default: the `every` of the property
    #[serde(default)]
    pub sampling: Option<BoundedDuration<0, 3_600_000>>,
    /// By how much the value must change before the server tells of it.
    #[serde(default)]
    pub deadband: Option<Number>,
    /// The same in percent of the variable's range (EURange), 0 to 100.
    #[serde(default)]
    pub deadband_percent: Option<Number>,
    /// What the numbers are called: `{0: off, 1: on}`. The property is a string then.
    #[serde(default, rename = "enum")]
    pub names: BTreeMap<i64, String>,
    /// Give the names that the server has for the numbers of an enumeration. The property is a string then.
    #[serde(default)]
    pub server_enum: bool,
    /// A method of the object `node`: writing the property calls it, with the arguments as a JSON array.
    #[serde(default)]
    pub method: Option<String>,
}

/// How changes are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The server tells of changes.
    #[default]
    Subscribe,
    /// The server is asked.
    Poll,
}

impl Point {
    /// A variable, with everything else as it is when nothing is written.
    #[must_use]
    pub fn node(node: &str) -> Self {
        Self { node: node.to_owned(), ..Self::default() }
    }

    /// The same, asked and not told of.
    #[must_use]
    pub fn polled(mut self) -> Self {
        self.mode = Mode::Poll;
        self
    }

    /// The name of its node.
    ///
    /// # Errors
    /// [`InvalidNode`] when it is none.
    pub fn name(&self) -> Result<NodeName, InvalidNode> {
        self.node.parse()
    }

    /// The attribute that is read.
    #[must_use]
    pub fn attribute(&self) -> u32 {
        self.attribute.unwrap_or(13)
    }

    /// The part of the value.
    #[must_use]
    pub fn range(&self) -> NumericRange {
        self.index_range.as_deref().and_then(|range| NumericRange::new(range).ok()).unwrap_or_default()
    }

    /// How often the server looks at the value, where it is read every `every`.
    #[must_use]
    pub fn sampling(&self, every: Duration) -> Duration {
        self.sampling.map_or(every, BoundedDuration::get)
    }

    /// Whether the server is to tell of changes.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.mode == Mode::Subscribe && self.method.is_none()
    }

    fn check_method(&self) -> Result<(), CheckFault> {
        let Some(method) = &self.method else { return Ok(()) };
        if method.parse::<NodeName>().is_err() {
            let message = format!("`{method}` is not the name of a node");
            return Err(CheckFault::new("method", message, NODE_HINT));
        }
        let others = [
            ("index_range", self.index_range.is_some()),
            ("attribute", self.attribute.is_some()),
            ("sampling", self.sampling.is_some()),
            ("deadband", self.deadband.is_some()),
            ("deadband_percent", self.deadband_percent.is_some()),
            ("enum", !self.names.is_empty()),
            ("server_enum", self.server_enum),
        ];
        match others.into_iter().find(|(_, is_written)| *is_written) {
            Some((field, _)) => {
                Err(CheckFault::new(field, format!("a method has no `{field}`"), "take it out"))
            }
            None => Ok(()),
        }
    }

    fn check_deadband(&self) -> Result<(), CheckFault> {
        let amount = self.deadband.map(|Number(n)| ("deadband", n, f64::MAX));
        let percent = self.deadband_percent.map(|Number(n)| ("deadband_percent", n, 100.0));
        if amount.is_some() && percent.is_some() {
            let message = "`deadband` says already how large a change is told of";
            return Err(CheckFault::new("deadband_percent", message, "write one of the two"));
        }
        match amount.or(percent) {
            Some((field, number, most)) if !(0.0..=most).contains(&number) => {
                let hint = "write a number that is not negative, and at most 100 in percent";
                Err(CheckFault::new(field, format!("{number} is not a deadband"), hint))
            }
            Some((field, ..)) if !self.names.is_empty() || self.server_enum => {
                Err(CheckFault::new(field, "a name has no deadband", "take it out"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        self.name().map_err(|fault| CheckFault::new("node", fault.to_string(), NODE_HINT))?;
        if let Some(range) = &self.index_range
            && NumericRange::new(range).is_err()
        {
            let message = format!("`{range}` is not a part of an array");
            return Err(CheckFault::new("index_range", message, "write it like 2, 0:3 or 1,0:3"));
        }
        if let Some(attribute) = self.attribute
            && !(1..=27).contains(&attribute)
        {
            let message = format!("there is no attribute {attribute}");
            return Err(CheckFault::new("attribute", message, "write 1 to 27; 13 is the value"));
        }
        if self.server_enum && !self.names.is_empty() {
            let message = "`enum` says already what the numbers are called";
            return Err(CheckFault::new("server_enum", message, "write one of the two"));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = self.names.values().find(|name| !seen.insert(name.as_str())) {
            let message = format!("two numbers are called `{twice}`");
            return Err(CheckFault::new("enum", message, "give each number its own name"));
        }
        self.check_deadband()?;
        self.check_method()
    }

    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        if self.method.is_some() && property.access.readable() {
            let hint = "write `access: write` in the property";
            return Err(CheckFault::new("method", "a method can be called but not read", hint));
        }
        if self.attribute.is_some_and(|attribute| attribute != 13) && property.access.writable() {
            let hint = "write `access: read` in the property";
            return Err(CheckFault::new("attribute", "only the value can be written", hint));
        }
        let named = !self.names.is_empty() || self.server_enum;
        if named && property.value_type != ValueType::String {
            let field = if self.server_enum { "server_enum" } else { "enum" };
            let message = format!("the numbers have names, the property is of type {}", property.value_type);
            return Err(CheckFault::new(field, message, "write `type: string` in the property"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::Access;

    fn point() -> Point {
        Point::node("ns=2;s=Boiler.Temp")
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        assert_eq!(point().check(), Ok(()));
        let field = |point: Point| point.check().unwrap_err().field;
        assert_eq!(field(Point::node("Boiler.Temp")), "node");
        assert_eq!(field(Point { index_range: Some("3:1".into()), ..point() }), "index_range");
        assert_eq!(field(Point { attribute: Some(28), ..point() }), "attribute");
        assert_eq!(field(Point { deadband: Some(Number(-1.0)), ..point() }), "deadband");
        assert_eq!(field(Point { deadband: Some(Number(f64::NAN)), ..point() }), "deadband");
        assert_eq!(field(Point { deadband_percent: Some(Number(101.0)), ..point() }), "deadband_percent");
        let both = Point { deadband: Some(Number(1.0)), deadband_percent: Some(Number(1.0)), ..point() };
        assert_eq!(field(both), "deadband_percent");
        let names = BTreeMap::from([(0, "off".to_owned()), (1, "off".to_owned())]);
        assert_eq!(field(Point { names, ..point() }), "enum");
        let names = BTreeMap::from([(0, "off".to_owned())]);
        assert_eq!(field(Point { names, server_enum: true, ..point() }), "server_enum");
        assert_eq!(field(Point { method: Some("Start".into()), ..point() }), "method");
        let method = Point { method: Some("ns=2;s=Start".into()), ..point() };
        assert_eq!(method.check(), Ok(()));
        assert_eq!(field(Point { index_range: Some("1".into()), ..method }), "index_range");
    }

    #[test]
    fn a_property_that_the_point_cannot_serve_is_refused() {
        let definition = |value_type, access| PropertyDefinition::new(value_type, access);
        let method = Point { method: Some("ns=2;s=Start".into()), ..point() };
        assert!(method.check_for(&definition(ValueType::Json, Access::Write)).is_ok());
        assert!(method.check_for(&definition(ValueType::Json, Access::ReadWrite)).is_err());
        let named = Point { server_enum: true, ..point() };
        assert!(named.check_for(&definition(ValueType::String, Access::Read)).is_ok());
        assert!(named.check_for(&definition(ValueType::Int, Access::Read)).is_err());
        let name = Point { attribute: Some(4), ..point() };
        assert!(name.check_for(&definition(ValueType::String, Access::ReadWrite)).is_err());
    }
}
