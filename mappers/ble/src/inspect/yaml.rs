//! As a device of the configuration.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use twin_core::ValueType;

use crate::inspect::{Characteristic, Inspected};
use crate::uuid::Uuid;

/// Services whose characteristics are about the protocol and not about the device.
const OF_THE_PROTOCOL: [Uuid; 2] = [Uuid::assigned(0x1800), Uuid::assigned(0x1801)];
/// The service with what never changes.
const INFORMATION: Uuid = Uuid::assigned(0x180A);
/// The battery, which changes slowly.
const BATTERY: Uuid = Uuid::assigned(0x180F);

impl Inspected {
    /// The device as it is written in a configuration, below `devices:`.
    #[must_use]
    pub fn yaml(&self) -> String {
        let address = self.found.address;
        let mut link = format!("address: \"{address}\"");
        if let Some(adapter) = &self.adapter {
            let _ = write!(link, ", adapter: {adapter}");
        }
        if self.characteristics.is_err() {
            link.push_str(", mode: advertisement");
        }
        let mut text = format!("devices:\n  {}:\n    ble: {{{link}}}\n    properties:\n", self.label());
        let mut names = BTreeSet::new();
        for characteristic in self.characteristics.iter().flatten() {
            for (name, body) in characteristic.properties() {
                line(&mut text, &mut names, &name, &body);
            }
        }
        for company in self.found.seen.manufacturer.keys() {
            let body = format!("type: bytes, ble: {{manufacturer: {company:#06x}, type: bytes}}");
            line(&mut text, &mut names, &format!("manufacturer_{company:04x}"), &body);
        }
        for service in self.found.seen.service_data.keys() {
            let body = format!("type: bytes, ble: {{service_data: \"{service}\", type: bytes}}");
            line(&mut text, &mut names, &format!("service_data_{}", word(*service)), &body);
        }
        line(&mut text, &mut names, "rssi", "type: int, unit: dBm, every: 10s, ble: {link: rssi}");
        text
    }

    /// A name for the device: what it calls itself, as far as that goes.
    fn label(&self) -> String {
        let name = self.found.seen.name.as_deref().unwrap_or_default().to_ascii_lowercase();
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
        if parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
            return format!("ble-{}", self.found.address.to_string().to_lowercase().replace(':', ""));
        }
        parts.join("-")
    }
}

impl Characteristic {
    /// The properties that live in it.
    fn properties(&self) -> Vec<(String, String)> {
        let attribute = &self.attribute;
        let flags = attribute.flags;
        let (gets, puts) = (flags.read || flags.tells, flags.write || flags.command);
        if OF_THE_PROTOCOL.contains(&attribute.service) || !(gets || puts) {
            return Vec::new();
        }
        let access = match (gets, puts) {
            (true, true) => ", access: read_write",
            (false, true) => ", access: write",
            (_, false) => "",
        };
        let every = match attribute.service {
            INFORMATION => ", every: 1h",
            BATTERY => ", every: 5m",
            _ => "",
        };
        let instance =
            if self.instance > 0 { format!(", instance: {}", self.instance) } else { String::new() };
        let service = format!(", service: \"{}\"{instance}", attribute.service);
        let Some(assigned) = self.assigned else {
            let body = format!(
                "type: bytes{access}{every}, ble: {{characteristic: \"{}\"{service}, type: bytes}}",
                attribute.uuid
            );
            return vec![(format!("c_{}", word(attribute.uuid)), body)];
        };
        assigned
            .fields
            .iter()
            .enumerate()
            .map(|(number, field)| {
                let codec = field.codec();
                let value_type = codec.value_type();
                let unit =
                    if field.unit.is_empty() { String::new() } else { format!(", unit: \"{}\"", field.unit) };
                let measured = matches!(codec.kind, crate::decode::Kind::Measured(_));
                let access = if measured { "" } else { access };
                let inner = if number > 0 { format!(", field: {}", field.name) } else { String::new() };
                let name = if number > 0 {
                    format!("{}_{}", assigned.name, field.name)
                } else {
                    assigned.name.to_owned()
                };
                let body = format!(
                    "type: {}{unit}{access}{every}, ble: {{characteristic: {}{service}{inner}}}",
                    type_word(value_type),
                    assigned.name
                );
                (name, body)
            })
            .collect()
    }
}

