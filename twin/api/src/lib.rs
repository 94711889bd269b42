//! The shapes in which edge and cloud show twins over REST: the same words on both sides. Nothing here does I/O, and
//! the time is an argument.
//!
//! All moments are milliseconds since 1970 in UTC. A member that has no value is left out.
#![warn(missing_docs)]

mod alarm;
mod change;
mod definition;
mod device;
mod document;
mod etag;
mod health;
mod history;
mod node;
mod parts;
mod problem;
mod property;
mod serving;
mod twin;
mod wish;
mod words;

pub use alarm::{AlarmNote, AlarmPage, AlarmView, PersonView, ShelvingView, read_words};
pub use change::{ChangePage, ChangeView};
pub use definition::{DefinitionView, RangeView};
pub use device::{DevicePage, DeviceView};
pub use document::EveryRoute;
pub use etag::{Condition, EntityTag, InvalidEtag, etag, etag_of, fingerprint};
pub use health::{Health, NotReady, Readiness};
pub use history::{HistoryAsk, HistoryItem, HistoryPage, HistoryQuery, HistoryRequest};
pub use node::{LinkWord, NodePage, NodeView};
pub use parts::{ConvergenceView, DesiredView, EffectiveView, OutcomeView, OverrideView, ReportedView};
pub use problem::{FieldFault, Problem, ProblemKind};
pub use property::{PropertyParts, PropertyView, Stored};
pub use serving::{FaultView, PauseView, ServingView};
pub use twin::{TwinParts, TwinView};
pub use wish::{LongWish, Wanted, Wish, read_wishes};
pub use words::{AccessWord, ConvergenceWord, PartWord, QualityWord, ResultWord, StateWord, TypeWord};
