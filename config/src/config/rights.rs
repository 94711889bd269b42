//! Who may come in, over REST and MQTT.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use twin_core::{DeviceId, Role};

use crate::secret::Secret;

/// The gateway's own REST interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Where it listens without TLS: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What whoever is on this machine needs there.
    pub loopback: Loopback,
    /// Where it listens for other machines, with TLS.
    pub remote: Option<RemoteApi>,
}

/// What whoever is on this machine needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// Nothing.
    Open,
    /// What everybody else needs.
    Known,
}

/// REST for other machines.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteApi {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// With which certificate.
    pub tls: Tls,
    /// What each client certificate allows, by its common name.
    pub certificates: BTreeMap<String, Role>,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// Its own certificate.
    pub certificate: CertificateSource,
    /// The authorities whose client certificates are taken.
    pub client_ca_file: Option<PathBuf>,
}

/// Where a listener's certificate comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum CertificateSource {
    /// From files.
    Files {
        /// The certificate with those behind it, in PEM.
        cert_file: PathBuf,
        /// Its key, in PEM.
        key_file: PathBuf,
    },
    /// The gateway makes it.
    SelfSigned {
        /// For these names, besides those of loopback.
        names: Vec<String>,
    },
}

/// The broker inside the process.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedBroker {
    /// Where it listens without TLS: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What whoever is on this machine needs there.
    pub loopback: Loopback,
    /// Who else may come in.
    pub users: BTreeMap<String, MqttUser>,
    /// Where it listens for other machines, with TLS.
    pub tls: Option<MqttTls>,
}

/// A user of the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct MqttUser {
    /// Its password; none: it comes with a client certificate only.
    pub password: Option<Secret>,
    /// What it may do.
    pub rights: UserRights,
}

/// What a user of the broker may do.
#[derive(Debug, Clone, PartialEq)]
pub enum UserRights {
    /// Speak for these devices, and hear what is to be written to them.
    Mapper(BTreeSet<DeviceId>),
    /// Read, or more.
    Application(MqttRole),
}

/// What an application may do over MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttRole {
    /// Read.
    Viewer,
    /// Also say what devices should do.
    Operator,
}

/// MQTT for other machines.
#[derive(Debug, Clone, PartialEq)]
pub struct MqttTls {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// With which certificate.
    pub tls: Tls,
}

/// How much of the log of who did what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditBounds {
    /// How long, 1 day to 10 years.
    pub keep: Duration,
    /// The most bytes, 1 MB to 10 GB.
    pub bytes: u64,
}
