//! Measures the edge and the cloud as whole processes, beside a raw loop into SQLite in the same run.
//!
//! `cargo run --release -p integration-tests --bin bench` prints a table; docs/benchmarks.md holds one.

use std::process::ExitCode;

use clap::Parser;
use integration_tests::bench::{self, Plan};

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Measures the edge and the cloud")]
struct Args {
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

fn main() -> ExitCode {
    let Args { devices, properties, seconds, publishers, rate } = Args::parse();
    let plan = Plan { devices, properties, seconds, publishers, rate };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench::run(&plan)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
