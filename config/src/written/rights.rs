//! Who may come in, over REST and MQTT: `gateway.api` and `gateway.mqtt.embedded`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use twin_core::{DeviceId, InvalidId, Role};

use super::gateway::Listen;
use crate::duration::BoundedDuration;
use crate::secret::Secret;

/// The gateway's own REST interface.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ApiWritten {
    /// A loopback address with a port, without TLS. Default: 127.0.0.1:7480
    pub(crate) listen: Option<Listen>,
    /// What whoever is on this machine needs there. Default: open
    #[serde(default)]
    pub(crate) loopback: ApiLoopbackWritten,
    /// A second door for other machines, with TLS. Default: none
    pub(crate) remote: Option<RemoteApiWritten>,
}

/// What whoever is on this machine needs for REST.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApiLoopbackWritten {
    /// Nothing: they may do everything.
    #[default]
    Open,
    /// A token.
    Token,
}

/// REST for other machines: with TLS always, and a token or a client certificate.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RemoteApiWritten {
    /// An address with a port; 0.0.0.0 is every address of this machine. Default: 0.0.0.0:7481
    pub(crate) listen: Option<AnyListen>,
    /// A PEM file of the gateway's certificate with those behind it; `key_file` beside it.
    pub(crate) cert_file: Option<String>,
    /// A PEM file of the certificate's key.
    pub(crate) key_file: Option<String>,
    /// Instead of `cert_file`: the gateway makes a certificate at its first start and keeps it in `data_dir`. Default: false
    #[serde(default)]
    pub(crate) self_signed: bool,
    /// Host names and IP addresses in the certificate that the gateway makes, besides those of loopback.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    /// A PEM file of the authorities whose client certificates are taken instead of a token. Default: none
    pub(crate) client_ca_file: Option<String>,
    /// What each client certificate allows, by its common name.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, RoleWritten>,
}

/// The log of who did what; of both bounds the first that is reached counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct AuditWritten {
    /// How long a record is kept. Default: 365d
    pub(crate) keep: Option<BoundedDuration<86_400_000, { 3653 * 86_400_000 }>>,
    /// How many megabytes are kept, 1 to 10000. Default: 64
    pub(crate) megabytes: Option<u32>,
}

/// What somebody may do; each may do what the one before may.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleWritten {
    /// Read.
    Viewer,
    /// Say what devices should do, and acknowledge alarms.
    Operator,
    /// Change the configuration.
    Engineer,
    /// See who did what.
    Admin,
}

impl From<RoleWritten> for Role {
    fn from(written: RoleWritten) -> Self {
        match written {
            RoleWritten::Viewer => Self::Viewer,
            RoleWritten::Operator => Self::Operator,
            RoleWritten::Engineer => Self::Engineer,
            RoleWritten::Admin => Self::Admin,
        }
    }
}

/// A broker inside the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct EmbeddedWritten {
    /// A loopback address with a port, without TLS. Default: 127.0.0.1:1883
    pub(crate) listen: Option<Listen>,
    /// What whoever is on this machine needs there. Default: open
    #[serde(default)]
    pub(crate) loopback: MqttLoopbackWritten,
    /// Who else may come in, by the name of the user.
    #[serde(default)]
    pub(crate) users: BTreeMap<String, MqttUserWritten>,
    /// A second door for other machines, with TLS. Default: none
    pub(crate) tls: Option<MqttTlsWritten>,
}

/// What whoever is on this machine needs for MQTT.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MqttLoopbackWritten {
    /// Nothing.
    #[default]
    Open,
    /// A user.
    Users,
}

/// A user of the broker: a mapper with its `devices`, or an application with a `role`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MqttUserWritten {
    /// Its password; may be left out where a client certificate with the user's name is shown instead.
    pub(crate) password: Option<Secret>,
    /// For an application: what it may do.
    pub(crate) role: Option<MqttRoleWritten>,
    /// For a mapper: the devices that it speaks for, and no others.
    #[serde(default)]
    pub(crate) devices: Vec<DeviceName>,
}

/// What an application may do over MQTT.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MqttRoleWritten {
    /// Read: subscribe to everything, ask for twins.
    Viewer,
    /// Also say what devices should do.
    Operator,
}

/// MQTT for other machines: with TLS always, and a user.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MqttTlsWritten {
    /// An address with a port; 0.0.0.0 is every address of this machine. Default: 0.0.0.0:8883
    pub(crate) listen: Option<AnyListen>,
    /// A PEM file of the gateway's certificate with those behind it; `key_file` beside it.
    pub(crate) cert_file: Option<String>,
    /// A PEM file of the certificate's key.
    pub(crate) key_file: Option<String>,
    /// Instead of `cert_file`: the gateway makes a certificate at its first start and keeps it in `data_dir`. Default: false
    #[serde(default)]
    pub(crate) self_signed: bool,
    /// Host names and IP addresses in the certificate that the gateway makes, besides those of loopback.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    /// A PEM file of the authorities whose client certificates are taken instead of a password. Default: none
    pub(crate) client_ca_file: Option<String>,
}

/// `namespace/name` or `name`.
#[derive(Debug, Clone)]
pub(crate) struct DeviceName(pub(crate) DeviceId);

impl<'de> Deserialize<'de> for DeviceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error: InvalidId| {
            let text = crate::scalar::cut(&error.text);
            serde::de::Error::custom(format_args!("`{text}` is not a {}\n{}", error.what, error.rule))
        })
    }
}

impl JsonSchema for DeviceName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "DeviceName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A device: `name`, or `namespace/name`" })
    }
}

/// Any address to listen on: what is behind it asks who comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnyListen(pub(crate) SocketAddr);

impl<'de> Deserialize<'de> for AnyListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = AnyListen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IP address with a port, like 0.0.0.0:7481")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AnyListen, E> {
                let fixed = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
                fixed.as_deref().unwrap_or(text).parse().map(AnyListen).map_err(|_| {
                    E::custom(format_args!(
                        "`{}` is not an address to listen on\nwrite an IP address with a port, like 0.0.0.0:7481",
                        crate::scalar::cut(text)
                    ))
                })
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for AnyListen {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AnyListen".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "An IP address with a port: 0.0.0.0:7481" })
    }
}
