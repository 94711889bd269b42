//! Arrays and structures as JSON.

use mapper_sdk::Fault;
use opcua_types::json::{JsonStreamWriter, JsonWriter as _};
use opcua_types::{Array, ByteStringBody, Context, ExtensionObject, Variant};
use serde_json::{Map, Value as Json};
use twin_core::Value;

use super::from_variant::{text_of, value_of};

/// How deep variants may lie in each other.
const MAX_DEPTH: usize = 32;

/// What a variant holds, as JSON: numbers as numbers, arrays as arrays (of arrays), structures as objects.
pub(super) fn json_of(variant: &Variant, context: &Context<'_>) -> Result<Json, Fault> {
    nested(variant, context, MAX_DEPTH)
}

fn nested(variant: &Variant, context: &Context<'_>, depth: usize) -> Result<Json, Fault> {
    let deeper = depth.checked_sub(1).ok_or_else(|| Fault::NotAValue("a value that is too deep".into()))?;
    match variant {
        Variant::Empty => Ok(Json::Null),
        // A number that JSON does not have is nothing in an array, and no reason to lose the others.
        Variant::Float(number) if !number.is_finite() => Ok(Json::Null),
        Variant::Double(number) if !number.is_finite() => Ok(Json::Null),
        Variant::UInt64(number) => Ok((*number).into()),
        Variant::Array(array) => array_of(array, context, deeper),
        Variant::ExtensionObject(object) => object_of(object, context),
        Variant::Variant(inner) => nested(inner, context, deeper),
        Variant::DataValue(inner) => {
            inner.value.as_ref().map_or(Ok(Json::Null), |value| nested(value, context, deeper))
        }
        Variant::DiagnosticInfo(info) => Ok(Json::String(format!("{info:?}"))),
        Variant::Boolean(_)
        | Variant::SByte(_)
        | Variant::Byte(_)
        | Variant::Int16(_)
        | Variant::UInt16(_)
        | Variant::Int32(_)
        | Variant::UInt32(_)
        | Variant::Int64(_)
        | Variant::Float(_)
        | Variant::Double(_)
        | Variant::ByteString(_) => value_of(variant, context).map(|value| value.to_json()),
        Variant::String(_)
        | Variant::DateTime(_)
        | Variant::Guid(_)
        | Variant::StatusCode(_)
        | Variant::XmlElement(_)
        | Variant::QualifiedName(_)
        | Variant::LocalizedText(_)
        | Variant::NodeId(_)
        | Variant::ExpandedNodeId(_) => Ok(Json::String(text_of(variant))),
    }
}

fn array_of(array: &Array, context: &Context<'_>, depth: usize) -> Result<Json, Fault> {
    let items: Result<Vec<Json>, Fault> =
        array.values.iter().map(|value| nested(value, context, depth)).collect();
    let dimensions: Vec<usize> =
        array.dimensions.iter().flatten().filter_map(|n| usize::try_from(*n).ok()).collect();
    Ok(folded(items?, &dimensions))
}

/// Items in the order of their indices, the last one running fastest, as arrays in arrays. (OPC 10000-6, 5.2.2.16)
fn folded(items: Vec<Json>, dimensions: &[usize]) -> Json {
    let (Some((_, inner)), Some(_)) = (dimensions.split_first(), dimensions.get(1)) else {
        return Json::Array(items);
    };
    let size: usize = inner.iter().product();
    if size == 0 || dimensions.iter().product::<usize>() != items.len() {
        return Json::Array(items);
    }
    let mut rest = items.into_iter();
    let mut rows = Vec::new();
    loop {
        let row: Vec<Json> = rest.by_ref().take(size).collect();
        if row.is_empty() {
            return Json::Array(rows);
        }
        rows.push(folded(row, inner));
    }
}

/// A structure as an object with the names of its fields.
fn object_of(object: &ExtensionObject, context: &Context<'_>) -> Result<Json, Fault> {
    let understood = understood(object, context)?;
    let Some(body) = &understood.as_ref().unwrap_or(object).body else { return Ok(Json::Null) };
    let mut text = Vec::new();
    {
        let mut out: &mut dyn std::io::Write = &mut text;
        let mut stream = JsonStreamWriter::new(&mut out as &mut dyn std::io::Write);
        body.encode_json(&mut stream, context)
            .map_err(|error| Fault::NotAValue(format!("a structure that cannot be shown: {error}")))?;
        stream.finish_document().map_err(|error| Fault::NotAValue(error.to_string()))?;
    }
    if text.len() > Value::MAX_BYTES {
        return Err(Fault::NotAValue(format!("a structure of {} bytes, more than 64 KiB", text.len())));
    }
    let json: Json = serde_json::from_slice(&text).map_err(|error| Fault::NotAValue(error.to_string()))?;
    Ok(plain(json))
}

