//! What people ask of alarms.

use twin_core::alarm::{NotDone, Person};
use twin_core::{Alarm, AlarmId, Timestamp};
use twin_store::Trouble;

/// What somebody asks of one alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRequest {
    /// Which alarm.
    pub id: AlarmId,
    /// What is to be done.
    pub act: AlarmAct,
}

/// What can be done about an alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmAct {
    /// Take note of it.
    Acknowledge(Person),
    /// Put it away.
    Shelve {
        /// Until when.
        until: Timestamp,
        /// Who does it.
        who: Person,
    },
    /// Take it from the shelf.
    Unshelve,
}

/// Why something is not done about an alarm.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlarmError {
    /// There is no such rule.
    #[error("{} has no alarm {}; the alarms of a property are in its definition", id.property(), id.rule())]
    Unknown {
        /// What was named.
        id: AlarmId,
    },
    /// It cannot be done as it stands.
    #[error("the alarm {}: {why}", id.column())]
    NotDone {
        /// Which alarm.
        id: AlarmId,
        /// Why.
        why: NotDone,
    },
    /// The store cannot take it now.
    #[error("{trouble}: it is not taken; {}", trouble.mend())]
    NotStored {
        /// Why.
        trouble: Trouble,
    },
    /// The service is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// The alarm as it stands after it was done; none when nothing is left of it.
pub(crate) type AlarmReply = tokio::sync::oneshot::Sender<Result<Option<Alarm>, AlarmError>>;
