//! DeviceTwin: one task owns the edge's replica and its store. Everybody else speaks to it through a [`Handle`].
//!
//! Pure decisions are in [`memory`]; the task in `service.rs` runs them, commits, and speaks only then.

mod alarm;
mod asked;
mod command;
mod commits;
mod figures;
mod handle;
pub mod memory;
mod rebuild;
mod recorder;
mod replicas;
mod service;
mod steady;
mod told;
mod trouble;
mod upload;

pub use alarm::{AlarmAct, AlarmError, AlarmRequest};
pub use command::{OverrideRequest, Report, ReportError, ReportedChange, Update, Updated};
pub use figures::Figures;
pub use handle::{Handle, PendingReport, PendingState, Stopped};
pub use service::{DeviceTwin, Error, Event, Settings, StartError};
pub use trouble::{StoreDamage, StoreHealth, StoreTrouble};
pub use twin_store::Trouble;
pub use upload::HistoryUpload;