/// A structure that came before its type was known; none when it is known already.
fn understood(object: &ExtensionObject, context: &Context<'_>) -> Result<Option<ExtensionObject>, Fault> {
    let Some(raw) = object.inner_as::<ByteStringBody>() else { return Ok(None) };
    let mut bytes = raw.raw_body().as_ref();
    let found = context.load_from_binary(raw.encoding_id(), &mut bytes, Some(raw.raw_body().len()));
    let found =
        found.map_err(|error| Fault::NotAValue(format!("a structure that cannot be read: {error}")))?;
    if found.inner_is::<ByteStringBody>() {
        let message =
            format!("a structure of a type that the server does not tell of ({})", raw.encoding_id());
        return Err(Fault::NotAValue(message));
    }
    Ok(Some(found))
}

/// JSON without the wrappers that the protocol puts around texts with a locale and around variants.
fn plain(json: Json) -> Json {
    match json {
        Json::Object(mut members) => {
            if members.contains_key("Text") && members.keys().all(|key| key == "Text" || key == "Locale") {
                return members.remove("Text").unwrap_or(Json::Null);
            }
            if let Some(body) = wrapped(&mut members) {
                return plain(body);
            }
            Json::Object(members.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(plain).collect()),
        other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => other,
    }
}

/// What is inside a variant (`Type` and `Body`) or an extension object (`TypeId` and `Body`).
fn wrapped(members: &mut Map<String, Json>) -> Option<Json> {
    let is_wrapper = |key: &String| {
        ["Type", "TypeId", "UaType", "UaTypeId", "Encoding", "UaEncoding", "Body", "Value"]
            .contains(&key.as_str())
    };
    let has_type = ["Type", "TypeId", "UaType", "UaTypeId"].iter().any(|key| members.contains_key(*key));
    if !has_type || !members.keys().all(is_wrapper) {
        return None;
    }
    members.remove("Body").or_else(|| members.remove("Value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua_types::{ContextOwned, EUInformation, VariantScalarTypeId};
    use serde_json::json;

    fn context() -> ContextOwned {
        ContextOwned::default()
    }

    #[test]
    fn a_matrix_is_arrays_in_arrays() {
        let values: Vec<Variant> = (0..6).map(Variant::Int32).collect();
        let array = Array::new_multi(VariantScalarTypeId::Int32, values, vec![2u32, 3]).unwrap();
        let context = context();
        let found = json_of(&Variant::Array(Box::new(array)), &context.context()).unwrap();
        assert_eq!(found, json!([[0, 1, 2], [3, 4, 5]]));
    }

    #[test]
    fn what_json_has_no_number_for_is_nothing_and_its_neighbours_stay() {
        let values = vec![Variant::Double(1.5), Variant::Double(f64::NAN)];
        let array = Array::new(VariantScalarTypeId::Double, values).unwrap();
        let context = context();
        let found = json_of(&Variant::Array(Box::new(array)), &context.context()).unwrap();
        assert_eq!(found, json!([1.5, null]));
    }

    #[test]
    fn a_structure_is_an_object_with_its_names() {
        let unit = EUInformation {
            namespace_uri: "http://www.opcfoundation.org/UA/units/un/cefact".into(),
            unit_id: 4_408_652,
            display_name: "°C".into(),
            description: "degree Celsius".into(),
        };
        let context = context();
        let variant = Variant::ExtensionObject(ExtensionObject::from_message(unit));
        let found = json_of(&variant, &context.context()).unwrap();
        assert_eq!(found["DisplayName"], "°C");
        assert_eq!(found["UnitId"], 4_408_652);
    }

    #[test]
    fn variants_that_lie_too_deep_in_each_other_are_no_value() {
        let mut variant = Variant::Int32(1);
        for _ in 0..100 {
            variant = Variant::Variant(Box::new(variant));
        }
        let context = context();
        assert!(json_of(&variant, &context.context()).is_err());
    }
}
