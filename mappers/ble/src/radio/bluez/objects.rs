//! The objects of BlueZ and what their properties say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mapper_sdk::Fault;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::address::Address;
use crate::radio::News;
use crate::radio::bluez::{BLUEZ, errors};
use crate::uuid::Uuid;

/// The properties of one interface.
pub(super) type Properties = HashMap<String, OwnedVariant>;
/// The interfaces of one object.
pub(super) type Interfaces = HashMap<String, Properties>;
/// All objects.
pub(super) type Objects = HashMap<OwnedObjectPath, Interfaces>;

/// All objects that BlueZ has.
pub(super) async fn managed(connection: &Connection) -> Result<Objects, Fault> {
    let manager = Some("org.freedesktop.DBus.ObjectManager");
    let reply = connection.call_method(Some(BLUEZ), "/", manager, "GetManagedObjects", &()).await;
    let reply = reply.map_err(|error| errors::fault(&error))?;
    let objects = reply.body().deserialize::<Objects>();
    objects.map_err(|error| Fault::Protocol(format!("BlueZ lists its objects in an unknown form: {error}")))
}

/// A property, when it is there and of this type.
pub(super) fn property<T>(properties: &Properties, name: &str) -> Option<T>
where
    T: TryFrom<OwnedVariant>,
{
    properties.get(name)?.try_clone().ok()?.try_into().ok()
}

/// The device with this path below the adapter `adapter`, and what comes behind it.
pub(super) fn device_in<'p>(path: &'p str, adapter: &str) -> Option<(Address, &'p str)> {
    let rest = path.strip_prefix(adapter)?.strip_prefix("/dev_")?;
    let (device, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some((device.parse().ok()?, rest))
}

/// What the properties of a device say; `now` when they have changed just now.
pub(super) fn news(properties: &Properties, now: bool) -> News {
    let advertised =
        ["RSSI", "ManufacturerData", "ServiceData", "TxPower", "AdvertisingData", "AdvertisingFlags"];
    let uuids =
        |texts: Vec<String>| texts.iter().filter_map(|text| text.parse().ok()).collect::<BTreeSet<Uuid>>();
    News {
        heard: now && advertised.iter().any(|name| properties.contains_key(*name)),
        name: property(properties, "Name"),
        rssi: property(properties, "RSSI"),
        tx_power: property(properties, "TxPower"),
        services: property::<Vec<String>>(properties, "UUIDs").map(uuids),
        manufacturer: property::<HashMap<u16, OwnedVariant>>(properties, "ManufacturerData").map(bytes_by),
        service_data: property::<HashMap<String, OwnedVariant>>(properties, "ServiceData").map(|data| {
            let parsed = data.into_iter().filter_map(|(uuid, bytes)| Some((uuid.parse().ok()?, bytes)));
            bytes_by(parsed)
        }),
        connected: property(properties, "Connected"),
        resolved: property(properties, "ServicesResolved"),
        // Older versions of BlueZ do not tell a bond from a pairing.
        bonded: property(properties, "Bonded").or_else(|| property(properties, "Paired")),
    }
}

fn bytes_by<Key: Ord>(data: impl IntoIterator<Item = (Key, OwnedVariant)>) -> BTreeMap<Key, Vec<u8>> {
    data.into_iter().filter_map(|(key, bytes)| Some((key, bytes.try_into().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_devices_and_characteristics() {
        let device = Address::new([0xC4, 0x7C, 0x8D, 0x6A, 0x12, 0x34]);
        let base = "/org/bluez/hci0";
        assert_eq!(device_in("/org/bluez/hci0/dev_C4_7C_8D_6A_12_34", base), Some((device, "")));
        let path = "/org/bluez/hci0/dev_C4_7C_8D_6A_12_34/service0010/char0011";
        assert_eq!(device_in(path, base), Some((device, "service0010/char0011")));
        assert_eq!(device_in("/org/bluez/hci01/dev_C4_7C_8D_6A_12_34", base), None);
        assert_eq!(device_in("/org/bluez/hci0/dev_C4_7C", base), None);
    }

    #[test]
    fn only_what_an_advertisement_brings_counts_as_heard() {
        let rssi = Properties::from([("RSSI".to_owned(), OwnedVariant::from(-60i16))]);
        assert_eq!((news(&rssi, true).heard, news(&rssi, true).rssi), (true, Some(-60)));
        assert!(!news(&rssi, false).heard);
        let linked = Properties::from([("Connected".to_owned(), OwnedVariant::from(true))]);
        assert_eq!((news(&linked, true).heard, news(&linked, true).connected), (false, Some(true)));
    }
}
