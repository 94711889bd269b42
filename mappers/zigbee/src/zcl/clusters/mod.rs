//! Clusters and their attributes by name, with type, scale and unit.

mod general;
mod home;
mod measurement;

use crate::zcl::types::TypeId;

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Its number.
    pub id: u16,
    /// Its name in a configuration.
    pub name: &'static str,
    /// The attributes that are known by name.
    pub attributes: &'static [Attribute],
}

/// How an attribute is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// Not at all.
    Never,
    /// By Write Attributes.
    Attribute,
    /// By a command of the cluster.
    Command(Command),
}

/// A command that sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// On or Off. (3.8.2.3)
    OnOff,
    /// Move to Level (with On/Off). (3.10.2.3.1)
    MoveToLevel,
    /// Move to Color Temperature. (5.2.2.3.13)
    MoveToColorTemperature,
    /// Go to Lift Percentage. (7.4.2.2.5)
    GoToLiftPercentage,
}

/// An attribute.
#[derive(Debug)]
pub struct Attribute {
    /// Its number.
    pub id: u16,
    /// Its name in a configuration.
    pub name: &'static str,
    /// Its type.
    pub kind: TypeId,
    /// The value is the number times this.
    pub scale: f64,
    /// The unit of the scaled value; empty where there is none.
    pub unit: &'static str,
    /// How it is written.
    pub writing: Writing,
    /// The bit that the name means, of an attribute with several.
    pub bit: Option<u8>,
    /// The attributes that hold the multiplier and the divisor, where the device says its scale itself.
    pub formatting: Option<(u16, u16)>,
    /// The least change that is reported when nothing is written, in the scaled value.
    pub change: f64,
    /// It comes by a notification of its cluster, not by reports.
    pub notified: bool,
}

/// An attribute that can only be read and is as it is.
const fn read(id: u16, name: &'static str, kind: TypeId) -> Attribute {
    Attribute {
        id,
        name,
        kind,
        scale: 1.0,
        unit: "",
        writing: Writing::Never,
        bit: None,
        formatting: None,
        change: 0.0,
        notified: false,
    }
}

/// An attribute that can be written too.
const fn write(id: u16, name: &'static str, kind: TypeId) -> Attribute {
    Attribute { writing: Writing::Attribute, ..read(id, name, kind) }
}

impl Attribute {
    const fn scaled(self, scale: f64, unit: &'static str) -> Self {
        Self { scale, unit, ..self }
    }
    const fn change(self, change: f64) -> Self {
        Self { change, ..self }
    }
    const fn by(self, command: Command) -> Self {
        Self { writing: Writing::Command(command), ..self }
    }
    const fn formatted(self, multiplier: u16, divisor: u16) -> Self {
        Self { formatting: Some((multiplier, divisor)), ..self }
    }
}

/// Every cluster that is known by name.
#[must_use]
pub fn all() -> [&'static [Cluster]; 3] {
    [general::CLUSTERS, measurement::CLUSTERS, home::CLUSTERS]
}

/// The cluster with this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Cluster> {
    all().into_iter().flatten().find(|cluster| cluster.name == name)
}

/// The cluster with this number.
#[must_use]
pub fn numbered(id: u16) -> Option<&'static Cluster> {
    all().into_iter().flatten().find(|cluster| cluster.id == id)
}

impl Cluster {
    /// The attribute with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The attribute with this number.
    #[must_use]
    pub fn numbered(&self, id: u16) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }
}

/// Numbers of clusters that the code itself speaks of.
pub mod id {
    /// Basic.
    pub const BASIC: u16 = 0x0000;
    /// Power Configuration.
    pub const POWER: u16 = 0x0001;
    /// Identify.
    pub const IDENTIFY: u16 = 0x0003;
    /// On/Off.
    pub const ON_OFF: u16 = 0x0006;
    /// Level Control.
    pub const LEVEL: u16 = 0x0008;
    /// Window Covering.
    pub const COVERING: u16 = 0x0102;
    /// Thermostat.
    pub const THERMOSTAT: u16 = 0x0201;
    /// Color Control.
    pub const COLOR: u16 = 0x0300;
    /// Illuminance Measurement.
    pub const ILLUMINANCE: u16 = 0x0400;
    /// Temperature Measurement.
    pub const TEMPERATURE: u16 = 0x0402;
    /// Relative Humidity.
    pub const HUMIDITY: u16 = 0x0405;
    /// Occupancy Sensing.
    pub const OCCUPANCY: u16 = 0x0406;
    /// IAS Zone.
    pub const IAS_ZONE: u16 = 0x0500;
    /// Metering.
    pub const METERING: u16 = 0x0702;
    /// Electrical Measurement.
    pub const ELECTRICAL: u16 = 0x0B04;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_and_no_number_is_there_twice() {
        let clusters: Vec<_> = all().into_iter().flatten().collect();
        let names: BTreeSet<_> = clusters.iter().map(|cluster| cluster.name).collect();
        let ids: BTreeSet<_> = clusters.iter().map(|cluster| cluster.id).collect();
        assert_eq!((names.len(), ids.len()), (clusters.len(), clusters.len()));
        for cluster in clusters {
            let names: BTreeSet<_> = cluster.attributes.iter().map(|attribute| attribute.name).collect();
            let places: BTreeSet<_> = cluster.attributes.iter().map(|a| (a.id, a.bit)).collect();
            assert_eq!(names.len(), cluster.attributes.len(), "{}", cluster.name);
            assert_eq!(places.len(), cluster.attributes.len(), "{}", cluster.name);
            assert!(cluster.attributes.iter().all(|attribute| attribute.kind.shape().is_some()));
        }
    }
}
