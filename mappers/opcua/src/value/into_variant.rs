//! What is to be written, as the type that the node has.

use std::str::FromStr as _;

use base64::Engine as _;
use mapper_sdk::Fault;
use opcua_types::status_code::SubStatusCode;
use opcua_types::{
    Array, ByteString, DateTime, Guid, LocalizedText, NodeId, QualifiedName, StatusCode, UAString, Variant,
    VariantScalarTypeId, XmlElement,
};
use serde_json::Value as Json;
use twin_core::Value;

/// The type of a node's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// The type of the value, or of the items of an array.
    pub scalar: VariantScalarTypeId,
    /// Whether it is an array; unknown where the node takes both.
    pub array: Option<bool>,
}

/// The value as the node has it.
///
/// # Errors
/// [`Fault::Unsuitable`] when the node's type cannot hold it.
pub fn variant_of(value: &Value, shape: Shape) -> Result<Variant, Fault> {
    let json = value.to_json();
    if let Json::Array(items) = &json
        && shape.array != Some(false)
    {
        return array_of(items, shape.scalar);
    }
    if shape.array == Some(true) {
        return Err(Fault::Unsuitable("the node holds an array: write a JSON array".into()));
    }
    if let (Value::Bytes(bytes), VariantScalarTypeId::ByteString) = (value, shape.scalar) {
        return Ok(Variant::ByteString(ByteString::from(bytes.as_slice())));
    }
    scalar_of(&json, shape.scalar)
}

/// An array, or arrays in arrays of equal length.
fn array_of(items: &[Json], scalar: VariantScalarTypeId) -> Result<Variant, Fault> {
    let mut dimensions = vec![items.len()];
    let mut flat: Vec<&Json> = items.iter().collect();
    while let Some(Json::Array(first)) = flat.first().copied() {
        let size = first.len();
        let mut next = Vec::with_capacity(flat.len() * size);
        for row in flat {
            let Some(row) = row.as_array().filter(|row| row.len() == size) else {
                return Err(Fault::Unsuitable("the rows of the array differ in length".into()));
            };
            next.extend(row);
        }
        dimensions.push(size);
        flat = next;
        if dimensions.len() > 8 {
            return Err(Fault::Unsuitable("the array has more than 8 dimensions".into()));
        }
    }
    let values: Vec<Variant> =
        flat.into_iter().map(|item| scalar_of(item, scalar)).collect::<Result<_, _>>()?;
    let array = if dimensions.len() == 1 {
        Array::new(scalar, values)
    } else {
        let dimensions: Vec<u32> = dimensions.into_iter().filter_map(|n| u32::try_from(n).ok()).collect();
        Array::new_multi(scalar, values, dimensions)
    };
    array.map(|array| Variant::Array(Box::new(array))).map_err(|error| Fault::Unsuitable(error.to_string()))
}

fn scalar_of(json: &Json, scalar: VariantScalarTypeId) -> Result<Variant, Fault> {
    use VariantScalarTypeId as T;
    let wrong = || {
        let shown: String = json.to_string().chars().take(60).collect();
        Fault::Unsuitable(format!("{shown} does not fit {scalar}"))
    };
    let text = || json.as_str().ok_or_else(wrong);
    match scalar {
        T::Boolean => {
            match json.as_bool().or_else(|| whole(json).filter(|n| (0..=1).contains(n)).map(|n| n == 1)) {
                Some(bit) => Ok(Variant::Boolean(bit)),
                None => Err(wrong()),
            }
        }
        T::SByte => integer(json).map(Variant::SByte).ok_or_else(wrong),
        T::Byte => integer(json).map(Variant::Byte).ok_or_else(wrong),
        T::Int16 => integer(json).map(Variant::Int16).ok_or_else(wrong),
        T::UInt16 => integer(json).map(Variant::UInt16).ok_or_else(wrong),
        T::Int32 => integer(json).map(Variant::Int32).ok_or_else(wrong),
        T::UInt32 => integer(json).map(Variant::UInt32).ok_or_else(wrong),
        T::Int64 => integer(json).map(Variant::Int64).ok_or_else(wrong),
        T::UInt64 => match json.as_u64() {
            Some(number) => Ok(Variant::UInt64(number)),
            None => integer(json).map(Variant::UInt64).ok_or_else(wrong),
        },
        T::Float => {
            let number = json.as_f64().ok_or_else(wrong)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "that is what the node holds; too large is refused"
            )]
            let number = number as f32;
            if number.is_finite() { Ok(Variant::Float(number)) } else { Err(wrong()) }
        }
        T::Double => json.as_f64().map(Variant::Double).ok_or_else(wrong),
        T::String => match json {
            Json::String(text) => Ok(Variant::String(UAString::from(text.as_str()))),
            Json::Null => Ok(Variant::String(UAString::null())),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                Ok(Variant::String(UAString::from(json.to_string())))
            }
        },
        T::DateTime => {
            let time = DateTime::parse_from_rfc3339(text()?).map_err(|_| wrong())?;
            Ok(Variant::DateTime(Box::new(time)))
        }
        T::Guid => Guid::from_str(text()?).map(|guid| Variant::Guid(Box::new(guid))).map_err(|_| wrong()),
        T::ByteString => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text()?).map_err(|_| wrong())?;
            Ok(Variant::ByteString(ByteString::from(bytes.as_slice())))
        }
        T::XmlElement => Ok(Variant::XmlElement(XmlElement::from(text()?))),
        T::NodeId => {
            NodeId::from_str(text()?).map(|node| Variant::NodeId(Box::new(node))).map_err(|_| wrong())
        }
        T::ExpandedNodeId => {
            let node = NodeId::from_str(text()?).map_err(|_| wrong())?;
            Ok(Variant::ExpandedNodeId(Box::new(node.into())))
        }
        T::StatusCode => {
            let status = match json.as_u64().and_then(|code| u32::try_from(code).ok()) {
                Some(code) => StatusCode::from(code),
                None => {
                    SubStatusCode::from_str(text()?).map(StatusCode::from_category).map_err(|()| wrong())?
                }
            };
            Ok(Variant::StatusCode(status))
        }
        T::QualifiedName => {
            let text = text()?;
            let (index, name) = match text.split_once(':') {
                Some((index, name)) if index.parse::<u16>().is_ok() => (index.parse().unwrap_or(0), name),
                Some(_) | None => (0, text),
            };
            Ok(Variant::QualifiedName(Box::new(QualifiedName::new(index, name))))
        }
        T::LocalizedText => Ok(Variant::LocalizedText(Box::new(LocalizedText::from(text()?)))),
        // A node that takes anything gets what the JSON says by itself.
        T::Variant => Ok(Variant::Variant(Box::new(any_of(json).ok_or_else(wrong)?))),
        T::ExtensionObject | T::DataValue | T::DiagnosticInfo => {
            Err(Fault::Unsuitable("structures can be read but not written".into()))
        }
    }
}

