//! What the configuration says of a property.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{PropertyDefinition, Value};
use utoipa::ToSchema;

use crate::words::{AccessWord, TypeWord};

/// What the configuration says of a property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionView {
    /// The type of its values.
    #[serde(rename = "type")]
    pub value_type: TypeWord,
    /// What may be done with it.
    pub access: AccessWord,
    /// The unit, as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The numbers allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeView>,
    /// The values allowed, when they can be counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Json>,
    /// How far a float read back may lie from the one written, in the property's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

/// The lowest and highest number allowed, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RangeView {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl From<&PropertyDefinition> for DefinitionView {
    fn from(definition: &PropertyDefinition) -> Self {
        Self {
            value_type: definition.value_type.into(),
            access: definition.access.into(),
            unit: definition.unit.clone(),
            description: definition.description.clone(),
            range: definition.range.map(|range| RangeView { min: range.min, max: range.max }),
            one_of: definition.one_of.iter().map(Value::to_json).collect(),
            tolerance: definition.tolerance,
        }
    }
}
