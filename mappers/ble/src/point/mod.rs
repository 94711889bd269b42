//! Where a property lives in a device, as it is written.

mod meaning;
mod words;

use std::collections::BTreeMap;

use config::{Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::{PropertyDefinition, ValueType};

pub use mapper_sdk::Number;
pub use words::{DataType, LinkWord, Order, WriteKind};

use crate::decode::Codec;
use crate::decode::assigned::Assigned;
use crate::uuid::Uuid;

/// Where a property lives: `ble: {characteristic: temperature}`, or
/// `ble: {manufacturer: 0x0499, type: int16, at: 1, byte_order: big, scale: 0.005}`.
///
/// Exactly one of `characteristic`, `manufacturer`, `service_data` and `link` is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// A characteristic: the name of one with an assigned number (temperature, humidity, battery_level, ...), its four
    /// hexadecimal digits, or a whole UUID.
    #[serde(default)]
    pub characteristic: Option<String>,
    /// The service that the characteristic belongs to, where several services have it.
    #[serde(default)]
    pub service: Option<String>,
    /// Which of several such characteristics, counted from 0.
    #[serde(default)]
    pub instance: Option<u8>,
    /// Which value of a characteristic that holds several, for example `energy` of heart_rate_measurement.
    #[serde(default)]
    pub field: Option<String>,
    /// The manufacturer data of an advertisement: the company identifier, for example 0x0499.
    #[serde(default)]
    pub manufacturer: Option<u16>,
    /// The service data of an advertisement: the service.
    #[serde(default)]
    pub service_data: Option<String>,
    /// Something about the connection, for example rssi.
    #[serde(default)]
    pub link: Option<LinkWord>,
    /// What the bytes mean; where nothing is written, what the assigned number says.
    #[serde(default, rename = "type")]
    pub data_type: Option<DataType>,
    /// The first byte, counted from 0; of manufacturer and service data those behind the identifier.
    #[serde(default)]
    pub at: Option<u16>,
    /// How many bytes a `string` or `bytes` takes, 1 to 512; all there are where nothing is written.
    #[serde(default)]
    pub length: Option<u16>,
    /// The lowest bit that belongs to the value, 0 to 63.
    #[serde(default)]
    pub bit: Option<u8>,
    /// How many bits from `bit` on, 1 to 63; one bit is a bool. Default: 1
    #[serde(default)]
    pub bits: Option<u8>,
    /// Which byte of a number comes first.
    #[serde(default)]
    pub byte_order: Order,
    /// The value is the number times this; with an assigned number that is the value in its unit.
    #[serde(default)]
    pub scale: Option<Number>,
    /// Added to the value after `scale`.
    #[serde(default)]
    pub offset: Option<Number>,
    /// How many decimals the value keeps, 0 to 9.
    #[serde(default)]
    pub precision: Option<u8>,
    /// What the numbers are called: `{0: off, 1: on}`. The property is a string then.
    #[serde(default, rename = "enum")]
    pub names: BTreeMap<i64, String>,
    /// How it is written; where nothing is written here, with a response if the characteristic has it.
    #[serde(default)]
    pub write: Option<WriteKind>,
    /// Whether the device is asked for notifications or indications where it has them. Default: true
    #[serde(default)]
    pub notify: Option<bool>,
}

/// Where a point lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a characteristic of the connected device.
    Characteristic {
        /// What it is.
        uuid: Uuid,
        /// The service that it belongs to; none: any.
        service: Option<Uuid>,
        /// Which of several.
        instance: usize,
    },
    /// In the manufacturer data of an advertisement.
    Manufacturer(u16),
    /// In the service data of an advertisement.
    ServiceData(Uuid),
    /// About the connection.
    Link(LinkWord),
}

/// A point as a session wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Where it lives.
    pub place: Place,
    /// What the bytes there mean; of no use for what is about the connection.
    pub codec: Codec,
    /// The unit of the characteristic, where its number says so and nothing scales it; empty otherwise.
    pub unit: &'static str,
    /// How it is written, where the point says so.
    pub write: Option<WriteKind>,
    /// Whether the device is asked to tell of changes.
    pub notify: bool,
}

impl Point {
    /// The characteristic with this name or number, with everything else as it is when nothing is written.
    #[must_use]
    pub fn characteristic(name: &str) -> Self {
        Self { characteristic: Some(name.to_owned()), ..Self::default() }
    }

