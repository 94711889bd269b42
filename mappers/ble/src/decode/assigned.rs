//! Characteristics with an assigned number: their names, formats and units (Assigned Numbers, 3.8; GATT Specification
//! Supplement, 3).

use crate::decode::measured::{Measured, Pressure};
use crate::decode::{Codec, Kind};
use crate::uuid::Uuid;

/// A characteristic with an assigned number.
#[derive(Debug)]
pub struct Assigned {
    /// Its number.
    pub number: u16,
    /// Its name, as a point writes it.
    pub name: &'static str,
    /// What is in it; the first is meant where a point names none.
    pub fields: &'static [Field],
}

/// A value in such a characteristic.
#[derive(Debug)]
pub struct Field {
    /// Its name, as a point writes it in `field`.
    pub name: &'static str,
    /// How many bytes it takes from the first, and what is in there.
    pub kind: Kind,
    /// What the number is multiplied by.
    pub step: f64,
    /// The unit after that; empty where there is none.
    pub unit: &'static str,
    /// Numbers that stand for "not known".
    pub unknown: &'static [i64],
}

impl Assigned {
    /// The characteristic with this UUID, where it has an assigned number and a format known here.
    #[must_use]
    pub fn of(uuid: Uuid) -> Option<&'static Self> {
        let number = uuid.number()?;
        TABLE.iter().find(|assigned| assigned.number == number)
    }

    /// The characteristic with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|assigned| assigned.name == name)
    }

    /// All of them, by number.
    #[must_use]
    pub fn all() -> &'static [Self] {
        TABLE
    }
}

impl Field {
    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        Codec { step: self.step, unknown: self.unknown, ..Codec::plain(self.kind) }
    }
}

const fn int(bytes: usize, signed: bool) -> Kind {
    Kind::Integer { bytes, signed }
}

const fn field(
    name: &'static str,
    kind: Kind,
    step: f64,
    unit: &'static str,
    unknown: &'static [i64],
) -> Field {
    Field { name, kind, step, unit, unknown }
}

const fn measured(name: &'static str, field: Measured, unit: &'static str) -> Field {
    Field { name, kind: Kind::Measured(field), step: 1.0, unit, unknown: &[] }
}

macro_rules! table {
    ($($number:literal $name:literal [$($field:expr),+ $(,)?];)*) => {
        &[$(Assigned { number: $number, name: $name, fields: &[$($field),+] }),*]
    };
}

const NONE: &[i64] = &[];
const U8: &[i64] = &[0xFF];
const U16: &[i64] = &[0xFFFF];
const U24: &[i64] = &[0xFF_FFFF];
const I16: &[i64] = &[-0x8000];
const TEXT: Field = field("value", Kind::Text(None), 1.0, "", NONE);
const BYTES: Field = field("value", Kind::Bytes(None), 1.0, "", NONE);

