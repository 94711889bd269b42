//! Modbus on a serial line, over a port or over TCP, in RTU or ASCII frames. (MODBUS over Serial Line V1.02)
//!
//! Such an answer does not say which request it answers. What keeps a late answer from being taken for a value: a device
//! answers in the order in which it was asked, so an answer to a *different* function proves that every earlier request
//! has been answered or dropped. See [`line`].

pub(crate) mod ascii;
mod framing;
mod line;
mod pdu;
mod port;
pub(crate) mod rtu;
mod suspects;

pub use framing::Piece;
pub(crate) use line::Line;

/// Whether a function with its data is an answer to a request for `count` registers or bits.
pub(crate) fn is_answer(body: &[u8], count: usize) -> bool {
    pdu::answer(body, count).is_some()
}