/// The narrowest honest type for JSON where the node does not say.
fn any_of(json: &Json) -> Option<Variant> {
    match json {
        Json::Bool(bit) => Some(Variant::Boolean(*bit)),
        Json::Number(number) => {
            number.as_i64().map(Variant::Int64).or_else(|| number.as_f64().map(Variant::Double))
        }
        Json::String(text) => Some(Variant::String(UAString::from(text.as_str()))),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn whole(json: &Json) -> Option<i64> {
    if let Json::Bool(bit) = json {
        return Some(i64::from(*bit));
    }
    json.as_i64().or_else(|| {
        let number = json.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9.0e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        let number = number as i64;
        Some(number)
    })
}

fn integer<T: TryFrom<i64>>(json: &Json) -> Option<T> {
    whole(json).and_then(|number| T::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::value_of;
    use opcua_types::ContextOwned;
    use proptest::prelude::*;
    use serde_json::json;

    fn scalar(scalar: VariantScalarTypeId) -> Shape {
        Shape { scalar, array: Some(false) }
    }

    #[test]
    fn a_value_takes_the_type_of_the_node_or_is_refused() {
        use VariantScalarTypeId as T;
        let int = |n| Value::Int(n);
        assert_eq!(variant_of(&int(7), scalar(T::Byte)), Ok(Variant::Byte(7)));
        assert_eq!(variant_of(&int(7), scalar(T::Double)), Ok(Variant::Double(7.0)));
        assert_eq!(variant_of(&int(1), scalar(T::Boolean)), Ok(Variant::Boolean(true)));
        assert_eq!(variant_of(&Value::float(3.0).unwrap(), scalar(T::UInt16)), Ok(Variant::UInt16(3)));
        for (value, of) in [
            (int(256), T::Byte),
            (int(-1), T::UInt64),
            (int(2), T::Boolean),
            (Value::float(1.5).unwrap(), T::Int32),
            (Value::float(1e300).unwrap(), T::Float),
            (Value::String("x".into()), T::Int32),
            (Value::String("yesterday".into()), T::DateTime),
            (Value::Json(json!({})), T::ExtensionObject),
            (Value::Json(json!([1])), T::Int32),
        ] {
            assert!(matches!(variant_of(&value, scalar(of)), Err(Fault::Unsuitable(_))), "{value} as {of}");
        }
    }

    #[test]
    fn arrays_keep_their_dimensions() {
        let shape = Shape { scalar: VariantScalarTypeId::Int16, array: None };
        let context = ContextOwned::default();
        for json in [json!([1, 2, 3]), json!([[1, 2], [3, 4], [5, 6]]), json!([])] {
            let variant = variant_of(&Value::Json(json.clone()), shape).unwrap();
            assert_eq!(value_of(&variant, &context.context()), Ok(Value::Json(json)));
        }
        assert!(variant_of(&Value::Json(json!([[1], [2, 3]])), shape).is_err());
        assert!(variant_of(&Value::Json(json!([[1], 2])), shape).is_err());
        assert!(variant_of(&Value::Json(json!([1, "x"])), shape).is_err());
        let array = Shape { array: Some(true), ..shape };
        assert!(variant_of(&Value::Int(1), array).is_err());
    }

    fn any_scalar() -> impl Strategy<Value = (Value, VariantScalarTypeId)> {
        use VariantScalarTypeId as T;
        prop_oneof![
            any::<bool>().prop_map(|b| (Value::Bool(b), T::Boolean)),
            any::<i8>().prop_map(|n| (Value::Int(n.into()), T::SByte)),
            any::<u16>().prop_map(|n| (Value::Int(n.into()), T::UInt16)),
            any::<u32>().prop_map(|n| (Value::Int(n.into()), T::UInt32)),
            any::<i64>().prop_map(|n| (Value::Int(n), T::Int64)),
            (-1e30f64..1e30).prop_map(|n| (Value::float(n).unwrap(), T::Double)),
            ".{0,20}".prop_map(|s| (Value::String(s), T::String)),
            ".{0,20}".prop_map(|s| (Value::String(s), T::LocalizedText)),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|b| (Value::Bytes(b), T::ByteString)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back((value, of) in any_scalar()) {
            let variant = variant_of(&value, scalar(of)).unwrap();
            let context = ContextOwned::default();
            prop_assert_eq!(value_of(&variant, &context.context()).unwrap(), value);
        }

        #[test]
        fn no_value_makes_it_fail((value, _) in any_scalar(), (_, of) in any_scalar()) {
            let _ = variant_of(&value, scalar(of));
        }
    }
}
