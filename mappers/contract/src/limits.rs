//! The bounds of a message. What is over them is refused with its name, never cut.

/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most properties in one message.
pub const MAX_PROPERTIES: usize = 4096;

/// The longest value, in bytes of its text or JSON.
pub const MAX_VALUE_BYTES: usize = twin_core::Value::MAX_BYTES;

/// The longest `event_id`, in bytes.
pub const MAX_EVENT_ID_BYTES: usize = 256;

/// The longest reason in an answer, in characters; a longer one is cut.
pub const MAX_REASON_CHARS: usize = 500;
