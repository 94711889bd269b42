//! The serial protocol of a coordinator with TI's Z-Stack (ZNP): frames and typed commands. TI, "Z-Stack Monitor and Test API".

pub mod af;
pub mod app_cnf;
mod frame;
mod message;
pub mod sys;
pub mod util;
pub mod zdo;

pub use frame::{Decoder, Frame, Kind, MOST_DATA, Subsystem};
pub use message::{Message, Request};

/// What a status of the coordinator says, for people. (`ZStatus` in `ZComDef.h`, `AF_DATA_CONFIRM`)
#[must_use]
pub fn status_text(status: u8) -> &'static str {
    match status {
        0x00 => "done",
        0x01 => "it failed",
        0x02 => "a parameter is wrong",
        0x10 | 0x11 | 0x1A => "the coordinator has no memory left for it",
        0xB7 => "the device did not acknowledge",
        0xC7 => "a table of the coordinator is full",
        0xCD => "there is no route to the device",
        0xE1 => "the channel is never free",
        0xE9 => "no radio acknowledgement came",
        0xF0 => "the device sleeps and did not ask for its messages",
        _ => "the coordinator could not send",
    }
}

/// Statuses of a confirmation.
pub mod status {
    /// It arrived.
    pub const SUCCESS: u8 = 0x00;
    /// The coordinator has no buffer.
    pub const BUFFER_FULL: u8 = 0x11;
    /// The device did not acknowledge.
    pub const NO_ACK: u8 = 0xB7;
    /// There is no way to the device.
    pub const NO_ROUTE: u8 = 0xCD;
    /// The next device on the way is not there.
    pub const MAC_NO_ACK: u8 = 0xE9;
    /// A device that sleeps did not ask for its messages in time.
    pub const TRANSACTION_EXPIRED: u8 = 0xF0;
}
