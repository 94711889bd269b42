//! A small plant to try things with: a boiler, a tank, and a line of machines.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use opcua_types::Variant;
use tokio_util::sync::CancellationToken;

use super::plant::{SimPlant, SimVariable};
use super::server::{SimError, SimServer};

/// How often the plant changes.
const STEP: Duration = Duration::from_millis(250);

/// The demonstration plant.
#[derive(Debug)]
pub struct Demo {
    /// The server, to be run.
    pub server: SimServer,
    /// The models and devices to read it with; the set-point of `kiln` can be written.
    pub yaml: String,
}

/// Makes the demonstration plant listen on `address` (port 0: any free one).
///
/// # Errors
/// [`SimError`] when the address is not free.
pub async fn demo_plant(address: SocketAddr) -> Result<Demo, SimError> {
    let plant = SimPlant::default();
    let double = Variant::Double;
    plant.add("Kiln.Setpoint", SimVariable::new(double(180.0)).analogue("°C", 20.0, 250.0).writable());
    plant.add("Kiln.Heating", SimVariable::new(Variant::Boolean(true)).writable());
    plant.add("Kiln.Temperature", SimVariable::new(double(20.0)).analogue("°C", 0.0, 300.0));
    plant.add("Kiln.Output", SimVariable::new(Variant::Int32(0)).analogue("%", 0.0, 100.0));
    plant.add("Kiln.Serial", SimVariable::new(Variant::String("TK-0815".into())));
    plant.add("Mixer.Speed", SimVariable::new(Variant::Float(0.0)).analogue("1/min", 0.0, 300.0));
    plant.add("Mixer.Torque", SimVariable::new(double(0.0)).analogue("N·m", 0.0, 500.0));
    plant.add("Mixer.State", SimVariable::new(Variant::Int32(0)));
    plant.add("Mixer.Batches", SimVariable::new(Variant::UInt32(0)));
    let server = SimServer::bind(address, plant).await?;
    let yaml = include_str!("demo.yaml").replace("{ADDR}", &server.address().to_string());
    Ok(Demo { server, yaml })
}

impl Demo {
    /// Runs the server and changes its variables until `stop`.
    ///
    /// # Errors
    /// [`SimError`] when the server cannot be made.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SimError> {
        let changes = self.server.clone();
        tokio::select! {
            ended = self.server.run(stop) => ended,
            () = change(changes) => Ok(()),
        }
    }
}

async fn change(server: SimServer) {
    let begun = Instant::now();
    let mut temperature = 20.0;
    let mut tick = tokio::time::interval(STEP);
    loop {
        tick.tick().await;
        let seconds = begun.elapsed().as_secs_f64();
        let setpoint = server.value("Kiln.Setpoint").as_f64().unwrap_or(180.0);
        let is_on = server.value("Kiln.Heating") == Variant::Boolean(true);
        let goal = if is_on { setpoint } else { 20.0 };
        temperature += (goal - temperature) * STEP.as_secs_f64() / 8.0;
        let speed = 120.0 + 20.0 * wave(seconds, 17.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small numbers, made here"
        )]
        server.set([
            ("Kiln.Temperature", Variant::Double(temperature + 0.4 * wave(seconds, 11.0))),
            ("Kiln.Output", Variant::Int32((goal - temperature).clamp(0.0, 100.0) as i32)),
            ("Mixer.Speed", Variant::Float(speed as f32)),
            ("Mixer.Torque", Variant::Double(200.0 + 40.0 * wave(seconds, 7.0))),
            ("Mixer.State", Variant::Int32((seconds / 20.0) as i32 % 3)),
            ("Mixer.Batches", Variant::UInt32((seconds / 60.0) as u32)),
        ]);
    }
}

/// Between -1 and 1, once around in `period` seconds.
fn wave(seconds: f64, period: f64) -> f64 {
    (seconds / period * TAU).sin()
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use super::*;

    #[tokio::test]
    async fn its_configuration_has_no_fault() {
        let demo = demo_plant("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let text = format!("gateway: {{node: demo}}\n{}", demo.yaml);
        let loaded = load(&[Source::new("demo.yaml", &text)], &[crate::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config;
        assert_eq!(config.devices.len(), 2);
    }
}
