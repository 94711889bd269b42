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
