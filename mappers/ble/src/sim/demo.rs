//! Devices to try things with: a thermometer, a beacon that only advertises, and a chest strap that goes out of reach.

use std::f64::consts::TAU;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::radio::Flags;
use crate::sim::{SimAir, SimCharacteristic, SimDevice, SimFault};
use crate::uuid::Uuid;

/// How often the devices measure.
const STEP: Duration = Duration::from_millis(500);
/// Of each minute, the seconds in which the chest strap is out of reach.
const HEART_AWAY: std::ops::Range<f64> = 40.0..50.0;

const THERMOMETER: Address = Address::new([0xC4, 0x7C, 0x8D, 0x6A, 0x12, 0x34]);
const BEACON: Address = Address::new([0xE1, 0x22, 0x33, 0x44, 0x55, 0x66]);
const HEART: Address = Address::new([0xD0, 0x11, 0x22, 0x33, 0x44, 0x55]);

/// The devices for a demonstration.
#[derive(Debug)]
pub struct Demo {
    /// The devices, as the radio of a driver.
    pub air: SimAir,
    /// The models and devices to read them with; `interval` of `thermometer-1` can be written.
    pub yaml: &'static str,
}

/// Makes the devices; they stand still until [`Demo::run`].
#[must_use]
pub fn demo() -> Demo {
    let air = SimAir::new();
    let own = "12345678-1234-5678-1234-56789abcdef1".parse().unwrap_or(Uuid::assigned(0xFFF1));
    let thermometer = vec![
        SimCharacteristic::measured(0x181A, 0x2A6E, &2150i16.to_le_bytes()),
        SimCharacteristic::measured(0x181A, 0x2A6F, &4500u16.to_le_bytes()),
        SimCharacteristic::fixed(0x180F, 0x2A19, &[87]),
        SimCharacteristic::setting(Uuid::assigned(0x181A), own, &[5]),
        SimCharacteristic::fixed(0x180A, 0x2A29, b"Acme"),
    ];
    air.add(THERMOMETER, SimDevice::new("Thermometer", thermometer));
    let beacon = SimDevice {
        manufacturer: [(0x0499, beacon_bytes(0.0))].into(),
        service_data: [(Uuid::assigned(0xFCD2), vec![0x0C, 0xB8, 0x0B])].into(),
        ..SimDevice::new("Beacon 1", Vec::new())
    };
    air.add(BEACON, beacon);
    let rate = SimCharacteristic {
        flags: Flags { tells: true, ..Flags::default() },
        ..SimCharacteristic::measured(0x180D, 0x2A37, &[0x06, 70])
    };
    air.add(HEART, SimDevice::new("Strap", vec![rate]));
    Demo { air, yaml: include_str!("demo.yaml") }
}

impl Demo {
    /// Lets the devices measure, tell and advertise until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(STEP);
        let mut seconds = 0.0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            seconds += STEP.as_secs_f64();
            self.change(seconds);
        }
    }

    fn change(&self, seconds: f64) {
        let air = &self.air;
        let temperature = (2150.0 + 150.0 * wave(seconds, 60.0)) as i16;
        let humidity = (4500.0 - 500.0 * wave(seconds, 60.0)) as u16;
        air.set(THERMOMETER, Uuid::assigned(0x2A6E), &temperature.to_le_bytes());
        air.set(THERMOMETER, Uuid::assigned(0x2A6F), &humidity.to_le_bytes());
        air.with(THERMOMETER, |device| device.rssi = (-60.0 + 8.0 * wave(seconds, 17.0)) as i16);
        air.with(BEACON, |device| {
            device.manufacturer.insert(0x0499, beacon_bytes(seconds));
        });
        let is_away = HEART_AWAY.contains(&(seconds % 60.0));
        let was_away = air.with(HEART, |device| {
            let was = device.fault == SimFault::Silent;
            device.fault = if is_away { SimFault::Silent } else { SimFault::None };
            was
        });
        if is_away && !was_away {
            air.cut(HEART);
        }
        air.set(HEART, Uuid::assigned(0x2A37), &[0x06, (75.0 + 10.0 * wave(seconds, 23.0)) as u8]);
        for address in [THERMOMETER, BEACON, HEART] {
            air.advertise(address);
        }
    }
}

fn beacon_bytes(seconds: f64) -> Vec<u8> {
    let temperature = (4300.0 + 200.0 * wave(seconds, 45.0)) as i16;
    let humidity = (21_000.0 + 1_000.0 * wave(seconds, 31.0)) as u16;
    let mut bytes = vec![5];
    bytes.extend(temperature.to_be_bytes());
    bytes.extend(humidity.to_be_bytes());
    bytes.push(u8::from(wave(seconds, 20.0) > 0.5));
    bytes
}

/// Between -1 and 1, once around in `period` seconds.
fn wave(seconds: f64, period: f64) -> f64 {
    (seconds / period * TAU).sin()
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use super::*;

    #[test]
    fn its_configuration_has_no_fault() {
        let text = format!("gateway: {{node: demo}}\n{}", demo().yaml);
        let loaded = load(&[Source::new("demo.yaml", &text)], &[crate::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config;
        assert_eq!(config.devices.len(), 3);
    }
}