static TABLE: &[Assigned] = table! {
    0x2A00 "device_name" [TEXT];
    0x2A01 "appearance" [field("value", int(2, false), 1.0, "", NONE)];
    0x2A06 "alert_level" [field("value", int(1, false), 1.0, "", NONE)];
    0x2A07 "tx_power_level" [field("value", int(1, true), 1.0, "dBm", NONE)];
    0x2A19 "battery_level" [field("value", int(1, false), 1.0, "%", NONE)];
    0x2A1C "temperature_measurement" [measured("temperature", Measured::Temperature, "°C")];
    0x2A1D "temperature_type" [field("value", int(1, false), 1.0, "", NONE)];
    0x2A1E "intermediate_temperature" [measured("temperature", Measured::Temperature, "°C")];
    0x2A1F "temperature_celsius" [field("value", int(2, true), 0.1, "°C", NONE)];
    0x2A23 "system_id" [BYTES];
    0x2A24 "model_number" [TEXT];
    0x2A25 "serial_number" [TEXT];
    0x2A26 "firmware_revision" [TEXT];
    0x2A27 "hardware_revision" [TEXT];
    0x2A28 "software_revision" [TEXT];
    0x2A29 "manufacturer_name" [TEXT];
    0x2A2C "magnetic_declination" [field("value", int(2, false), 0.01, "°", NONE)];
    0x2A35 "blood_pressure_measurement" [
        measured("systolic", Measured::Pressure(Pressure::Systolic), "mmHg"),
        measured("diastolic", Measured::Pressure(Pressure::Diastolic), "mmHg"),
        measured("mean", Measured::Pressure(Pressure::Mean), "mmHg"),
        measured("pulse", Measured::PressurePulse, "1/min"),
    ];
    0x2A37 "heart_rate_measurement" [
        measured("rate", Measured::HeartRate, "1/min"),
        measured("contact", Measured::HeartContact, ""),
        measured("energy", Measured::HeartEnergy, "kJ"),
    ];
    0x2A38 "body_sensor_location" [field("value", int(1, false), 1.0, "", NONE)];
    0x2A39 "heart_rate_control_point" [field("value", int(1, false), 1.0, "", NONE)];
    0x2A50 "pnp_id" [BYTES];
    0x2A5E "plx_spot_check_measurement" [
        measured("saturation", Measured::Oxygen, "%"),
        measured("pulse", Measured::OxygenPulse, "1/min"),
    ];
    0x2A5F "plx_continuous_measurement" [
        measured("saturation", Measured::Oxygen, "%"),
        measured("pulse", Measured::OxygenPulse, "1/min"),
    ];
    0x2A6C "elevation" [field("value", int(3, true), 0.01, "m", NONE)];
    0x2A6D "pressure" [field("value", int(4, false), 0.1, "Pa", NONE)];
    0x2A6E "temperature" [field("value", int(2, true), 0.01, "°C", I16)];
    0x2A6F "humidity" [field("value", int(2, false), 0.01, "%", U16)];
    0x2A70 "true_wind_speed" [field("value", int(2, false), 0.01, "m/s", NONE)];
    0x2A71 "true_wind_direction" [field("value", int(2, false), 0.01, "°", NONE)];
    0x2A72 "apparent_wind_speed" [field("value", int(2, false), 0.01, "m/s", NONE)];
    0x2A73 "apparent_wind_direction" [field("value", int(2, false), 0.01, "°", NONE)];
    0x2A74 "gust_factor" [field("value", int(1, false), 0.1, "", NONE)];
    0x2A75 "pollen_concentration" [field("value", int(3, false), 1.0, "1/m³", NONE)];
    0x2A76 "uv_index" [field("value", int(1, false), 1.0, "", NONE)];
    0x2A77 "irradiance" [field("value", int(2, false), 0.1, "W/m²", NONE)];
    0x2A78 "rainfall" [field("value", int(2, false), 1.0, "mm", NONE)];
    0x2A79 "wind_chill" [field("value", int(1, true), 1.0, "°C", NONE)];
    0x2A7A "heat_index" [field("value", int(1, true), 1.0, "°C", NONE)];
    0x2A7B "dew_point" [field("value", int(1, true), 1.0, "°C", NONE)];
    0x2A9D "weight_measurement" [measured("weight", Measured::Weight, "kg")];
    0x2AA3 "barometric_pressure_trend" [field("value", int(1, false), 1.0, "", NONE)];
    0x2AEE "electric_current" [field("value", int(2, false), 0.01, "A", U16)];
    0x2AF2 "energy" [field("value", int(3, false), 1.0, "kWh", U24)];
    0x2AFB "illuminance" [field("value", int(3, false), 0.01, "lx", U24)];
    0x2B05 "power" [field("value", int(3, false), 0.1, "W", U24)];
    0x2B0D "temperature_8" [field("value", int(1, true), 0.5, "°C", &[0x7F])];
    0x2B18 "voltage" [field("value", int(2, false), 1.0 / 64.0, "V", U16)];
    0x2B8C "co2_concentration" [field("value", int(2, false), 1.0, "ppm", U16)];
    0x2BD0 "carbon_monoxide_concentration" [field("value", Kind::Medfloat16, 1.0, "kg/m³", NONE)];
    0x2BD5 "pm1_concentration" [field("value", Kind::Medfloat16, 1.0, "kg/m³", NONE)];
    0x2BD6 "pm2_5_concentration" [field("value", Kind::Medfloat16, 1.0, "kg/m³", NONE)];
    0x2BD7 "pm10_concentration" [field("value", Kind::Medfloat16, 1.0, "kg/m³", NONE)];
    0x2BE2 "light_output" [field("value", int(3, false), 1.0, "lm", U24)];
    0x2BE7 "voc_concentration" [field("value", int(2, false), 1.0, "ppb", U16)];
    0x2C1B "humidity_8" [field("value", int(1, false), 0.5, "%", U8)];
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use twin_core::Value;

    #[test]
    fn no_number_and_no_name_is_there_twice() {
        let numbers: BTreeSet<u16> = TABLE.iter().map(|assigned| assigned.number).collect();
        let names: BTreeSet<&str> = TABLE.iter().map(|assigned| assigned.name).collect();
        assert_eq!((numbers.len(), names.len()), (TABLE.len(), TABLE.len()));
        assert!(TABLE.is_sorted_by_key(|assigned| assigned.number));
    }

    #[test]
    fn the_formats_give_the_values_of_the_specification() {
        let value = |name: &str, bytes: &[u8]| Assigned::named(name).unwrap().fields[0].codec().decode(bytes);
        let float = |number| Ok(Value::float(number).unwrap());
        assert_eq!(value("temperature", &[0x66, 0x08]), float(21.5));
        assert_eq!(value("temperature", &[0x9A, 0xF7]), float(-21.5));
        assert_eq!(value("humidity", &[0x94, 0x11]), float(45.0));
        assert_eq!(value("pressure", &[0x12, 0x76, 0x0F, 0x00]), float(101_326.6));
        assert_eq!(value("battery_level", &[87]), Ok(Value::Int(87)));
        assert_eq!(value("illuminance", &[0x40, 0x0D, 0x03]), float(2000.0));
        assert_eq!(value("voltage", &[0x40, 0x03]), float(13.0));
        assert_eq!(value("elevation", &[0xFF, 0xFF, 0xFF]), float(-0.01));
        assert_eq!(value("manufacturer_name", b"Acme\0"), Ok(Value::String("Acme".into())));
        assert_eq!(value("temperature_measurement", &[0, 0x6C, 1, 0, 0xFF]), float(36.4));
    }

    #[test]
    fn what_the_device_does_not_know_is_no_value() {
        let value = |name: &str, bytes: &[u8]| Assigned::named(name).unwrap().fields[0].codec().decode(bytes);
        assert!(value("temperature", &[0x00, 0x80]).is_err());
        assert!(value("humidity", &[0xFF, 0xFF]).is_err());
        assert!(value("temperature", &[0x66]).is_err(), "half a value");
    }
}
