//! A whole driver in two files: `driver.rs` is the driver, `device.rs` the device that it is tried on. This runs the
//! conformance suite on the two.
//!
//! `cargo run -p mapper-sdk --example greenhouse`

mod device;
mod driver;

use std::time::Duration;

use mapper_sdk::conformance::{self, Rig};
use twin_core::Value;

use device::Device;
use driver::{Greenhouse, Link, Point};

/// The driver and its simulated device, as the suite wants them.
struct GreenhouseRig {
    driver: Greenhouse,
    device: Device,
}

impl Rig for GreenhouseRig {
    type Driver = Greenhouse;

    fn driver(&self) -> &Greenhouse {
        &self.driver
    }

    fn link(&self) -> Link {
        Link::new(self.device.address(), Duration::from_millis(200))
    }

    fn readable(&self) -> Vec<(Point, Value)> {
        let float = |number| Value::float(number).unwrap_or(Value::Bool(false));
        let state = self.device.state();
        vec![
            (Point::Sensor("temperature".into()), float(state.temperature)),
            (Point::Sensor("moisture".into()), float(state.moisture)),
            (Point::Switch("lamp".into()), Value::Bool(state.lamp)),
        ]
    }

    fn missing(&self) -> Point {
        Point::Sensor("sunshine".into())
    }

    fn writable(&self) -> (Point, Value, Value) {
        (Point::Switch("lamp".into()), Value::Bool(true), Value::Bool(false))
    }

    fn read_only(&self) -> Point {
        Point::Sensor("temperature".into())
    }

    fn held(&self) -> Value {
        Value::Bool(self.device.state().lamp)
    }

    fn die(&mut self) {
        self.device.state().silent = true;
    }

    fn revive(&mut self) {
        let mut state = self.device.state();
        (state.silent, state.late) = (false, Duration::ZERO);
    }

    fn answer_late(&mut self) {
        self.device.state().late = Duration::from_millis(400);
    }

    fn change(&mut self) {
        let mut state = self.device.state();
        state.temperature += 0.5;
        state.moisture += 1.0;
        state.lamp = !state.lamp;
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what the example prints is its result")]
async fn main() -> std::io::Result<()> {
    let device = Device::start().await?;
    conformance::run_all(&mut GreenhouseRig { driver: Greenhouse, device }).await;
    println!("the driver does what every driver must");
    Ok(())
}
