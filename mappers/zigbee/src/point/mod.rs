//! Where a property lives in a ZigBee device, as it is written.

mod resolve;
mod value;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{PropertyDefinition, ValueType};

pub use mapper_sdk::Number;
pub use resolve::{Resolved, Writes};
pub use words::Name;

/// Where a property lives: `zigbee: {cluster: temperature, attribute: measured_value}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The cluster, by its name such as `temperature` or by its number such as `0x0402`.
    pub cluster: Name,
    /// The attribute, by its name such as `measured_value` or by its number such as `0x0000`.
    pub attribute: Name,
    /// The endpoint, 1 to 240. Default: that of the device
    #[serde(default)]
    pub endpoint: Option<u8>,
    /// The type, for attributes that are written as a number: `int16`, `uint8`, `bool`, `bitmap16`, `enum8`, `string`, ...
    #[serde(default, rename = "type")]
    pub data_type: Option<String>,
    /// The code of the maker, of attributes that are its own.
    #[serde(default)]
    pub manufacturer: Option<u16>,
    /// The value is the number in the device times this. Default: as the cluster, or the device itself, says
    #[serde(default)]
    pub scale: Option<Number>,
    /// One bit of a number, 0 (lowest) to 63.
    #[serde(default)]
    pub bit: Option<u8>,
    /// What the numbers are called: `{0: "off", 4: heat}`. The property is a string then.
    #[serde(default, rename = "enum")]
    pub names: BTreeMap<i64, String>,
    /// How often the device reports it.
    #[serde(default)]
    pub reporting: Reporting,
}

/// How often a device reports an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reporting {
    /// Not more often than this, whole seconds. Default: 1s
    #[serde(default)]
    pub min: Option<BoundedDuration<0, 64_800_000>>,
    /// Not less often than this, whole seconds. Default: 1m, of devices that sleep 5m, of batteries 1h
    #[serde(default)]
    pub max: Option<BoundedDuration<1_000, 64_800_000>>,
    /// The least change of the property that is reported.
    #[serde(default)]
    pub change: Option<Number>,
}

impl Point {
    /// A point of a cluster that is known by name.
    #[must_use]
    pub fn named(cluster: &str, attribute: &str) -> Self {
        Self { cluster: Name(cluster.to_owned()), attribute: Name(attribute.to_owned()), ..Self::default() }
    }

    /// The same, reported at least as often as this.
    #[must_use]
    pub fn reported_every(mut self, max: Duration) -> Self {
        let ms = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        self.reporting.max = BoundedDuration::from_millis(ms).ok();
        self
    }
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        self.resolve(1).map(|_| ())
    }

    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        let resolved = self.resolve(1)?;
        if property.access.writable() && resolved.writes == Writes::Never {
            let message =
                format!("a writable property cannot live in `{}`, which can only be read", self.attribute);
            return Err(CheckFault::new("attribute", message, "use another attribute, or `access: read`"));
        }
        let found = resolved.value_type();
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
        let message = format!("the attribute holds a {found}, the property is a {}", property.value_type);
        Err(CheckFault::new("attribute", message, format!("write `type: {found}` for the property")))
    }
}

#[cfg(test)]
mod tests {
    use twin_core::Access;

    use super::*;

    fn raw(cluster: &str, attribute: &str, kind: &str) -> Point {
        Point { data_type: Some(kind.to_owned()), ..Point::named(cluster, attribute) }
    }

    #[test]
    fn a_name_and_its_number_are_the_same_place() {
        let named = Point::named("temperature", "measured_value").resolve(1).unwrap();
        let numbered = Point::named("0x0402", "0").resolve(1).unwrap();
        assert_eq!(named.place, numbered.place);
        assert_eq!(named.scale, 0.01);
        assert_eq!(numbered.scale, 0.01);
        let own = raw("0xFC00", "0x0001", "uint16").resolve(3).unwrap();
        assert_eq!((own.place.endpoint, own.place.cluster, own.scale), (3, 0xFC00, 1.0));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        let field = |point: Point| point.check().unwrap_err().field;
        assert_eq!(field(Point::named("temprature", "measured_value")), "cluster");
        assert_eq!(field(Point::named("temperature", "value")), "attribute");
        assert_eq!(field(Point::named("0xFC00", "1")), "type");
        assert_eq!(field(raw("0xFC00", "1", "int17")), "type");
        assert_eq!(field(raw("temperature", "measured_value", "uint8")), "type");
        let point = || Point::named("temperature", "measured_value");
        assert_eq!(field(Point { endpoint: Some(0), ..point() }), "endpoint");
        assert_eq!(field(Point { scale: Some(Number(0.0)), ..point() }), "scale");
        assert_eq!(field(Point { bit: Some(64), ..Point::named("occupancy", "occupancy") }), "bit");
        assert_eq!(field(Point { bit: Some(1), ..Point::named("basic", "model_identifier") }), "bit");
        let second = BoundedDuration::from_millis(1_000).ok();
        let hour = BoundedDuration::from_millis(3_600_000).ok();
        let reporting = Reporting { min: hour, max: second, change: None };
        assert_eq!(field(Point { reporting, ..point() }), "reporting.max");
        let reporting = Reporting { change: Some(Number(-1.0)), ..Reporting::default() };
        assert_eq!(field(Point { reporting, ..point() }), "reporting.change");
    }

    #[test]
    fn a_property_that_the_point_cannot_serve_is_refused() {
        let definition = |value_type, access| PropertyDefinition::new(value_type, access);
        let temperature = Point::named("temperature", "measured_value");
        assert!(temperature.check_for(&definition(ValueType::Float, Access::Read)).is_ok());
        assert!(temperature.check_for(&definition(ValueType::Float, Access::ReadWrite)).is_err());
        assert!(temperature.check_for(&definition(ValueType::Bool, Access::Read)).is_err());
        let plug = Point::named("on_off", "on_off");
        assert!(plug.check_for(&definition(ValueType::Bool, Access::ReadWrite)).is_ok());
        let alarm = Point::named("ias_zone", "alarm_1");
        assert!(alarm.check_for(&definition(ValueType::Bool, Access::Read)).is_ok());
        let names = BTreeMap::from([(0, "off".to_owned()), (4, "heat".to_owned())]);
        let mode = Point { names, ..Point::named("thermostat", "system_mode") };
        assert!(mode.check_for(&definition(ValueType::String, Access::ReadWrite)).is_ok());
    }
}
