//! One adapter of BlueZ.

use std::collections::HashMap;
use std::time::Duration;

use mapper_sdk::Fault;
use zbus::{Connection, DynamicType, OwnedVariant, Variant};

use crate::address::Address;
use crate::radio::bluez::objects::{Objects, device_in, managed, property};
use crate::radio::bluez::{ADAPTER, BLUEZ, CHARACTERISTIC, DEVICE, SERVICE, errors};
use crate::radio::{Adapter, Attribute, Flags, Handle};
use crate::uuid::Uuid;

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How long a switched-on adapter may take to be on.
const POWER_WITHIN: Duration = Duration::from_secs(5);

/// An adapter of BlueZ.
#[derive(Debug, Clone)]
pub struct BlueZAdapter {
    connection: Connection,
    path: String,
}

impl BlueZAdapter {
    /// The adapter `name`, or the first there is, switched on.
    pub(super) async fn take(
        connection: Connection,
        objects: &Objects,
        name: Option<&str>,
    ) -> Result<Self, Fault> {
        let adapters =
            objects.iter().filter_map(|(path, interfaces)| Some((path.as_str(), interfaces.get(ADAPTER)?)));
        let mut adapters: Vec<_> = adapters.collect();
        adapters.sort_by_key(|(path, _)| *path);
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let found = adapters.iter().find(|(path, _)| name.is_none_or(|name| last(path) == name));
        let Some((path, properties)) = found else {
            let there: Vec<String> = adapters.iter().map(|(path, _)| last(path)).collect();
            return Err(Fault::Denied(match name {
                Some(name) if !there.is_empty() => {
                    format!("no Bluetooth adapter {name}: there is {}", there.join(", "))
                }
                Some(_) | None => {
                    "no Bluetooth adapter: plug one in, or pass it through to the virtual machine; \
                                   `rfkill list bluetooth` and `bluetoothctl list` show what there is"
                        .into()
                }
            }));
        };
        let adapter = Self { connection, path: (*path).to_owned() };
        if property(properties, "Powered") != Some(true) {
            adapter.power_on().await?;
        }
        Ok(adapter)
    }

    async fn power_on(&self) -> Result<(), Fault> {
        let body = (ADAPTER, "Powered", Variant::from(true));
        let on = self.call(&self.path, PROPERTIES, "Set", &body);
        let done = tokio::time::timeout(POWER_WITHIN, on).await.unwrap_or(Err(Fault::TimedOut(POWER_WITHIN)));
        done.map_err(|fault| {
            let name = self.name();
            Fault::Denied(format!(
                "the Bluetooth adapter {name} is off and cannot be switched on ({fault}): rfkill unblock bluetooth; \
                 bluetoothctl power on"
            ))
        })
    }

    async fn is_discovering(&self) -> Result<bool, Fault> {
        let reply = self.ask(&self.path, PROPERTIES, "Get", &(ADAPTER, "Discovering")).await?;
        let value = reply.body().deserialize::<OwnedVariant>().ok();
        Ok(value.and_then(|value| value.try_into().ok()).unwrap_or(false))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn device(&self, device: Address) -> String {
        format!("{}/dev_{}", self.path, device.to_string().replace(':', "_"))
    }

    fn characteristic(&self, device: Address, handle: &Handle) -> String {
        format!("{}/{handle}", self.device(device))
    }

    async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> Result<(), Fault>
    where
        B: serde::Serialize + DynamicType + Sync,
    {
        self.ask(path, interface, method, body).await.map(drop)
    }

    async fn ask<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<zbus::Message, Fault>
    where
        B: serde::Serialize + DynamicType + Sync,
    {
        let reply = self.connection.call_method(Some(BLUEZ), path, Some(interface), method, body).await;
        reply.map_err(|error| errors::fault(&error))
    }
}

impl Adapter for BlueZAdapter {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    async fn listen(&self, on: bool) -> Result<(), Fault> {
        if !on {
            return self.call(&self.path, ADAPTER, "StopDiscovery", &()).await;
        }
        // With duplicates every advertisement is told of, not only the first with these bytes.
        let filter =
            HashMap::from([("Transport", Variant::from("le")), ("DuplicateData", Variant::from(true))]);
        self.call(&self.path, ADAPTER, "SetDiscoveryFilter", &filter).await?;
        match self.call(&self.path, ADAPTER, "StartDiscovery", &()).await {
            // Either BlueZ listens for us already, and begins again by itself after a connection was made; or it is
            // still ending what somebody else began, and is asked again.
            Err(Fault::Busy(text)) if self.is_discovering().await? => {
                tracing::debug!(adapter = self.name(), reason = text, "the adapter listens already");
                Ok(())
            }
            other => other,
        }
    }

