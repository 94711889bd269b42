//! Interlocks: a small expression over properties that must hold before a value is written to a device.
//!
//! The language is CEL (Common Expression Language) without its functions, macros, maps and lists that are computed: what
//! is left has no loop, no clock and no way to grow, so that its cost is bounded by its length.
#![warn(missing_docs)]

mod judge;
mod names;
mod types;

pub use names::{Input, Interlock};

/// What is wrong with an interlock, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {hint}")]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Fault {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}
