//! The twin itself: its nouns, its rules and the machine that replicates it. No socket, no clock, no file.
//!
//! Of every twin the edge writes what was reported and what an operator overrides, the cloud writes what is desired.
//! Nobody merges; what the device should do is [`effective`], a pure function of the three.
#![warn(missing_docs)]

pub mod alarm;
pub mod convergence;
pub mod document;
pub mod guard;
pub mod history;
pub mod id;
pub mod property;
pub mod quality;
pub mod replica;
pub mod revision;
pub mod role;
pub mod time;
pub mod value;

pub use alarm::{
    Acknowledgement, Alarm, AlarmId, AlarmRule, AlarmState, Condition, RuleName, Severity, Shelving,
};
pub use convergence::{Convergence, Effective, Wishes, convergence, effective};
pub use document::{
    Change, Desired, Device, DeviceState, Entry, Key, Outcome, Override, Part, Reported, Side, Stream,
    WriteResult,
};
pub use guard::{Guard, Guarded, Rate};
pub use id::{DeviceId, InvalidId, NodeName, PropertyId, PropertyName};
pub use property::{Access, DeviceDefinition, PropertyDefinition, Range, Unacceptable};
pub use quality::{Quality, Why};
pub use revision::{Cursor, Incarnation, Revision};
pub use role::{Role, UnknownRole};
pub use time::Timestamp;
pub use value::{Finite, TypeMismatch, Value, ValueType};
