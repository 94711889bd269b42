//! The frames of a serial line as pure functions: bytes in, frames out.

use crate::serial;

pub use crate::link::Framing;
pub use crate::serial::Piece;

/// A frame around the function and data that are said to or by a unit.
#[must_use]
pub fn wrap(framing: Framing, unit: u8, body: &[u8]) -> Vec<u8> {
    framing.wrap(unit, body)
}

/// Takes the first frame out of what a device said.
#[must_use]
pub fn first_answer(framing: Framing, bytes: &[u8]) -> Piece {
    framing.first_answer(bytes)
}

/// How many bytes the longest frame has.
#[must_use]
pub fn longest(framing: Framing) -> usize {
    framing.longest()
}

/// Whether a function with its data is an answer to a request for `count` registers or bits.
#[must_use]
pub fn is_answer(body: &[u8], count: usize) -> bool {
    serial::is_answer(body, count)
}
