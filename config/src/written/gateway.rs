//! `gateway:`

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use twin_core::{InvalidId, NodeName};

use super::rights::{ApiWritten, AuditWritten, EmbeddedWritten};
use crate::duration::BoundedDuration;
use crate::endpoint::Endpoint;
use crate::secret::Secret;
use crate::written::history::GatewayHistoryWritten;

/// The gateway itself.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GatewayWritten {
    /// The node's name, which the cloud knows it by: 1 to 63 of a-z, 0-9 and `-`.
    #[serde(deserialize_with = "node_name")]
    #[schemars(with = "String", regex(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub(crate) node: NodeName,
    /// The folder of its databases, relative to the working folder of the process. Default: ./data
    #[serde(default = "default_data_dir")]
    pub(crate) data_dir: String,
    /// The MQTT broker. Default: an embedded one on 127.0.0.1:1883
    #[serde(default)]
    pub(crate) mqtt: MqttWritten,
    /// The cloud. Default: none, the gateway works alone.
    pub(crate) cloud: Option<CloudWritten>,
    /// The gateway's own REST interface.
    #[serde(default)]
    pub(crate) api: ApiWritten,
    /// What is logged.
    #[serde(default)]
    pub(crate) log: LogWritten,
    /// The bounds of the histories of properties.
    #[serde(default)]
    pub(crate) history: GatewayHistoryWritten,
    /// The log of who did what.
    #[serde(default)]
    pub(crate) audit: AuditWritten,
    /// Take a change of the configuration's files as soon as they are written; otherwise `twinspan reload`, `twinspan apply`
    /// or SIGHUP does. Default: false
    #[serde(default)]
    pub(crate) reload_on_change: bool,
    /// How long the gateway may take to stop. Default: 10s
    pub(crate) shutdown_grace: Option<BoundedDuration<1_000, 300_000>>,
}

fn node_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeName, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error: InvalidId| {
        let text = crate::scalar::cut(&error.text);
        serde::de::Error::custom(format_args!("`{text}` is not a {}\n{}", error.what, error.rule))
    })
}

fn broker_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    let text = String::deserialize(deserializer)?;
    Endpoint::broker(&text).map_err(serde::de::Error::custom)
}

fn cloud_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    let text = String::deserialize(deserializer)?;
    Endpoint::cloud(&text).map_err(serde::de::Error::custom)
}

fn default_data_dir() -> String {
    "./data".into()
}

/// The MQTT broker: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MqttWritten {
    /// A broker inside the gateway.
    Embedded(EmbeddedWritten),
    /// Another broker.
    External(ExternalWritten),
}

impl Default for MqttWritten {
    fn default() -> Self {
        Self::Embedded(EmbeddedWritten::default())
    }
}

/// A broker outside the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ExternalWritten {
    /// mqtt://host:1883 or mqtts://host:8883
    #[serde(deserialize_with = "broker_url")]
    #[schemars(with = "String", regex(pattern = "^(mqtts?://|\\$\\{)"))]
    pub(crate) url: Endpoint,
    /// The user name, where the broker asks for one.
    pub(crate) username: Option<String>,
    /// The password, where the broker asks for one.
    pub(crate) password: Option<Secret>,
    /// A PEM file of the authorities to trust instead of the system's; with mqtts:// only.
    pub(crate) ca_file: Option<String>,
}

/// The cloud.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CloudWritten {
    /// wss://host:7443; ws:// is taken for loopback only.
    #[serde(deserialize_with = "cloud_url")]
    #[schemars(with = "String", regex(pattern = "^(wss?://|\\$\\{)"))]
    pub(crate) url: Endpoint,
    /// The one-time token with which a new node joins.
    pub(crate) token: Option<Secret>,
}

/// What is logged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct LogWritten {
    /// The least important level that is shown. Default: info
    #[serde(default)]
    pub(crate) level: Level,
    /// The form of a line. Default: auto
    #[serde(default)]
    pub(crate) format: LogFormat,
}

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What failed and was given up.
    Error,
    /// What somebody should look at.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Every message.
    Trace,
}

impl Level {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// An address to listen on without TLS, so it is a loopback address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Listen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IP address with a port, like 127.0.0.1:7480")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Listen, E> {
                let fixed = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
                match fixed.as_deref().unwrap_or(text).parse::<SocketAddr>() {
                    Ok(address) if address.ip().is_loopback() => Ok(Listen(address)),
                    Ok(address) => Err(E::custom(format_args!(
                        "`{}` is not a loopback address, and there is no TLS here\nwrite 127.0.0.1:{}; other machines come in \
                         by `gateway.api.remote` and `gateway.mqtt.embedded.tls`",
                        address,
                        address.port()
                    ))),
                    Err(_) => Err(E::custom(format_args!(
                        "`{}` is not an address to listen on\nwrite an IP address with a port, like 127.0.0.1:7480",
                        crate::scalar::cut(text)
                    ))),
                }
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Listen {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A loopback address with a port: 127.0.0.1:7480" })
    }
}
