//! What a server says, as a value. (OPC 10000-6, 5.1)

use mapper_sdk::Fault;
use opcua_types::{Context, DateTime, Variant};
use twin_core::{Timestamp, Value};

use super::json::json_of;

/// The value that a variant holds; arrays and structures become JSON.
///
/// # Errors
/// [`Fault::NotAValue`] when it holds none, for example NaN.
pub fn value_of(variant: &Variant, context: &Context<'_>) -> Result<Value, Fault> {
    if let Some(plain) = plain_value(variant) {
        return plain;
    }
    if let Variant::Variant(inner) = variant {
        return value_of(inner, context);
    }
    let Variant::DataValue(inner) = variant else { return json_of(variant, context).map(Value::Json) };
    inner.value.as_ref().map_or_else(
        || Err(Fault::NotAValue("the server has no value".into())),
        |value| value_of(value, context),
    )
}

/// The value of a variant that needs nothing to be understood; none where it needs the types of the server.
pub(crate) fn plain_value(variant: &Variant) -> Option<Result<Value, Fault>> {
    let float = |number: f64| Value::float(number).map_err(|_| Fault::NotAValue(format!("{number}")));
    Some(match variant {
        Variant::Empty => Err(Fault::NotAValue("the server has no value".into())),
        Variant::Boolean(bit) => Ok(Value::Bool(*bit)),
        Variant::SByte(number) => Ok(Value::Int((*number).into())),
        Variant::Byte(number) => Ok(Value::Int((*number).into())),
        Variant::Int16(number) => Ok(Value::Int((*number).into())),
        Variant::UInt16(number) => Ok(Value::Int((*number).into())),
        Variant::Int32(number) => Ok(Value::Int((*number).into())),
        Variant::UInt32(number) => Ok(Value::Int((*number).into())),
        Variant::Int64(number) => Ok(Value::Int(*number)),
        Variant::UInt64(number) => i64::try_from(*number)
            .map(Value::Int)
            .map_err(|_| Fault::NotAValue(format!("{number} is more than 64 bits with a sign can hold"))),
        Variant::Float(number) => float(shortest(*number)),
        Variant::Double(number) => float(*number),
        Variant::ByteString(bytes) => Ok(Value::Bytes(bytes.as_ref().to_vec())),
        Variant::String(_)
        | Variant::DateTime(_)
        | Variant::Guid(_)
        | Variant::StatusCode(_)
        | Variant::XmlElement(_)
        | Variant::QualifiedName(_)
        | Variant::LocalizedText(_)
        | Variant::NodeId(_)
        | Variant::ExpandedNodeId(_) => Ok(Value::String(text_of(variant))),
        Variant::Variant(_)
        | Variant::DataValue(_)
        | Variant::ExtensionObject(_)
        | Variant::DiagnosticInfo(_)
        | Variant::Array(_) => return None,
    })
}

/// What is best written as text.
pub(super) fn text_of(variant: &Variant) -> String {
    match variant {
        Variant::String(text) => text.as_ref().to_owned(),
        Variant::DateTime(time) => time.to_rfc3339(),
        Variant::Guid(guid) => guid.to_string(),
        Variant::StatusCode(status) => crate::status::words(*status),
        Variant::XmlElement(xml) => xml.to_string(),
        Variant::QualifiedName(name) if name.namespace_index == 0 => name.name.as_ref().to_owned(),
        Variant::QualifiedName(name) => format!("{}:{}", name.namespace_index, name.name.as_ref()),
        Variant::LocalizedText(text) => text.text.as_ref().to_owned(),
        Variant::NodeId(node) => node.to_string(),
        Variant::ExpandedNodeId(node) => node.to_string(),
        Variant::Empty
        | Variant::Boolean(_)
        | Variant::SByte(_)
        | Variant::Byte(_)
        | Variant::Int16(_)
        | Variant::UInt16(_)
        | Variant::Int32(_)
        | Variant::UInt32(_)
        | Variant::Int64(_)
        | Variant::UInt64(_)
        | Variant::Float(_)
        | Variant::Double(_)
        | Variant::ByteString(_)
        | Variant::ExtensionObject(_)
        | Variant::Variant(_)
        | Variant::DataValue(_)
        | Variant::DiagnosticInfo(_)
        | Variant::Array(_) => variant.to_string(),
    }
}

/// The number that a person would have written: 0.1 and not 0.10000000149.
pub(super) fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// A server's time; none when it gives none.
#[must_use]
pub(crate) fn moment(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time.filter(|time| !time.is_null())?;
    Some(Timestamp::from_millis(time.as_chrono().timestamp_millis()))
}