fn line(text: &mut String, names: &mut BTreeSet<String>, name: &str, body: &str) {
    let mut own = name.to_owned();
    let mut number = 2;
    while !names.insert(own.clone()) {
        own = format!("{name}_{number}");
        number += 1;
    }
    let _ = writeln!(text, "      {own}: {{{body}}}");
}

fn word(uuid: Uuid) -> String {
    uuid.to_string().to_ascii_lowercase().replace('-', "_")
}

fn type_word(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Bool => "bool",
        ValueType::Int => "int",
        ValueType::Float => "float",
        ValueType::String => "string",
        ValueType::Bytes => "bytes",
        ValueType::Json => "json",
    }
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use crate::address::Address;
    use crate::driver::Ble;
    use crate::sim::{SimAir, SimCharacteristic, SimDevice, SimFault, demo};

    fn devices(yaml: &str) -> usize {
        let text = format!("gateway: {{node: n}}\n{yaml}");
        let loaded = load(&[Source::new("found.yaml", text)], &[crate::protocol()], &NoSecrets);
        loaded.unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}")).config.devices.len()
    }

    #[tokio::test]
    async fn what_is_found_of_a_device_is_a_configuration_without_faults() {
        let driver = Ble::over(demo().air);
        let inspected = driver.inspect("C4:7C:8D:6A:12:34".parse().unwrap(), Some("sim0")).await.unwrap();
        let yaml = inspected.yaml();
        assert_eq!(devices(&yaml), 1);
        assert!(
            yaml.contains("temperature: {type: float, unit: \"°C\", ble: {characteristic: temperature"),
            "{yaml}"
        );
        assert!(
            yaml.contains("c_12345678_1234_5678_1234_56789abcdef1: {type: bytes, access: read_write"),
            "{yaml}"
        );
        assert!(inspected.text().contains("21.5 °C (6608)"), "{}", inspected.text());
    }

    #[tokio::test]
    async fn a_device_that_cannot_be_connected_to_is_one_that_is_listened_to() {
        let air = SimAir::new();
        let address = Address::new([7; 6]);
        let mut device = SimDevice::new("12:\u{1b}[2J 34", Vec::new());
        device.manufacturer.insert(0x0499, vec![5, 6]);
        air.add(address, device);
        let driver = Ble::over(air.clone());
        let scanned = driver.scan(None, None, std::time::Duration::from_millis(50)).await.unwrap();
        assert_eq!(scanned.len(), 1);
        assert!(scanned[0].line().contains("manufacturer 0x0499: 0506"), "{}", scanned[0].line());
        assert!(!scanned[0].line().contains('\u{1b}'));
        air.with(address, |device| device.fault = SimFault::NotConnectable);
        let inspected =
            tokio::time::timeout(std::time::Duration::from_secs(30), driver.inspect(address, None));
        let yaml = inspected.await.unwrap().unwrap().yaml();
        assert!(yaml.contains("mode: advertisement") && yaml.contains("manufacturer_0499"), "{yaml}");
        assert_eq!(devices(&yaml), 1);
    }

    #[tokio::test]
    async fn characteristics_with_one_uuid_get_names_and_instances_of_their_own() {
        let air = SimAir::new();
        let address = Address::new([7; 6]);
        let two = |n: i16| SimCharacteristic::measured(0x181A, 0x2A6E, &n.to_le_bytes());
        let heart = SimCharacteristic::measured(0x180D, 0x2A37, &[0, 70]);
        air.add(address, SimDevice::new("Two", vec![two(100), two(200), heart]));
        let yaml = Ble::over(air).inspect(address, None).await.unwrap().yaml();
        assert!(yaml.contains("temperature_2: ") && yaml.contains("instance: 1"), "{yaml}");
        assert!(yaml.contains("heart_rate_measurement_contact: {type: bool"), "{yaml}");
        assert_eq!(devices(&yaml), 1);
    }
}
