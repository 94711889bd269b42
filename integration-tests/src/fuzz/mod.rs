//! What every parser of outside bytes has to stand: one function for each, which takes any bytes and panics only when a
//! rule is broken. The fuzz targets in `fuzz/` call them, and `tests/corpus.rs` with what has been found worth keeping.

mod backup;
mod ble;
mod gateway;
mod link;
mod modbus;
mod mqtt;
mod opcua;
mod rest;
mod taken;
mod written;
mod zigbee;

pub use backup::backup_file;
pub use ble::ble_codec;
pub use gateway::{mqtt_bus, rest_request};
pub use link::{enrol, join_token, link_frame, link_session};
pub use modbus::{modbus_frames, modbus_tcp};
pub use mqtt::{
    mqtt_alarm, mqtt_delta, mqtt_document, mqtt_get, mqtt_get_result, mqtt_membership, mqtt_override,
    mqtt_state, mqtt_state_result, mqtt_topic, mqtt_update, mqtt_update_result,
};
pub use opcua::opcua_names;
pub use rest::{changes_token, etag, merge_patch, value_json};
pub use taken::{import_file, import_tables};
pub use written::{config_text, guard_expression, modbus_codec};
pub use zigbee::{zigbee_link, zigbee_message};

/// One target: its name, which is that of its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 34] = [
    ("backup_file", backup_file),
    ("ble_codec", ble_codec),
    ("changes_token", changes_token),
    ("config_text", config_text),
    ("enrol", enrol),
    ("etag", etag),
    ("guard_expression", guard_expression),
    ("import_file", import_file),
    ("import_tables", import_tables),
    ("join_token", join_token),
    ("link_frame", link_frame),
    ("link_session", link_session),
    ("merge_patch", merge_patch),
    ("modbus_codec", modbus_codec),
    ("modbus_frames", modbus_frames),
    ("modbus_tcp", modbus_tcp),
    ("mqtt_alarm", mqtt_alarm),
    ("mqtt_bus", mqtt_bus),
    ("mqtt_delta", mqtt_delta),
    ("mqtt_document", mqtt_document),
    ("mqtt_get", mqtt_get),
    ("mqtt_get_result", mqtt_get_result),
    ("mqtt_membership", mqtt_membership),
    ("mqtt_override", mqtt_override),
    ("mqtt_state", mqtt_state),
    ("mqtt_state_result", mqtt_state_result),
    ("mqtt_topic", mqtt_topic),
    ("mqtt_update", mqtt_update),
    ("mqtt_update_result", mqtt_update_result),
    ("opcua_names", opcua_names),
    ("rest_request", rest_request),
    ("value_json", value_json),
    ("zigbee_link", zigbee_link),
    ("zigbee_message", zigbee_message),
];

/// The text in the bytes; what is not UTF-8 never gets as far as a parser of texts.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
