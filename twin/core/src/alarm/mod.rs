//! Alarms: a rule of a property that was broken, and what people have done about it. Author: edge.
//!
//! Words as in ISA-18.2: an alarm is raised and cleared by the process, acknowledged and shelved by people.

mod document;
mod id;
mod people;
mod rule;
#[cfg(test)]
mod tests;
mod watch;

pub use document::{Acknowledgement, Alarm, AlarmState, Severity, Shelving};
pub use id::{AlarmId, RuleName};
pub use people::{NotDone, Person};
pub use rule::{AlarmRule, Condition};
pub use watch::Watch;
