//! A device with a summary of its properties.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twin_core::{Device, DeviceId, Revision, Timestamp};
use utoipa::ToSchema;

use crate::serving::ServingView;
use crate::words::StateWord;

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceView {
    /// `namespace/name`.
    pub id: String,
    /// The part before the slash.
    pub namespace: String,
    /// The part after the slash.
    pub name: String,
    /// Which mapper serves it; empty for a device that is served over MQTT by others.
    pub protocol: String,
    /// The model it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether it answers.
    pub state: StateWord,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_since: Option<i64>,
    /// How many properties it has.
    pub properties: u64,
    /// How many of them hold a value that is not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_good: Option<u64>,
    /// How it stands with the gateway that serves it; left out in the cloud, and for a device that a mapper outside the
    /// gateway serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingView>,
    /// The edge's revision of what is said here.
    pub revision: u64,
}

/// Devices in order of name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DevicePage {
    /// The devices.
    pub items: Vec<DeviceView>,
    /// To be given as `after` for the next page; left out when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl DeviceView {
    /// A device as its edge describes it; `not_good` where it has been counted.
    #[must_use]
    pub fn new(id: &DeviceId, device: &Device, revision: Revision, not_good: Option<u64>) -> Self {
        let definition = &device.definition;
        Self {
            id: id.to_string(),
            namespace: id.namespace().to_owned(),
            name: id.name().to_owned(),
            protocol: definition.protocol.clone(),
            model: definition.model.clone(),
            description: definition.description.clone(),
            labels: definition.labels.clone(),
            state: device.state.into(),
            state_since: device.state_since.map(Timestamp::as_millis),
            properties: u64::try_from(definition.properties.len()).unwrap_or(u64::MAX),
            not_good,
            serving: None,
            revision: revision.get(),
        }
    }
}
