//! What comes over REST, and values as JSON.

use twin_api::Condition;
use twin_core::{
    Access, DeviceDefinition, Outcome, Part, PropertyDefinition, Quality, Reported, Revision, Timestamp,
    Value, ValueType, WriteResult,
};
use twin_store::ChangesToken;

use super::text;

/// The body of a `PATCH` of desired values.
pub fn merge_patch(data: &[u8]) {
    let Ok(patch) = serde_json::from_slice(data) else { return };
    let property = |n: &str, value_type| {
        (n.parse().expect("a property name"), PropertyDefinition::new(value_type, Access::ReadWrite))
    };
    let properties = [
        property("on", ValueType::Bool),
        property("speed", ValueType::Int),
        property("heat", ValueType::Float),
        property("name", ValueType::String),
        property("raw", ValueType::Bytes),
        property("recipe", ValueType::Json),
    ];
    let definition =
        DeviceDefinition { properties: properties.into_iter().collect(), ..DeviceDefinition::default() };
    let id = "plant/pump".parse().expect("a device id");
    let now = Timestamp::from_millis(1000);
    if let Ok(wishes) = twin_api::read_wishes(&id, &definition, &patch, now) {
        wishes.iter().filter_map(|wish| wish.wanted.as_ref()).for_each(|wanted| stored(&wanted.value));
    }
}

/// A value of any type, which the first byte names.
pub fn value_json(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let Ok(json) = serde_json::from_slice(body) else { return };
    let value_type = match kind % 6 {
        0 => ValueType::Bool,
        1 => ValueType::Int,
        2 => ValueType::Float,
        3 => ValueType::String,
        4 => ValueType::Bytes,
        _ => ValueType::Json,
    };
    match Value::from_json(value_type, &json) {
        Ok(value) => {
            assert_eq!(value.value_type(), value_type);
            assert_eq!(Value::from_json(value_type, &value.to_json()).as_ref(), Ok(&value));
            stored(&value);
        }
        Err(mismatch) => assert!(mismatch.found.chars().count() <= 80),
    }
}

/// A value that was taken is within its bounds and reads back from a database, in the deepest place it has there.
fn stored(value: &Value) {
    let bytes = match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Json(json) => json.to_string().len(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
    };
    assert!(bytes <= Value::MAX_BYTES, "{bytes} bytes");
    let outcome = Outcome {
        part: Part::Desired,
        revision: Revision::new(1),
        value: value.clone(),
        result: WriteResult::Applied,
        at: Timestamp::default(),
    };
    let reported = Reported {
        value: Some(value.clone()),
        quality: Quality::Good,
        source_time: None,
        gateway_time: None,
        outcome: Some(outcome),
    };
    let text = serde_json::to_string(&reported).expect("our own types become JSON");
    let read: Reported = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(read, reported);
}

/// A place in the changes.
pub fn changes_token(data: &[u8]) {
    let Some(Ok(token)) = text(data).map(str::parse::<ChangesToken>) else { return };
    assert_eq!(token.to_string().parse::<ChangesToken>().as_ref(), Ok(&token));
}

/// An `If-Match` or `If-None-Match`: what it names as version it names as tag.
pub fn etag(data: &[u8]) {
    let Some(Ok(condition)) = text(data).map(str::parse::<Condition>) else { return };
    for revision in [Revision::ZERO, Revision::new(42)] {
        let tag = twin_api::etag(revision);
        let _ = condition.names(&revision.to_string());
        assert!(
            tag.parse::<Condition>().is_ok_and(|one| one.names(&revision.to_string()) && one.names_tag(&tag))
        );
        let _ = condition.names_tag(&tag);
    }
}
