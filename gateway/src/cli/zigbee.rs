//! `twinspan zigbee`: the devices of a ZigBee network.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use zigbee::Ieee;
use zigbee::admin::yaml;
use zigbee::control::Operator;
use zigbee::host::{Device, PortPlace};

/// A ZigBee network, at its coordinator.
#[derive(Debug, Args)]
pub(super) struct Zigbee {
    #[command(subcommand)]
    command: ZigbeeCommand,
    /// The coordinator: tcp://HOST:PORT, or a serial device such as /dev/ttyUSB0.
    #[arg(long, global = true, env = "TWINSPAN_ZIGBEE", default_value = "/dev/ttyUSB0")]
    coordinator: PortPlace,
    /// The data folder of the gateway, where the network and its key are kept.
    #[arg(long, global = true, env = "TWINSPAN_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// The channel when there is no network yet and one is formed, 11 to 26.
    #[arg(long, global = true, default_value_t = 15, value_parser = clap::value_parser!(u8).range(11..=26))]
    channel: u8,
    /// The PAN id when a network is formed; a random one when none is named.
    #[arg(long, global = true)]
    pan_id: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum ZigbeeCommand {
    /// Let devices join for a while, and print what each of them is.
    PermitJoin {
        /// For how long.
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u8).range(1..=254))]
        seconds: u8,
        /// End when so many have joined.
        #[arg(long)]
        count: Option<usize>,
        /// Print each as a device of the configuration.
        #[arg(long)]
        yaml: bool,
    },
    /// Print the network and its devices.
    Devices,
    /// Ask a device again what it is.
    Interview {
        /// The address of the device, as `twinspan zigbee devices` prints it.
        device: Ieee,
        /// Print it as a device of the configuration.
        #[arg(long)]
        yaml: bool,
    },
    /// Make a device leave the network.
    Remove {
        /// The address of the device, as `twinspan zigbee devices` prints it.
        device: Ieee,
        /// Forget it also when it does not answer.
        #[arg(long)]
        force: bool,
    },
}

/// Ends with 0, or 1 when the coordinator or the device does not do what was asked.
pub(super) fn run(zigbee: Zigbee) -> ExitCode {
    super::block_on(act(zigbee))
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn act(zigbee: Zigbee) -> anyhow::Result<()> {
    let data_dir = zigbee.data_dir.join("zigbee");
    let place = zigbee.coordinator;
    let network = Operator::reach(place.clone(), zigbee.channel, zigbee.pan_id, &data_dir).await?;
    match zigbee.command {
        ZigbeeCommand::PermitJoin { seconds, count, yaml } => {
            eprintln!("devices may join for {seconds} s");
            let mut joined = 0;
            let told = |ieee: Ieee, found: Result<Device, String>| {
                joined += 1;
                match found {
                    Ok(device) => println!("{}", shown(&place, ieee, &device, yaml)),
                    Err(fault) => println!("{ieee}  joined, but: {fault}"),
                }
            };
            network.admit(seconds, count.unwrap_or(usize::MAX), told).await?;
            eprintln!("{joined} joined");
        }
        ZigbeeCommand::Devices => {
            let (known, devices) = network.devices().await?;
            if let Some((coordinator, ids)) = known {
                println!("coordinator {coordinator}, {ids}");
            }
            for (ieee, device) in &devices {
                println!("{}", shown(&place, *ieee, device, false));
            }
        }
        ZigbeeCommand::Interview { device, yaml } => {
            let found = network.interview(device).await?;
            println!("{}", shown(&place, device, &found, yaml));
        }
        ZigbeeCommand::Remove { device, force } => {
            network.remove(device, force).await?;
            println!("{device} has left");
        }
    }
    network.close().await?;
    Ok(())
}

fn shown(place: &PortPlace, ieee: Ieee, device: &Device, as_yaml: bool) -> String {
    if as_yaml { yaml(place, ieee, device) } else { device.line(ieee) }
}
