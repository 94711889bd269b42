//! The parts of a twin, each with one author, and the entry that replicates them.

use serde::{Deserialize, Serialize};

use crate::alarm::{Alarm, AlarmId};
use crate::id::{DeviceId, PropertyId};
use crate::property::DeviceDefinition;
use crate::quality::Quality;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;

/// One end of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The gateway.
    Edge,
    /// The cloud.
    Cloud,
}

/// The kinds of documents. The number is stored and sent: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A device: its definition and whether it is online. Author: edge.
    Device = 1,
    /// What the device holds. Author: edge.
    Reported = 2,
    /// What a local operator wants. Author: edge.
    Override = 3,
    /// What the cloud wants. Author: cloud.
    Desired = 4,
    /// What an alarm's rule has found, and what people did about it.
    Alarm = 5,
}

/// A replicated stream: its documents have revisions and cursors of their own, so that one stream never waits for
/// another. The number is stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Alarms: few, and more urgent than state.
    Alarm = 8,
    /// Devices, reported and desired values and overrides.
    Twin = 16,
}

impl Stream {
    /// All streams, the most urgent first.
    pub const ALL: [Self; 2] = [Self::Alarm, Self::Twin];
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Device, Self::Reported, Self::Override, Self::Desired, Self::Alarm];

    /// The stream that replicates it.
    #[must_use]
    pub fn stream(self) -> Stream {
        match self {
            Self::Device | Self::Reported | Self::Override | Self::Desired => Stream::Twin,
            Self::Alarm => Stream::Alarm,
        }
    }

    /// Who writes it.
    #[must_use]
    pub fn author(self) -> Side {
        match self {
            Self::Device | Self::Reported | Self::Override | Self::Alarm => Side::Edge,
            Self::Desired => Side::Cloud,
        }
    }

    /// The part with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|part| *part as i64 == number)
    }
}

/// Whether a device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Nobody has said yet.
    #[default]
    Unknown,
    /// It answers.
    Online,
    /// It does not answer.
    Offline,
}

/// A device as its edge knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Device {
    /// What the configuration says of it.
    pub definition: DeviceDefinition,
    /// Whether it answers.
    #[serde(default)]
    pub state: DeviceState,
    /// Since when `state` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
}

/// How an attempt to write a wanted value ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteResult {
    /// The mapper has taken it up.
    Sent,
    /// The device took it.
    Applied,
    /// The device or a guard said no; it is not tried again.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// The link to the device broke; it is tried again.
    Failed {
        /// Why, in words.
        reason: String,
        /// When it is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
}

/// The answer to one wish, which it names by part, revision and value: a revision alone could come again with another
/// value after its author's database was restored from a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`Part::Desired`] or [`Part::Override`].
    pub part: Part,
    /// The revision of the wish.
    pub revision: Revision,
    /// The value that was to be written.
    pub value: Value,
    /// How it ended.
    pub result: WriteResult,
    /// When.
    pub at: Timestamp,
}

/// What the device holds, as far as the edge knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The last value read; none when there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How far it can be believed.
    pub quality: Quality,
    /// The device's own time of the value, if it has a clock. Data, never trusted for order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_time: Option<Timestamp>,
    /// When the gateway read the value. A quality that turns bad leaves it as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_time: Option<Timestamp>,
    /// The outcome of the last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A local operator's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// What the device should hold.
    pub value: Value,
    /// Who wants it.
    pub set_by: String,
    /// Since when.
    pub set_at: Timestamp,
    /// Until when; none: until released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The cloud's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// What the device should hold.
    pub value: Value,
    /// Who wants it.
    pub set_by: String,
    /// Since when.
    pub set_at: Timestamp,
    /// Until when; none: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// Names one document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// See [`Part::Device`].
    Device(DeviceId),
    /// See [`Part::Reported`].
    Reported(PropertyId),
    /// See [`Part::Override`].
    Override(PropertyId),
    /// See [`Part::Desired`].
    Desired(PropertyId),
    /// See [`Part::Alarm`].
    Alarm(AlarmId),
}

impl Key {
    /// The kind of document.
    #[must_use]
    pub fn part(&self) -> Part {
        match self {
            Self::Device(_) => Part::Device,
            Self::Reported(_) => Part::Reported,
            Self::Override(_) => Part::Override,
            Self::Desired(_) => Part::Desired,
            Self::Alarm(_) => Part::Alarm,
        }
    }

    /// The device it belongs to.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        match self {
            Self::Device(device) => device,
            Self::Reported(id) | Self::Override(id) | Self::Desired(id) => &id.device,
            Self::Alarm(id) => id.device(),
        }
    }

    /// The property's name, for an alarm with the rule's behind it; empty for a device.
    #[must_use]
    pub fn property(&self) -> &str {
        match self {
            Self::Device(_) => "",
            Self::Reported(id) | Self::Override(id) | Self::Desired(id) => id.property.as_str(),
            Self::Alarm(id) => id.column(),
        }
    }
}

/// What a document becomes; `None` deletes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// See [`Part::Device`].
    Device(DeviceId, Option<Device>),
    /// See [`Part::Reported`].
    Reported(PropertyId, Option<Reported>),
    /// See [`Part::Override`].
    Override(PropertyId, Option<Override>),
    /// See [`Part::Desired`].
    Desired(PropertyId, Option<Desired>),
    /// See [`Part::Alarm`].
    Alarm(AlarmId, Option<Alarm>),
}

impl Change {
    /// The document that changes.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Device(id, _) => Key::Device(id.clone()),
            Self::Reported(id, _) => Key::Reported(id.clone()),
            Self::Override(id, _) => Key::Override(id.clone()),
            Self::Desired(id, _) => Key::Desired(id.clone()),
            Self::Alarm(id, _) => Key::Alarm(id.clone()),
        }
    }

    /// The kind of document.
    #[must_use]
    pub fn part(&self) -> Part {
        match self {
            Self::Device(..) => Part::Device,
            Self::Reported(..) => Part::Reported,
            Self::Override(..) => Part::Override,
            Self::Desired(..) => Part::Desired,
            Self::Alarm(..) => Part::Alarm,
        }
    }

    /// Whether the document is deleted.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        matches!(
            self,
            Self::Device(_, None)
                | Self::Reported(_, None)
                | Self::Override(_, None)
                | Self::Desired(_, None)
                | Self::Alarm(_, None)
        )
    }
}

/// A change with its place in its author's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub revision: Revision,
    /// What changed.
    pub change: Change,
}
