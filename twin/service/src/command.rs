//! What can be asked of the service.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use twin_core::{
    DeviceDefinition, DeviceId, DeviceState, Outcome, Override, PropertyDefinition, PropertyId, PropertyName,
    Quality, Reported, Revision, Timestamp, TypeMismatch, Unacceptable, Value,
};
use twin_store::Trouble;

/// What a mapper says of one device at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The device.
    pub device: DeviceId,
    /// Its properties.
    pub properties: Vec<(PropertyName, Update)>,
}

/// What is said of one property.
#[expect(
    clippy::large_enum_variant,
    reason = "deletions are rare; a box would cost every update an allocation"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// It holds this.
    Changed(ReportedChange),
    /// The property is no more (KubeEdge: `null`).
    Deleted,
}

/// News of one property. What is not given stays as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedChange {
    /// A fresh value, if one was read.
    pub value: Option<Value>,
    /// How far it can be believed.
    pub quality: Quality,
    /// The device's own time of the value.
    pub source_time: Option<Timestamp>,
    /// When it was read; the gateway's time of arrival when the mapper does not say.
    pub gateway_time: Option<Timestamp>,
    /// How a write ended.
    pub outcome: Option<Outcome>,
    /// For a device without a protocol of ours: the definition of a property seen for the first time.
    pub define: Option<PropertyDefinition>,
}

/// Why a report is not taken. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReportError {
    /// No such device.
    #[error("there is no device {device} in the configuration; add it under `devices`")]
    UnknownDevice {
        /// The device.
        device: DeviceId,
    },
    /// No such property.
    #[error("device {device} has no property {property}; add it to its model")]
    UnknownProperty {
        /// The device.
        device: DeviceId,
        /// The property.
        property: PropertyName,
    },
    /// The value is not of the property's type.
    #[error("property {property}: {mismatch}")]
    Type {
        /// The property.
        property: PropertyName,
        /// What is wrong.
        mismatch: TypeMismatch,
    },
    /// The value may not be wanted.
    #[error("property {property}: {why}")]
    Unacceptable {
        /// The property.
        property: PropertyName,
        /// What is wrong.
        why: Unacceptable,
    },
    /// Somebody else has changed it since.
    #[error("property {property} is at revision {found}, not {expected}; read it again")]
    Stale {
        /// The property.
        property: PropertyName,
        /// What was expected.
        expected: Revision,
        /// What it is.
        found: Revision,
    },
    /// The store cannot take it now.
    #[error("{trouble}: {}; {}", what_becomes(*is_kept), trouble.mend())]
    NotStored {
        /// Why.
        trouble: Trouble,
        /// Whether it stays in memory and is stored as soon as that is possible.
        is_kept: bool,
    },
    /// The service is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

fn what_becomes(is_kept: bool) -> &'static str {
    if is_kept { "it is not stored yet, and is kept in memory until it can be" } else { "it is not taken" }
}

/// What a report has changed: before and after, by property.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// Reported before and after; none: there was or is none.
    pub properties: Vec<(PropertyName, Option<Reported>, Option<Reported>)>,
    /// The revision that holds all of it.
    pub revision: Revision,
}

/// What a local operator asks.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideRequest {
    /// What for.
    pub id: PropertyId,
    /// The value; none releases it.
    pub set: Option<Override>,
    /// Only if the override is at this revision (0: only if there is none).
    pub if_match: Option<Revision>,
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, ReportError>>;

#[derive(Debug)]
pub(crate) enum Command {
    Report(Report, Reply<Updated>),
    State(DeviceId, DeviceState, Reply<Timestamp>),
    Declare(BTreeMap<DeviceId, DeviceDefinition>, oneshot::Sender<()>),
    Override(Vec<OverrideRequest>, Reply<Revision>),
    Alarm(crate::alarm::AlarmRequest, crate::alarm::AlarmReply),
    Wishes(DeviceId, oneshot::Sender<Vec<crate::memory::Wish>>),
    Ping(oneshot::Sender<()>),
}
