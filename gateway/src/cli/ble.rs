//! `twinspan ble`: what is in reach, and what a device offers.

use std::process::ExitCode;
use std::time::Duration;

use ble::air::Wanted;
use ble::{Address, Ble, Uuid};
use clap::Subcommand;

/// Bluetooth LE.
#[derive(Debug, Subcommand)]
pub(super) enum BleCommand {
    /// Listen for a while and print the devices in reach, the strongest first.
    Scan {
        /// For how long.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// Only devices with this name, or with one that begins like this when there is a `*` at the end.
        #[arg(long)]
        name: Option<String>,
        /// Only devices that advertise this service, for example 181A.
        #[arg(long)]
        service: Option<Uuid>,
        /// Only devices with manufacturer data of this company, for example 0x0499.
        #[arg(long, value_parser = company)]
        manufacturer: Option<u16>,
        /// The adapter, for example hci0; the first there is when none is named.
        #[arg(long)]
        adapter: Option<String>,
    },
    /// Connect to a device and print what can be read and written there.
    Inspect {
        /// The address of the device, as `twinspan ble scan` prints it.
        address: Address,
        /// Print it as a device of the configuration.
        #[arg(long)]
        yaml: bool,
        /// The adapter, for example hci0; the first there is when none is named.
        #[arg(long)]
        adapter: Option<String>,
    },
}

fn company(text: &str) -> Result<u16, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

/// Ends with 0, or 1 when there is no adapter or no such device.
pub(super) fn run(command: BleCommand) -> ExitCode {
    super::block_on(act(command))
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn act(command: BleCommand) -> anyhow::Result<()> {
    let driver = Ble::default();
    match command {
        BleCommand::Scan { seconds, name, service, manufacturer, adapter } => {
            let filtered = name.is_some() || service.is_some() || manufacturer.is_some();
            let filter = filtered.then_some(Wanted::Match { name, service, manufacturer });
            let time = Duration::from_secs(seconds);
            let found = driver.scan(adapter.as_deref(), filter.as_ref(), time).await?;
            for device in &found {
                println!("{}", device.line());
            }
            if found.is_empty() {
                eprintln!("nothing was heard for {seconds} s");
            }
        }
        BleCommand::Inspect { address, yaml, adapter } => {
            let inspected = driver.inspect(address, adapter.as_deref()).await?;
            print!("{}", if yaml { inspected.yaml() } else { inspected.text() });
        }
    }
    Ok(())
}
