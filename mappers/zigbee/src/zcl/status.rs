//! What a device says of a command or an attribute. (2.6.3)

/// It was done.
pub const SUCCESS: u8 = 0x00;
/// It failed.
pub const FAILURE: u8 = 0x01;
/// The command is broken.
pub const MALFORMED: u8 = 0x80;
/// The cluster has no such command.
pub const UNSUPPORTED_COMMAND: u8 = 0x81;
/// The device has no such attribute.
pub const UNSUPPORTED_ATTRIBUTE: u8 = 0x86;
/// The value is out of range.
pub const INVALID_VALUE: u8 = 0x87;
/// The attribute can only be read.
pub const READ_ONLY: u8 = 0x88;
/// The device has no room for it.
pub const INSUFFICIENT_SPACE: u8 = 0x89;
/// The attribute cannot be reported.
pub const UNREPORTABLE: u8 = 0x8C;
/// The value is of another type.
pub const INVALID_TYPE: u8 = 0x8D;
/// The attribute can only be written.
pub const WRITE_ONLY: u8 = 0x8F;
/// The device took too long itself.
pub const TIMEOUT: u8 = 0x94;
/// The endpoint has no such cluster.
pub const UNSUPPORTED_CLUSTER: u8 = 0xC3;

/// In words.
#[must_use]
pub fn text(status: u8) -> String {
    let known = match status {
        SUCCESS => "done",
        FAILURE => "it failed",
        0x7E => "the gateway is not authorised",
        MALFORMED => "the device does not understand the command",
        UNSUPPORTED_COMMAND | 0x82 => "the device has no such command",
        0x83 | 0x84 => "the device has no such command of its maker",
        0x85 => "a field of the command is wrong",
        UNSUPPORTED_ATTRIBUTE => "the device has no such attribute",
        INVALID_VALUE => "the value is out of the device's range",
        READ_ONLY => "the attribute can only be read",
        INSUFFICIENT_SPACE => "the device has no room for it",
        0x8B => "the device does not have it",
        UNREPORTABLE => "the attribute cannot be reported",
        INVALID_TYPE => "the device holds another type",
        WRITE_ONLY => "the attribute can only be written",
        TIMEOUT => "the device took too long itself",
        0xC0 => "the device is broken",
        UNSUPPORTED_CLUSTER => "the endpoint has no such cluster",
        _ => "the device refuses it",
    };
    format!("{known} (status {status:#04x})")
}

/// Whether the device may do later what it does not do now.
#[must_use]
pub fn is_passing(status: u8) -> bool {
    matches!(status, TIMEOUT | INSUFFICIENT_SPACE | FAILURE | 0x9C)
}
