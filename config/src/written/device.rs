//! Models and devices, without their properties and protocols, which are read one by one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What several devices have in common.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ModelWritten {
    /// A line for people, taken over by devices that have none of their own.
    pub(crate) description: Option<String>,
}

/// One device. Next to these keys stands that of its protocol, which says how it is reached; a device without one is
/// served over MQTT by a mapper outside the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct DeviceWritten {
    /// The model whose properties it has.
    pub(crate) model: Option<String>,
    /// A line for people.
    pub(crate) description: Option<String>,
    /// Words for filters.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// Devices of one model from a table: one row a device.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TableWritten {
    /// The CSV file, relative to the file that names it.
    pub(crate) file: String,
    /// The model of all its devices.
    pub(crate) model: String,
    /// The name of a device, with columns in it: meter-$(id). Default: $(name)
    pub(crate) name: Option<String>,
    /// Labels of all its devices.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}