    /// Resolves what is written.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn layout(&self) -> Result<Layout, CheckFault> {
        let (place, assigned) = self.place()?;
        self.check_words(&place)?;
        let (codec, unit) = self.codec(&place, assigned)?;
        Ok(Layout { place, codec, unit, write: self.write, notify: self.notify.unwrap_or(true) })
    }

    fn place(&self) -> Result<(Place, Option<&'static Assigned>), CheckFault> {
        let written = [
            ("characteristic", self.characteristic.is_some()),
            ("manufacturer", self.manufacturer.is_some()),
            ("service_data", self.service_data.is_some()),
            ("link", self.link.is_some()),
        ];
        let mut written = written.iter().filter(|(_, is_written)| *is_written).map(|(field, _)| *field);
        if let (Some(first), Some(second)) = (written.next(), written.next()) {
            let message = format!("the property cannot live in two places, `{first}` and `{second}`");
            return Err(CheckFault::new(second, message, "write one of them"));
        }
        if let Some(text) = &self.characteristic {
            let (uuid, assigned) = characteristic(text)?;
            let service = self.service.as_deref().map(|text| service("service", text)).transpose()?;
            let instance = usize::from(self.instance.unwrap_or(0));
            return Ok((Place::Characteristic { uuid, service, instance }, assigned));
        }
        if let Some(company) = self.manufacturer {
            return Ok((Place::Manufacturer(company), None));
        }
        if let Some(text) = &self.service_data {
            return Ok((Place::ServiceData(service("service_data", text)?), None));
        }
        match self.link {
            Some(word) => Ok((Place::Link(word), None)),
            None => Err(CheckFault::new(
                "",
                "it does not say where the property lives",
                "write one of characteristic, manufacturer, service_data and link",
            )),
        }
    }
}

/// The characteristic that is written as a name or as a UUID.
fn characteristic(text: &str) -> Result<(Uuid, Option<&'static Assigned>), CheckFault> {
    if let Some(assigned) = Assigned::named(text) {
        return Ok((Uuid::assigned(assigned.number), Some(assigned)));
    }
    match text.parse::<Uuid>() {
        Ok(uuid) => Ok((uuid, Assigned::of(uuid))),
        Err(_) => {
            let like = |assigned: &&Assigned| text.len() > 2 && assigned.name.contains(text);
            let near: Vec<&str> = Assigned::all().iter().filter(like).map(|assigned| assigned.name).collect();
            let hint = if near.is_empty() {
                "write a name such as temperature, its number such as 2A6E, or a whole UUID".to_owned()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            let message = format!("`{text}` is neither a known characteristic nor a UUID");
            Err(CheckFault::new("characteristic", message, hint))
        }
    }
}

fn service(field: &str, text: &str) -> Result<Uuid, CheckFault> {
    text.parse().map_err(|_| {
        let message = format!("`{text}` is not the UUID of a service");
        CheckFault::new(field, message, "write its number such as 181A, or a whole UUID")
    })
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        self.layout().map(|_| ())
    }

    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        let layout = self.layout()?;
        let is_characteristic = matches!(layout.place, Place::Characteristic { .. });
        if property.access.writable() && !is_characteristic {
            let message = "a writable property cannot live in what a device only sends";
            return Err(CheckFault::new("", message, "use a characteristic, or `access: read`"));
        }
        if let Some(unit) =
            property.unit.as_deref().filter(|unit| !layout.unit.is_empty() && *unit != layout.unit)
        {
            let message = format!("the characteristic is in {}, the property in {unit}", layout.unit);
            return Err(CheckFault::new(
                "",
                message,
                "write the unit of the characteristic, or `scale` and `offset`",
            ));
        }
        let found = layout.value_type();
        let fits = match property.value_type {
            ValueType::Bool => found == ValueType::Bool,
            ValueType::Int => matches!(found, ValueType::Int | ValueType::Bool | ValueType::Float),
            ValueType::Float => matches!(found, ValueType::Int | ValueType::Float),
            ValueType::String => found == ValueType::String,
            ValueType::Bytes => found == ValueType::Bytes,
            ValueType::Json => false,
        };
        if fits {
            return Ok(());
        }
        let message = format!("the point holds a {found}, the property is a {}", property.value_type);
        let hint = match property.value_type {
            ValueType::Bool => "write `bit: N` for one bit, or `type: bool`",
            ValueType::Int | ValueType::Float => "write a number type such as int16 or float32",
            ValueType::String => "write `type: string`, or `enum: {0: name, ...}`",
            ValueType::Bytes => "write `type: bytes`",
            ValueType::Json => "give the property another type",
        };
        Err(CheckFault::new("type", message, hint))
    }
}

impl Layout {
    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self.place {
            Place::Link(LinkWord::Rssi | LinkWord::TxPower) => ValueType::Int,
            Place::Link(LinkWord::Connected | LinkWord::Bonded) => ValueType::Bool,
            Place::Link(LinkWord::Name | LinkWord::Address) => ValueType::String,
            Place::Characteristic { .. } | Place::Manufacturer(_) | Place::ServiceData(_) => {
                self.codec.value_type()
            }
        }
    }
}

#[cfg(test)]
mod tests;
