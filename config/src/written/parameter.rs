//! A parameter of a model.

use schemars::JsonSchema;
use serde::Deserialize;

/// What each device of the model may say by itself; without a default it must.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ParameterWritten {
    /// The type of its value.
    #[serde(rename = "type")]
    pub(crate) value_type: ParameterType,
    /// A line for people.
    #[serde(rename = "description", default)]
    pub(crate) _description: Option<String>,
    /// The lowest and the highest number allowed.
    pub(crate) range: Option<(f64, f64)>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParameterType {
    /// On or off.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Text.
    String,
}
