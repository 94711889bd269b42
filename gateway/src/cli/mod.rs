//! The command line: what an integrator and an operator type.

mod check;
mod device;
mod diff;
mod plan;
mod probe;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A device-protocol gateway: devices of the plant become twins, here and in the cloud.
#[derive(Debug, Parser)]
#[command(name = "twinspan", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Run {
        /// The configuration: a YAML file, or a folder of them.
        #[arg(default_value = "/etc/twinspan", env = "TWINSPAN_CONFIG")]
        config: PathBuf,
    },
    /// Check a configuration and print all its faults, or one line when it is right.
    Check {
        /// The configuration: a YAML file, or a folder of them.
        config: PathBuf,
        /// Read `${file:...}` and `${env:...}` too, as the gateway would.
        #[arg(long)]
        secrets: bool,
    },
    /// Print what differs between two configurations, secrets included (though never shown).
    ///
    /// Ends with 0 when they are the same, 1 when they differ, 64 when one of them is wrong.
    Diff {
        /// The old configuration: a YAML file, or a folder of them.
        old: PathBuf,
        /// The new configuration: a YAML file, or a folder of them.
        new: PathBuf,
    },
    /// Run one mapper alone, against any MQTT broker.
    Mapper {
        /// Its protocol, for example modbus.
        protocol: String,
        /// The configuration: a YAML file, or a folder of them.
        #[arg(long, env = "TWINSPAN_CONFIG")]
        config: PathBuf,
        /// The broker, for example mqtt://127.0.0.1:1883.
        #[arg(long)]
        broker: String,
        /// The user at the broker.
        #[arg(long)]
        username: Option<String>,
        /// The environment variable that holds the user's password.
        #[arg(long)]
        password_env: Option<String>,
    },
    /// Print with which requests every device will be read, before any is.
    Plan {
        /// The configuration: a YAML file, or a folder of them.
        config: PathBuf,
    },
    /// Read one property directly from its device.
    Read {
        /// The device.
        device: String,
        /// The property.
        property: String,
        /// The configuration: a YAML file, or a folder of them.
        #[arg(long, env = "TWINSPAN_CONFIG")]
        config: PathBuf,
    },
    /// Write one property directly to its device, and read it back.
    Write {
        /// The device.
        device: String,
        /// The property.
        property: String,
        /// The value.
        #[arg(allow_negative_numbers = true)]
        value: String,
        /// The configuration: a YAML file, or a folder of them.
        #[arg(long, env = "TWINSPAN_CONFIG")]
        config: PathBuf,
    },
    /// Find out what some registers of a device mean.
    Probe {
        /// The protocol.
        #[command(subcommand)]
        protocol: ProbeProtocol,
    },
    /// Print the JSON Schema of the configuration, for completion in an editor.
    Schema,
    /// Print the OpenAPI document of the gateway's REST interface.
    Openapi,
}

#[derive(Debug, Subcommand)]
enum ProbeProtocol {
    /// Read raw registers and show every type and order side by side.
    Modbus(probe::Probe),
}

/// Bad settings (sysexits.h: `EX_USAGE`).
const BAD_SETTINGS: u8 = 64;

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = !error.use_stderr();
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(BAD_SETTINGS) };
        }
    };
    match cli.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config, secrets } => check::check(&config, secrets),
        Command::Diff { old, new } => diff::diff(&old, &new),
        Command::Mapper { protocol, config, broker, username, password_env } => {
            let password = password_env.map(|name| std::env::var(name).unwrap_or_default());
            run::mapper(&protocol, &config, run::Broker { url: broker, username, password })
        }
        Command::Plan { config } => plan::plan(&config),
        Command::Read { device, property, config } => {
            let target = device::Target { device: &device, property: &property, write: None };
            device::act(&config, &target)
        }
        Command::Write { device, property, value, config } => {
            let target = device::Target { device: &device, property: &property, write: Some(&value) };
            device::act(&config, &target)
        }
        Command::Probe { protocol: ProbeProtocol::Modbus(probe) } => probe::probe(&probe),
        Command::Schema => print(&config::json_schema(&crate::wiring::protocols())),
        Command::Openapi => print(&crate::api::openapi()),
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print(document: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(document) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs a command that speaks with a device; ends with 1 when it fails.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
