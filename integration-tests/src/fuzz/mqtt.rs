//! What comes over MQTT. What is taken is written again, and that reads back the same.

use std::fmt::Debug;

use mapper_contract::{
    AlarmMessage, AlarmResult, AlarmUpdate, Delta, GetRequest, MembershipResult, MembershipUpdated,
    OverrideUpdate, StateResult, StateUpdate, Topic, TwinDocument, TwinGetResult, TwinUpdate, UpdateResult,
    WireValue,
};
use twin_core::{Timestamp, ValueType};

use super::text;

const TYPES: [ValueType; 6] =
    [ValueType::Bool, ValueType::Int, ValueType::Float, ValueType::String, ValueType::Bytes, ValueType::Json];

/// A topic.
pub fn mqtt_topic(data: &[u8]) {
    let Some(Ok(topic)) = text(data).map(str::parse::<Topic>) else { return };
    assert_eq!(topic.to_string().parse::<Topic>().as_ref(), Ok(&topic));
    for other in topic.result().into_iter().map(|t| t.to_string()).chain(topic.short_form()) {
        assert!(other.parse::<Topic>().is_ok(), "{other}");
    }
}

/// A message of a mapper: values and outcomes, each then read as a value of any type.
pub fn mqtt_update(data: &[u8]) {
    let parsed = TwinUpdate::parse(data);
    if let Ok(update) = &parsed {
        for property in update.twin.values().flatten() {
            let held = [&property.actual, &property.expected];
            held.into_iter().flatten().for_each(|held| any_type(&held.value));
            if let Some(outcome) = &property.outcome {
                for value_type in TYPES {
                    let _ = outcome.decode(value_type, Timestamp::default());
                }
            }
            let _ = property.quality_of_value();
        }
    }
    again(parsed, TwinUpdate::encode, TwinUpdate::parse);
}

fn any_type(value: &WireValue) {
    for value_type in TYPES {
        if let Ok(typed) = value.decode(value_type) {
            assert_eq!(typed.value_type(), value_type);
            assert_eq!(WireValue::from(&typed).decode(value_type).as_ref(), Ok(&typed));
        }
    }
}

/// What a device is, said by its mapper.
pub fn mqtt_state(data: &[u8]) {
    again(StateUpdate::parse(data), StateUpdate::encode, StateUpdate::parse);
}

/// A question for a twin.
pub fn mqtt_get(data: &[u8]) {
    again(GetRequest::parse(data), GetRequest::encode, GetRequest::parse);
}

/// What a local operator wants.
pub fn mqtt_override(data: &[u8]) {
    again(OverrideUpdate::parse(data), OverrideUpdate::encode, OverrideUpdate::parse);
}

/// What is done about an alarm, and how one stands.
pub fn mqtt_alarm(data: &[u8]) {
    again(AlarmUpdate::parse(data), AlarmUpdate::encode, AlarmUpdate::parse);
    let _ = AlarmMessage::parse(data);
    let _ = AlarmResult::parse(data);
}

/// What a mapper is told to write.
pub fn mqtt_delta(data: &[u8]) {
    again(Delta::parse(data), Delta::encode, Delta::parse);
}

/// A change, before and after.
pub fn mqtt_document(data: &[u8]) {
    again(TwinDocument::parse(data), TwinDocument::encode, TwinDocument::parse);
}

/// The answer to an update.
pub fn mqtt_update_result(data: &[u8]) {
    let _ = UpdateResult::parse(data);
}

/// The answer to a state.
pub fn mqtt_state_result(data: &[u8]) {
    let _ = StateResult::parse(data);
}

/// The answer with a whole twin.
pub fn mqtt_get_result(data: &[u8]) {
    let _ = TwinGetResult::parse(data);
}

/// The devices of a node.
pub fn mqtt_membership(data: &[u8]) {
    let _ = MembershipResult::parse(data);
    let _ = MembershipUpdated::parse(data);
}

fn again<T: PartialEq + Debug, E: Debug>(
    parsed: Result<T, E>,
    encode: fn(&T) -> Vec<u8>,
    parse: fn(&[u8]) -> Result<T, E>,
) {
    let Ok(first) = parsed else { return };
    let bytes = encode(&first);
    let second = parse(&bytes).unwrap_or_else(|e| panic!("{e:?} in {}", String::from_utf8_lossy(&bytes)));
    assert_eq!(first, second, "written as {}", String::from_utf8_lossy(&bytes));
}
