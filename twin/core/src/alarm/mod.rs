//! Alarms: a rule of a property that was broken, and what people have done about it. Author: edge.
//!
//! Words as in ISA-18.2: an alarm is raised and cleared by the process, acknowledged and shelved by people.

mod document;
mod id;

pub use document::{Acknowledgement, Alarm, AlarmState, Severity, Shelving};
pub use id::{AlarmId, RuleName};
