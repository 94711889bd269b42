//! What an integrator may write in YAML, and what is true of it.
//!
//! [`load`] takes texts and gives a [`Config`] that is complete and checked, or every fault that it has, each with its
//! place and a mend. No file is opened here and no clock is read.
#![warn(missing_docs)]

mod config;
mod csv;
mod decode;
mod diff;
mod duration;
mod endpoint;
mod fault;
mod load;
mod node;
mod parse;
mod path;
mod protocol;
mod render;
mod resolve;
mod scalar;
mod schema;
mod secret;
mod size;
mod source;
mod suggest;
mod table;
mod written;

pub use config::{
    Api, AuditBounds, CertificateSource, Cloud, Config, DeviceConfig, EmbeddedBroker, ExternalBroker,
    Gateway, History, Level, Log, LogFormat, Loopback, Mqtt, MqttRole, MqttTls, MqttUser, PropertyConfig,
    RemoteApi, ReportPolicy, Tls, UserRights,
};
pub use diff::{DeviceDiff, Diff, FieldDiff, PropertyDiff, Values};
pub use duration::{AnyDuration, BoundedDuration, InvalidDuration};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use fault::{Fault, Faults};
pub use load::{Checked, Loaded, Loader, load};
pub use protocol::{Body, Check, CheckFault, Protocol, Shared, Term};
pub use schema::json_schema;
pub use secret::{NoSecrets, Secret, SecretRef, SecretSource};
pub use source::{Place, Source};
pub use table::{NoTables, TableSource};
