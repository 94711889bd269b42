//! The command line: what an integrator and an operator type.

mod act;
mod alarms;
mod audit;
mod backup;
#[cfg(feature = "ble")]
mod ble;
mod bundle;
mod check;
mod config;
mod configure;
mod credentials;
mod device;
mod devices;
mod diff;
mod doctor;
mod import;
#[cfg(feature = "opcua")]
mod opcua;
mod plan;
mod probe;
mod remote;
mod run;
mod samples;
mod status;
mod token;
#[cfg(feature = "zigbee")]
mod zigbee;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use configure::Intent;

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
        /// Where to look for the configuration that was last in force when the file is gone or wrong: the `gateway.data_dir`
        /// of that configuration.
        #[arg(long, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
        data_dir: PathBuf,
    },
    /// Check a configuration and print all its faults, or one line when it is right.
    Check {
        /// The configuration: a YAML file, or a folder of them.
        config: PathBuf,
        /// Read `${file:...}` and `${env:...}` too, as the gateway would.
        #[arg(long)]
        secrets: bool,
    },
    /// Print what differs between two configurations, or between what runs and one, secrets included (though never shown).
    ///
    /// Ends with 0 when they are the same, 1 when they differ, 64 when one of them is wrong.
    Diff {
        /// The old configuration: a YAML file, or a folder of them. With one name only, that is the new one.
        old: PathBuf,
        /// The new configuration: a YAML file, or a folder of them.
        new: Option<PathBuf>,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Bring a configuration into force in the gateway that runs: all of it, or nothing when something is wrong.
    ///
    /// Devices that are the same notice nothing. Ends with 64 when the configuration is wrong, 1 when no gateway answers.
    Apply {
        /// The configuration: a YAML file, or a folder of them.
        #[arg(default_value = "/etc/twinspan", env = "TWINSPAN_CONFIG")]
        config: PathBuf,
        /// Only say what would differ.
        #[arg(long)]
        dry_run: bool,
        /// Why, in a few words, for the history.
        #[arg(long, short = 'm', default_value = "")]
        note: String,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Have the gateway that runs read its configuration files again. SIGHUP does the same.
    Reload {
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Bring an earlier configuration into force again.
    Rollback {
        /// Its revision; `twinspan history` shows them.
        revision: i64,
        /// Only say what would differ.
        #[arg(long)]
        dry_run: bool,
        /// Why, in a few words, for the history.
        #[arg(long, short = 'm', default_value = "")]
        note: String,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Print the configurations that were in force, the newest first.
    History {
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Print the history of a property: its samples, or what they come to in steps of time.
    Samples(samples::Samples),
    /// Print how the gateway that runs stands: link, devices, and what its connections and buses do.
    Status {
        /// Show every connection and bus.
        #[arg(long)]
        all: bool,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Print the alarms of the gateway that runs, or do something about one.
    Alarms(alarms::AlarmsCli),
    /// Make, list and revoke the tokens with which others may use the REST interface.
    Token(token::TokenCli),
    /// Read the log of who did what, and prove that nobody has changed it.
    Audit(audit::AuditCli),
    /// Look for what is wrong with the gateway and its machine, and say what mends it; whether it runs or not.
    ///
    /// Ends with 1 when something does not work.
    Doctor {
        /// The configuration: a YAML file, or a folder of them.
        #[arg(default_value = "/etc/twinspan", env = "TWINSPAN_CONFIG")]
        config: PathBuf,
        /// The gateway's `gateway.data_dir`, when the configuration cannot be read.
        #[arg(long, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
        data_dir: PathBuf,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Write what somebody who is to help needs to know, without secrets: versions, configuration, status, figures, log.
    SupportBundle {
        /// The file, for example support.tar.gz.
        file: PathBuf,
        /// The configuration: a YAML file, or a folder of them.
        #[arg(default_value = "/etc/twinspan", env = "TWINSPAN_CONFIG")]
        config: PathBuf,
        /// The gateway's `gateway.data_dir`, when the configuration cannot be read.
        #[arg(long, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
        data_dir: PathBuf,
        /// A log file; without it the journal of the service is taken.
        #[arg(long)]
        log: Option<PathBuf>,
        #[command(flatten)]
        remote: remote::Remote,
    },
    /// Write a backup of a gateway's data, while it runs or not.
    Backup {
        /// The file, for example plant.tar.gz; only its owner can read it.
        file: PathBuf,
        /// The gateway's `gateway.data_dir`.
        #[arg(long, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
        data_dir: PathBuf,
        /// Also the keys of the node, of OPC UA and of ZigBee networks.
        #[arg(long)]
        with_keys: bool,
    },
    /// Bring a backup back. The gateway must not run meanwhile.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The gateway's `gateway.data_dir`.
        #[arg(long, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
        data_dir: PathBuf,
        /// Put the data that is there aside; it is not deleted.
        #[arg(long)]
        force: bool,
    },
    /// List the devices of the gateway that runs.
    Devices(devices::Devices),
    /// Print a device of the gateway that runs with all its properties.
    Twin(devices::Twin),
    /// Leave a device alone, for work at it: nothing is asked of it until it is resumed, also after a restart.
    Pause(act::Pause),
    /// Have a paused device asked again.
    Resume(act::Device),
    /// Have the gateway that runs read a device now. Ends with 1 when it does not answer.
    Poll(act::Poll),
    /// Set a local operator's value, which goes before that of the cloud.
    Set(act::Set),
    /// Release a local operator's value.
    Release(act::Release),
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
    #[cfg(feature = "ble")]
    /// Look at Bluetooth LE devices: what is in reach, and what one offers.
    Ble {
        /// What to do.
        #[command(subcommand)]
        command: ble::BleCommand,
    },
    /// Let ZigBee devices join, list them, ask them what they are, make them leave. The gateway must not run meanwhile.
    #[cfg(feature = "zigbee")]
    Zigbee(zigbee::Zigbee),
    /// Look at OPC UA servers, and decide which of them are trusted.
    #[cfg(feature = "opcua")]
    Opcua(opcua::OpcUaCli),
    /// Take over the configuration of another gateway, and list what cannot be.
    ///
    /// Ends with 0 when everything was carried over, 1 when something is listed, 64 when a file cannot be read.
    Import(import::Import),
    /// Write a configuration as tables for a spreadsheet, and read them back.
    Config {
        #[command(subcommand)]
        command: config::ConfigCommand,
    },
    /// Print the JSON Schema of the configuration, for completion in an editor.
    Schema {
        /// As tables of the keys, in Markdown.
        #[arg(long)]
        markdown: bool,
    },
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
        Command::Run { config, data_dir } => run::run(&config, &data_dir),
        Command::Check { config, secrets } => check::check(&config, secrets),
        Command::Diff { old, new: Some(new), .. } => diff::diff(&old, &new),
        Command::Diff { old, new: None, remote } => {
            configure::apply(&old, String::new(), Intent::Compare, &remote)
        }
        Command::Apply { config, dry_run, note, remote } => {
            let intent = if dry_run { Intent::Try } else { Intent::Apply };
            configure::apply(&config, note, intent, &remote)
        }
        Command::Reload { remote } => configure::reload(&remote),
        Command::Rollback { revision, dry_run, note, remote } => {
            configure::rollback(revision, note, dry_run, &remote)
        }
        Command::Samples(asked) => samples::samples(&asked),
        Command::Status { all, json, remote } => status::status(all, json, &remote),
        Command::Alarms(cli) => alarms::alarms(cli),
        Command::Doctor { config, data_dir, json, remote } => {
            doctor::doctor(&config, &data_dir, json, &remote)
        }
        Command::SupportBundle { file, config, data_dir, log, remote } => {
            bundle::bundle(&file, &config, &data_dir, log.as_deref(), &remote)
        }
        Command::Backup { file, data_dir, with_keys } => backup::backup(&file, &data_dir, with_keys),
        Command::Restore { file, data_dir, force } => backup::restore_backup(&file, &data_dir, force),
        Command::Devices(devices) => devices::devices(&devices),
        Command::Twin(twin) => devices::twin(&twin),
        Command::Pause(pause) => act::pause(&pause),
        Command::Resume(device) => act::resume(&device),
        Command::Poll(poll) => act::poll(&poll),
        Command::Set(set) => act::set(&set),
        Command::Release(release) => act::release(&release),
        Command::History { remote } => configure::history(&remote),
        Command::Token(token) => token::token(token),
        Command::Audit(cli) => audit::audit(cli),
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
        #[cfg(feature = "ble")]
        Command::Ble { command } => ble::run(command),
        #[cfg(feature = "zigbee")]
        Command::Zigbee(zigbee) => zigbee::run(zigbee),
        #[cfg(feature = "opcua")]
        Command::Opcua(opcua) => opcua::run(opcua),
        Command::Import(import) => import::import(&import),
        Command::Config { command } => config::config(&command),
        Command::Schema { markdown } => schema(markdown),
        Command::Openapi => print(&crate::api::openapi()),
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn schema(markdown: bool) -> ExitCode {
    let schema = ::config::json_schema(&crate::wiring::protocols());
    if !markdown {
        return print(&schema);
    }
    for section in config_import::key_tables(&schema) {
        println!("## {}\n\n{}", section.title, section.table);
    }
    ExitCode::SUCCESS
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
    block_on_code(async {
        match work.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    })
}

fn block_on_code(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
