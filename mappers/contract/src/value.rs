//! A value as it stands in a message, before its property's type is known.

use serde_json::Value as Json;
use twin_core::{TypeMismatch, Value, ValueType};

/// A value as it stands in a message: the wire does not always name its type, the property's definition does.
#[derive(Debug, Clone, PartialEq)]
pub enum WireValue {
    /// A text that parses to the type, as KubeEdge mappers send every value.
    Text(String),
    /// JSON of the type.
    Typed(Json),
}

impl WireValue {
    /// The value, once the type of its property is known.
    ///
    /// # Errors
    /// [`TypeMismatch`] says what came and how a value of the type is written.
    pub fn decode(&self, value_type: ValueType) -> Result<Value, TypeMismatch> {
        match self {
            Self::Typed(json) => Value::from_json(value_type, json),
            Self::Text(text) if value_type == ValueType::Json => {
                let json = serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()));
                Value::from_json(value_type, &json)
            }
            Self::Text(text) => Value::from_json(value_type, &Json::String(text.clone())),
        }
    }

    /// The value as KubeEdge clients read it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Typed(Json::String(text)) => text.clone(),
            Self::Typed(json) => json.to_string(),
        }
    }

    /// The JSON of its type, where it is known.
    #[must_use]
    pub fn typed(&self) -> Option<&Json> {
        match self {
            Self::Typed(json) => Some(json),
            Self::Text(_) => None,
        }
    }

    /// How long its text or JSON is, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Typed(Json::String(text)) => text.len(),
            Self::Typed(Json::Null | Json::Bool(_) | Json::Number(_)) => size_of::<f64>(),
            Self::Typed(json @ (Json::Array(_) | Json::Object(_))) => {
                let mut count = Count(0);
                // Counting cannot fail: the keys of a JSON object are texts.
                let _ = serde_json::to_writer(&mut count, json);
                count.0
            }
        }
    }

    /// Puts together what stands in `value` and `typed`; none when neither says anything.
    pub(crate) fn from_parts(value: Option<Json>, typed: Option<Json>) -> Option<Self> {
        match (value, typed) {
            (_, Some(typed)) if !typed.is_null() => Some(Self::Typed(typed)),
            (Some(Json::String(text)), _) => Some(Self::Text(text)),
            (Some(json), _) if !json.is_null() => Some(Self::Typed(json)),
            (Some(_) | None, _) => None,
        }
    }
}

impl From<&Value> for WireValue {
    fn from(value: &Value) -> Self {
        Self::Typed(value.to_json())
    }
}

impl From<Value> for WireValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Json(json) => Self::Typed(json),
            other @ (Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Bytes(_)) => Self::Typed(other.to_json()),
        }
    }
}

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0 += buf.len();
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The name of a type as KubeEdge writes it; its four, and ours for the other two.
pub(crate) fn type_word(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Bool => "boolean",
        ValueType::Int => "int",
        ValueType::Float => "float",
        ValueType::String => "string",
        ValueType::Bytes => "bytes",
        ValueType::Json => "json",
    }
}

/// The type of a name, with the other spellings in use; none when it is none of them.
pub(crate) fn type_from_word(word: &str) -> Option<ValueType> {
    match word {
        "boolean" | "bool" => Some(ValueType::Bool),
        "int" | "integer" | "long" => Some(ValueType::Int),
        "float" | "double" => Some(ValueType::Float),
        "string" => Some(ValueType::String),
        "bytes" => Some(ValueType::Bytes),
        "json" => Some(ValueType::Json),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter_map("finite", |f| Value::float(f).ok()),
            ".{0,40}".prop_map(Value::String),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            (any::<i32>(), ".{0,8}").prop_map(|(n, s)| Value::Json(json!({"n": n, "s": [s]}))),
        ]
    }

    pub(crate) fn any_wire_value() -> impl Strategy<Value = WireValue> {
        prop_oneof![any_value().prop_map(WireValue::from), ".{0,40}".prop_map(WireValue::Text)]
    }

    proptest! {
        #[test]
        fn a_value_survives_the_wire_typed_and_as_text(value in any_value()) {
            let typed = WireValue::from(&value);
            prop_assert_eq!(typed.decode(value.value_type()).unwrap(), value.clone());
            let text = WireValue::Text(typed.text());
            prop_assert_eq!(text.decode(value.value_type()).unwrap(), value);
        }
    }

    #[test]
    fn a_json_property_takes_json_in_a_text_and_any_other_text_as_it_is() {
        let decode = |text: &str| WireValue::Text(text.into()).decode(ValueType::Json).unwrap();
        assert_eq!(decode(r#"{"a":[1]}"#), Value::Json(json!({"a": [1]})));
        assert_eq!(decode("on fire"), Value::Json(json!("on fire")));
    }

    #[test]
    fn json_in_a_text_keeps_the_bounds_of_any_json() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(WireValue::Text(deep).decode(ValueType::Json).is_err());
        assert!(WireValue::Text("x".repeat(Value::MAX_BYTES)).decode(ValueType::Json).is_err());
    }
}
