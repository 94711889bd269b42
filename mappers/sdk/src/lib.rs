//! What all mappers share: the traits a protocol brings, the planner of time, the report policy, and the runtime that
//! joins them to MQTT.

mod assignment;
mod breaker;
mod coerce;
pub mod conformance;
mod controls;
mod desk;
pub mod driver;
pub mod fault;
mod figures;
mod number;
pub mod report;
mod runtime;
pub mod schedule;

pub use assignment::{Assigner, Assignment, NotTaken, assignment};
pub use breaker::Pauses;
pub use controls::{Controls, NotDone, Polled, Probed, Standing};
pub use driver::{Driver, LaneKey, Sample, Session, Watch};
pub use fault::{Fault, Verdict};
pub use figures::{Figures, LaneFigures};
pub use number::Number;
pub use runtime::{Error, InvalidMapper, Mapper};
