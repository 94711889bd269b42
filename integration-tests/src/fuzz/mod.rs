//! What every parser of outside bytes has to stand: one function for each, which takes any bytes and panics only when a
//! rule is broken. The fuzz targets in `fuzz/` call them, and `tests/corpus.rs` with what has been found worth keeping.

mod link;
mod mqtt;
mod rest;
mod written;

pub use link::{enrol, join_token, link_frame, link_session};
pub use mqtt::{
    mqtt_delta, mqtt_document, mqtt_get, mqtt_get_result, mqtt_membership, mqtt_state, mqtt_state_result,
    mqtt_topic, mqtt_update, mqtt_update_result,
};
pub use rest::{changes_token, etag, merge_patch, value_json};
pub use written::{config_text, modbus_codec};

/// One target: its name, which is that of its corpus too, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 20] = [
    ("changes_token", changes_token),
    ("config_text", config_text),
    ("enrol", enrol),
    ("etag", etag),
    ("join_token", join_token),
    ("link_frame", link_frame),
    ("link_session", link_session),
    ("merge_patch", merge_patch),
    ("modbus_codec", modbus_codec),
    ("mqtt_delta", mqtt_delta),
    ("mqtt_document", mqtt_document),
    ("mqtt_get", mqtt_get),
    ("mqtt_get_result", mqtt_get_result),
    ("mqtt_membership", mqtt_membership),
    ("mqtt_state", mqtt_state),
    ("mqtt_state_result", mqtt_state_result),
    ("mqtt_topic", mqtt_topic),
    ("mqtt_update", mqtt_update),
    ("mqtt_update_result", mqtt_update_result),
    ("value_json", value_json),
];

/// The text in the bytes; what is not UTF-8 never gets as far as a parser of texts.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
