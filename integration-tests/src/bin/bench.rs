//! Measures the edge and the cloud as whole processes, beside a raw loop into SQLite in the same run.
//!
//! `cargo run --release -p integration-tests --bin bench` prints a table, and so do `... --bin bench -- modbus` and `-- opcua`;
//! docs/benchmarks.md holds all.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use integration_tests::bench::{self, Plan};

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Measures the edge and the cloud", args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// Devices without a protocol, fed over MQTT.
    #[arg(long, default_value_t = 100)]
    devices: usize,
    /// Properties of each.
    #[arg(long, default_value_t = 10)]
    properties: usize,
    /// Seconds of flat-out publishing.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// MQTT clients that publish flat out.
    #[arg(long, default_value_t = 4)]
    publishers: usize,
    /// Property updates a second while latency is measured.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Measures how the gateway reads Modbus devices, beside a plain client loop.
    Modbus {
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Measures the gateway with ten thousand OPC UA items on one server.
    Opcua {
        /// Seconds of the measurement.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// The simulated OPC UA server, a process of its own.
    #[command(hide = true)]
    OpcuaPlant,
    /// Measures what the gateway takes when nothing changes.
    Footprint {
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
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

fn main() -> ExitCode {
    let Args { part, devices, properties, seconds, publishers, rate } = Args::parse();
    let plan = Plan { devices, properties, seconds, publishers, rate };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match part {
            None => bench::run(&plan).await,
            Some(Part::Modbus { seconds }) => bench::modbus::run(Duration::from_secs(seconds)).await,
            Some(Part::Opcua { seconds }) => bench::opcua::run(Duration::from_secs(seconds)).await,
            Some(Part::OpcuaPlant) => bench::opcua::plant().await,
            Some(Part::Footprint { seconds }) => bench::footprint::run(Duration::from_secs(seconds)).await,
            Some(Part::ModbusPlant { devices, change }) => bench::modbus::plant(devices, change).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
