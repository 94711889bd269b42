//! EventBus: MQTT on one side, the DeviceTwin service on the other. Topics and bodies are parsed once, here; every
//! refusal is counted and answered.

mod alarms;
mod bus;
mod catalog;
mod embedded;
mod external;
mod members;
mod operator;
mod pipeline;
mod speaker;
pub mod translate;

pub use bus::{Counters, EventBus, Outlet};
pub use embedded::Embedded;
pub use external::External;
