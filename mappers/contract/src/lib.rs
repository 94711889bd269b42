//! The open door for mappers and applications: the MQTT topics as one enum, and the bodies as one type a message.
//!
//! Topics and bodies are KubeEdge's, so its mappers and applications work unchanged; what they lack (typed values,
//! quality, the device's own time, the outcome of a write) stands in fields of its own beside theirs. Bytes come in,
//! bytes go out: no socket, no clock.
#![warn(missing_docs)]

pub mod alarm;
pub mod delta;
pub mod document;
pub mod error;
pub mod get;
pub mod limits;
pub mod membership;
pub mod operator;
pub mod outcome;
pub mod property;
pub mod result;
pub mod state;
pub mod topic;
pub mod update;
pub mod value;
mod wire;

pub use alarm::{AlarmAction, AlarmFields, AlarmMessage, AlarmResult, AlarmUpdate};
pub use delta::{Delta, Wanted};
pub use document::{TwinChange, TwinDocument};
pub use error::{ContractError, ErrorAnswer, Refusal};
pub use get::{GetRequest, TwinGetResult};
pub use membership::{MembershipResult, MembershipUpdated};
pub use operator::{End, OperatorValue, OverrideUpdate};
pub use outcome::WriteOutcome;
pub use property::{Held, PropertyTwin, Twin};
pub use result::{Answer, UpdateResult};
pub use state::{StateResult, StateUpdate};
pub use topic::{DeviceTopic, InvalidTopic, NodeTopic, Topic};
pub use update::TwinUpdate;
pub use value::WireValue;
