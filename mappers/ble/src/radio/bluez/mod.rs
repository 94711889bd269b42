//! Adapters behind BlueZ, over D-Bus (BlueZ: org.bluez.Adapter, .Device and .GattCharacteristic).

mod adapter;
mod errors;
mod events;
mod objects;

use std::num::NonZeroUsize;
use std::time::Duration;

use mapper_sdk::Fault;
use zbus::connection::Builder;
use zbus::{Connection, MessageStream};

use crate::radio::Radio;

pub use adapter::BlueZAdapter;
pub use events::BlueZEvents;

pub(crate) const BLUEZ: &str = "org.bluez";
pub(crate) const ADAPTER: &str = "org.bluez.Adapter1";
pub(crate) const DEVICE: &str = "org.bluez.Device1";
pub(crate) const SERVICE: &str = "org.bluez.GattService1";
pub(crate) const CHARACTERISTIC: &str = "org.bluez.GattCharacteristic1";
const DBUS: &str = "org.freedesktop.DBus";

/// How long the bus and BlueZ may take to answer.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// Messages of the bus that wait to be looked at; a crowded place has some hundred a second.
const MOST_WAITING: usize = 4_096;

/// The BlueZ of this machine.
#[derive(Debug, Clone, Default)]
pub struct BlueZ {
    bus: Option<String>,
}

impl BlueZ {
    /// BlueZ on the bus with this address, for example `unix:path=/run/dbus/system_bus_socket`, in place of the system
    /// bus.
    #[must_use]
    pub fn on_bus(address: &str) -> Self {
        Self { bus: Some(address.to_owned()) }
    }

    async fn connection(&self) -> Result<Connection, Fault> {
        let builder = match &self.bus {
            Some(address) => Builder::address(address.as_str()),
            None => Builder::system(),
        };
        let most = NonZeroUsize::new(MOST_WAITING).unwrap_or(NonZeroUsize::MIN);
        builder.max_queued(most).build().await.map_err(|error| self.no_bus(&error))
    }

    fn no_bus(&self, error: &zbus::Error) -> Fault {
        let variable = || std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok();
        let place = self.bus.clone().or_else(variable);
        let place = place.unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".into());
        Fault::Denied(format!(
            "no D-Bus system bus at {place} ({error}): apt-get install bluez dbus, and in a container mount its socket"
        ))
    }
}

impl Radio for BlueZ {
    type Adapter = BlueZAdapter;
    type Events = BlueZEvents;

    async fn open(&self, name: Option<&str>) -> Result<(BlueZAdapter, BlueZEvents), Fault> {
        let opening = async {
            let connection = self.connection().await?;
            let stream = MessageStream::from(&connection);
            for rule in [
                "type='signal',sender='org.bluez'",
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
            ] {
                let place = "/org/freedesktop/DBus";
                let added = connection.call_method(Some(DBUS), place, Some(DBUS), "AddMatch", &rule).await;
                added.map_err(|error| errors::fault(&error))?;
            }
            let objects = objects::managed(&connection).await?;
            let adapter = BlueZAdapter::take(connection, &objects, name).await?;
            let events = BlueZEvents::new(stream, &adapter, &objects);
            Ok((adapter, events))
        };
        tokio::time::timeout(OPEN_WITHIN, opening).await.unwrap_or(Err(Fault::TimedOut(OPEN_WITHIN)))
    }
}
