//! A change: which document, and what its device or property looks like now.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alarm::AlarmView;
use crate::device::DeviceView;
use crate::property::PropertyView;
use crate::words::PartWord;

/// A change. Of several changes of one document only the newest is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// The place of the change among all changes of this server: to be given as `since` to go on after it.
    pub seq: u64,
    /// The node.
    pub node: String,
    /// The device, `namespace/name`.
    pub device: String,
    /// The property; left out for a change of the device itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Which part of it changed.
    pub part: PartWord,
    /// The revision of its author.
    pub revision: u64,
    /// Whether that part was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The device as it is now, for a change of the device itself that did not delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_now: Option<DeviceView>,
    /// The property as it is now, all parts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property_now: Option<PropertyView>,
    /// The alarm as it is now, for a change of an alarm that did not delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_now: Option<AlarmView>,
}

/// Changes in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangePage {
    /// The changes.
    pub items: Vec<ChangeView>,
    /// To be given as `since` to go on after them.
    pub next: u64,
    /// Whether there are more already.
    pub more: bool,
}
