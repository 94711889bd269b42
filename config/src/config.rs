//! The configuration as the rest of the house uses it: complete, checked, with every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use twin_core::{DeviceDefinition, DeviceId, NodeName, PropertyDefinition, PropertyName};

use crate::endpoint::Endpoint;
use crate::protocol::Body;
use crate::secret::Secret;
use crate::source::Span;
pub use crate::written::gateway::{Level, LogFormat};

mod rights;

/// Everything. Two are equal when nothing would run otherwise, wherever in the files it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The gateway itself.
    pub gateway: Gateway,
    /// Its devices.
    pub devices: BTreeMap<DeviceId, Arc<DeviceConfig>>,
}

/// The settings of the gateway process.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// Its name, which the cloud knows it by.
    pub node: NodeName,
    /// The folder of its databases.
    pub data_dir: PathBuf,
    /// The broker through which mappers and applications speak to it.
    pub mqtt: Mqtt,
    /// The cloud; none: the gateway works alone.
    pub cloud: Option<Cloud>,
    /// Its own REST interface.
    pub api: Api,
    /// How much of the log of who did what is kept.
    pub audit: AuditBounds,
    /// What it logs.
    pub log: Log,
    /// The bounds of the histories of its properties.
    pub history: History,
    /// Whether it takes a change of its files as soon as they are written.
    pub reload_on_change: bool,
    /// How long it may take to stop, 1 s to 5 min.
    pub shutdown_grace: Duration,
}

/// Which MQTT broker is used.
#[derive(Debug, Clone, PartialEq)]
pub enum Mqtt {
    /// One inside the process.
    Embedded(EmbeddedBroker),
    /// Another one.
    External(ExternalBroker),
}

/// How an MQTT broker outside the process is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalBroker {
    /// `mqtt://` or `mqtts://`, with host and port.
    pub url: Endpoint,
    /// The user name, where the broker asks for one.
    pub username: Option<String>,
    /// The password, where the broker asks for one.
    pub password: Option<Secret>,
    /// A PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// How the cloud is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// `wss://`, or `ws://` to loopback.
    pub url: Endpoint,
    /// The one-time token with which a new node joins.
    pub token: Option<Secret>,
}

pub use rights::{
    Api, AuditBounds, CertificateSource, EmbeddedBroker, Loopback, MqttRole, MqttTls, MqttUser, RemoteApi,
    Tls, UserRights,
};

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    /// The least important level that is shown.
    pub level: Level,
    /// The form of a line.
    pub format: LogFormat,
}

/// The bounds of all histories together. Those of a property hold as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How large the database may grow by histories, in bytes: 16 MiB to 1 TiB.
    pub max_bytes: u64,
    /// The age up to which any history is kept, 1 h to 10 years.
    pub max_age: Duration,
}

impl Default for History {
    /// 1 GiB, 365 days.
    fn default() -> Self {
        Self { max_bytes: 1 << 30, max_age: Duration::from_secs(365 * 86_400) }
    }
}

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceConfig {
    /// Its id.
    pub id: DeviceId,
    /// What everybody may know of it, the cloud as well.
    pub definition: DeviceDefinition,
    /// The protocol of the mapper that serves it; none: a mapper outside the gateway serves it over MQTT.
    pub protocol: Option<String>,
    /// How the mapper reaches it; there when `protocol` is.
    pub link: Option<Body>,
    /// Its properties.
    pub properties: BTreeMap<PropertyName, Arc<PropertyConfig>>,
}

impl DeviceConfig {
    /// How the mapper reaches it, when its link is of type `L`.
    #[must_use]
    pub fn link<L: 'static>(&self) -> Option<&L> {
        self.link.as_ref()?.get()
    }
}

/// One property of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyConfig {
    /// What everybody may know of it.
    pub definition: PropertyDefinition,
    /// Where it lives; there when the device has a protocol.
    pub point: Option<Body>,
    /// How often it is read, 10 ms to 24 h; none for a property that can only be written.
    pub every: Option<Duration>,
    /// When a value that was read is passed on.
    pub report: ReportPolicy,
    /// How old a value may be before it counts as stale; none: any age.
    pub stale_after: Option<Duration>,
    /// Its interlock, as it was read.
    pub(crate) interlock: Option<PlacedInterlock>,
}

/// An interlock and where it is written. The definition holds its text: by that two properties are told apart.
#[derive(Debug, Clone)]
pub(crate) struct PlacedInterlock {
    pub(crate) interlock: twin_guard::Interlock,
    pub(crate) at: Span,
    pub(crate) path: String,
}

impl PartialEq for PlacedInterlock {
    fn eq(&self, other: &Self) -> bool {
        self.interlock.text() == other.interlock.text()
    }
}

impl PropertyConfig {
    /// Where it lives, when its point is of type `P`.
    #[must_use]
    pub fn point<P: 'static>(&self) -> Option<&P> {
        self.point.as_ref()?.get()
    }
}

/// When a value that was read is passed on. A change of quality always is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReportPolicy {
    /// How far a number must move from the one last passed on, in the property's unit; 0: every change.
    pub deadband: f64,
    /// How far, in percent of the value last passed on; 0: the other deadband alone counts.
    pub deadband_percent: f64,
    /// After how long an unchanged value is passed on again; none: never.
    pub max_silence: Option<Duration>,
    /// The shortest time between two values; a newer one waits for it to end.
    pub min_interval: Duration,
}
