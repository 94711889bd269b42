//! `cargo run -p integration-tests --bin soak -- --for 60m`: hours of ordinary trouble, and a verdict on what grows.

use std::time::Duration;

use clap::{Parser, Subcommand};
use integration_tests::bench::{modbus, soak};

#[derive(Parser)]
#[command(
    name = "soak",
    about = "Runs edge and cloud for a while and says what grows",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// How long: `90s`, `60m` or `8h`.
    #[arg(long = "for", default_value = "60m", value_parser = time)]
    time: Duration,
    /// Devices.
    #[arg(long, default_value_t = 200)]
    devices: usize,
}

#[derive(Subcommand)]
enum Part {
    /// The simulated Modbus devices, a process of their own.
    #[command(hide = true)]
    ModbusPlant {
        /// How many.
        devices: usize,
        /// Whether their values change every second.
        #[arg(long)]
        change: bool,
    },
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write 90s, 60m or 8h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write 90s, 60m or 8h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { part, time, devices } = Arguments::parse();
    match part {
        Some(Part::ModbusPlant { devices, change }) => modbus::plant(devices, change).await,
        None => soak::run(soak::Plan { devices, time }).await,
    }
}