    async fn connect(&self, device: Address) -> Result<(), Fault> {
        match self.call(&self.device(device), DEVICE, "Connect", &()).await {
            Err(Fault::Busy(text)) if text.contains("AlreadyConnected") => Ok(()),
            other => other,
        }
    }

    async fn disconnect(&self, device: Address) -> Result<(), Fault> {
        self.call(&self.device(device), DEVICE, "Disconnect", &()).await
    }

    async fn bond(&self, device: Address) -> Result<(), Fault> {
        match self.call(&self.device(device), DEVICE, "Pair", &()).await {
            Err(Fault::Busy(text)) if text.contains("AlreadyExists") => Ok(()),
            other => other,
        }
    }

    async fn attributes(&self, device: Address) -> Result<Vec<Attribute>, Fault> {
        let objects = managed(&self.connection).await?;
        let services: HashMap<&str, Uuid> = objects
            .iter()
            .filter_map(|(path, interfaces)| {
                let uuid: String = property(interfaces.get(SERVICE)?, "UUID")?;
                Some((path.as_str(), uuid.parse().ok()?))
            })
            .collect();
        let mut attributes: Vec<Attribute> = objects
            .iter()
            .filter_map(|(path, interfaces)| {
                let (owner, handle) = device_in(path.as_str(), &self.path)?;
                let properties = interfaces.get(CHARACTERISTIC).filter(|_| owner == device)?;
                let uuid: String = property(properties, "UUID")?;
                let (service, _) = path.as_str().rsplit_once('/')?;
                let flags: Vec<String> = property(properties, "Flags").unwrap_or_default();
                let has = |names: &[&str]| flags.iter().any(|flag| names.contains(&flag.as_str()));
                Some(Attribute {
                    handle: Handle::new(handle),
                    service: *services.get(service)?,
                    uuid: uuid.parse().ok()?,
                    flags: Flags {
                        read: has(&["read", "encrypt-read", "encrypt-authenticated-read", "secure-read"]),
                        write: has(&[
                            "write",
                            "encrypt-write",
                            "encrypt-authenticated-write",
                            "secure-write",
                            "reliable-write",
                        ]),
                        command: has(&["write-without-response"]),
                        tells: has(&["notify", "indicate", "encrypt-notify", "encrypt-indicate"]),
                    },
                })
            })
            .collect();
        attributes.sort_by(|one, other| one.handle.cmp(&other.handle));
        Ok(attributes)
    }

    async fn read(&self, device: Address, handle: &Handle) -> Result<Vec<u8>, Fault> {
        let options: HashMap<&str, Variant<'_>> = HashMap::new();
        let path = self.characteristic(device, handle);
        let reply = self.ask(&path, CHARACTERISTIC, "ReadValue", &options).await?;
        let bytes = reply.body().deserialize();
        bytes.map_err(|error| {
            Fault::Protocol(format!("BlueZ answers with something else than bytes: {error}"))
        })
    }

    async fn write(
        &self,
        device: Address,
        handle: &Handle,
        bytes: &[u8],
        response: bool,
    ) -> Result<(), Fault> {
        let kind = if response { "request" } else { "command" };
        let options = HashMap::from([("type", Variant::from(kind))]);
        let path = self.characteristic(device, handle);
        self.call(&path, CHARACTERISTIC, "WriteValue", &(bytes, options)).await
    }

    async fn subscribe(&self, device: Address, handle: &Handle) -> Result<(), Fault> {
        let path = self.characteristic(device, handle);
        match self.call(&path, CHARACTERISTIC, "StartNotify", &()).await {
            Err(Fault::Busy(text)) if text.contains("InProgress") => Ok(()),
            other => other,
        }
    }
}
