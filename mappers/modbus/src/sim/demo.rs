//! A small plant to try things with: a boiler, a meter, a tank, and a chiller whose line fails now and then.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use crate::sim::plant::{Plant, SimError};
use crate::sim::unit::{SimFault, SimUnit};

/// Of each minute, the seconds in which the chiller does not answer.
const CHILLER_DEAD: std::ops::Range<f64> = 30.0..50.0;

/// The demonstration plant.
#[derive(Debug)]
pub struct Demo {
    /// The plant, to be run.
    pub plant: Plant,
    /// The models and devices to read it with; the set-point of `boiler-1` can be written.
    pub yaml: String,
}

/// Makes the demonstration plant listen on `address` (port 0: any free one).
///
/// # Errors
/// [`SimError`] when the address is not free.
pub async fn demo_plant(address: SocketAddr) -> Result<Demo, SimError> {
    let units: [SimUnit; 4] = std::array::from_fn(|_| SimUnit::new(100));
    let [boiler, meter, tank, chiller] = units.clone();
    {
        let mut tables = boiler.tables();
        tables.holding[0] = 650;
        tables.coils[0] = true;
        for (n, pair) in b"TW-4711\0".as_chunks::<2>().0.iter().enumerate() {
            tables.holding[10 + n] = u16::from_be_bytes(*pair);
        }
    }
    let heat = Mutex::new(Heat { seconds: 0.0, temperature: 40.0, starts: 0, burning: false });
    let by_id: BTreeMap<u8, SimUnit> = (1..).zip(units).collect();
    let plant = Plant::start(address, by_id).await?.with_change(move |seconds| {
        heat.lock().unwrap_or_else(PoisonError::into_inner).change(&boiler, seconds);
        change_meter(&meter, seconds);
        change_tank(&tank, seconds);
        change_chiller(&chiller, seconds);
    });
    let yaml = include_str!("demo.yaml").replace("{ADDR}", &plant.address().to_string());
    Ok(Demo { plant, yaml })
}

/// The boiler's temperature runs after its set-point while the pump runs, and falls while it does not.
struct Heat {
    seconds: f64,
    temperature: f64,
    starts: u32,
    burning: bool,
}

impl Heat {
    fn change(&mut self, boiler: &SimUnit, seconds: f64) {
        let step = (seconds - self.seconds).clamp(0.0, 1.0);
        self.seconds = seconds;
        let mut tables = boiler.tables();
        let setpoint = f64::from(tables.holding[0] as i16) / 10.0;
        let goal = if tables.coils[0] { setpoint } else { 20.0 };
        self.temperature += (goal - self.temperature) * step / 8.0;
        let shown = self.temperature + 0.3 * wave(seconds, 11.0);
        let burning = tables.coils[0] && shown < setpoint + if self.burning { 0.2 } else { -0.2 };
        self.starts += u32::from(burning && !self.burning);
        self.burning = burning;
        tables.set_input_f32(0, shown);
        tables.set_input_f32(2, shown - 8.0 - wave(seconds, 17.0));
        tables.input[4] = number(150.0 + shown / 2.0);
        tables.input[5] = number(if burning { 60.0 + 30.0 * wave(seconds, 7.0) } else { 0.0 });
        tables.set_input_u32(6, self.starts);
        tables.discrete[0] = burning;
    }
}

fn change_meter(meter: &SimUnit, seconds: f64) {
    let mut tables = meter.tables();
    let mut power = 0.0;
    for phase in 0..3u8 {
        let shift = seconds + 4.0 * f64::from(phase);
        let (volts, amperes) = (230.0 + 2.0 * wave(shift, 13.0), 8.0 + 3.0 * wave(shift, 29.0));
        tables.input[usize::from(phase)] = number(volts * 10.0);
        tables.input[3 + usize::from(phase)] = number(amperes * 100.0);
        power += volts * amperes / 1000.0;
    }
    tables.input[6] = number(5000.0 + 3.0 * wave(seconds, 19.0));
    tables.set_input_f32(8, power);
    tables.set_input_u32(10, 1_200_000 + (seconds * 1.6) as u32);
}

fn change_tank(tank: &SimUnit, seconds: f64) {
    let level = 50.0 + 45.0 * wave(seconds, 60.0);
    let filling = wave(seconds + 15.0, 60.0) > 0.0;
    let mut tables = tank.tables();
    tables.input[0] = number(level * 10.0);
    tables.input[1] = number(if filling { 420.0 + 10.0 * wave(seconds, 5.0) } else { 0.0 });
    tables.input[2] = number(200.0 + 20.0 * wave(seconds, 9.0));
    tables.input[3] = u16::from(filling);
    tables.set_input_u32(4, (seconds / 60.0) as u32);
    tables.discrete[0] = level > 90.0;
    tables.discrete[1] = level < 10.0;
}

fn change_chiller(chiller: &SimUnit, seconds: f64) {
    let mut tables = chiller.tables();
    tables.set_input_f32(0, 6.0 + wave(seconds, 23.0));
    tables.input[2] = number(50.0 + 40.0 * wave(seconds, 41.0));
    let dead = CHILLER_DEAD.contains(&(seconds % 60.0));
    tables.fault = if dead { SimFault::Silent } else { SimFault::None };
}

/// Between -1 and 1, once around in `period` seconds.
fn wave(seconds: f64, period: f64) -> f64 {
    (seconds / period * TAU).sin()
}

fn number(value: f64) -> u16 {
    value.round().clamp(0.0, 65_535.0) as u16
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use super::*;

    #[tokio::test]
    async fn its_configuration_has_no_fault_and_enough_that_changes() {
        let demo = demo_plant("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let text = format!("gateway: {{node: demo}}\n{}", demo.yaml);
        let loaded = load(&[Source::new("demo.yaml", &text)], &[crate::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config;
        assert_eq!(config.devices.len(), 4);
        let changing: usize = config.devices.values().map(|d| d.properties.len()).sum();
        assert!(changing >= 25, "{changing}");
    }
}
