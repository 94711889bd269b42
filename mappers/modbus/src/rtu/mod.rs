//! Modbus RTU, over a serial line or over TCP. (MODBUS over Serial Line V1.02)
//!
//! An RTU answer does not say which request it answers. What keeps a late answer from being taken for a value: a device
//! answers in the order in which it was asked, so an answer to a *different* function proves that every earlier request
//! has been answered or dropped. See [`line`].

pub(crate) mod frame;
mod line;
mod pdu;
mod port;
mod suspects;

pub(crate) use line::RtuLine;
