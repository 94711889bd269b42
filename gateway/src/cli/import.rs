//! `twinspan import`: the configuration of another gateway as ours.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use config::{Loader, Source};
use config_import::{From, Imported};

use super::BAD_SETTINGS;
use super::config::{Failure, read_text, write_text};
use crate::wiring;

/// What is taken over.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The gateway that the files are of.
    from: Format,
    /// Its files, which belong together.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The file to write; standard output where none is named.
    #[arg(short, long)]
    out: Option<PathBuf>,
}

/// The gateways whose files are read.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// ThingsBoard IoT Gateway: modbus.json.
    Thingsboard,
    /// Telegraf: a TOML file with inputs.modbus.
    Telegraf,
    /// Neuron: a CSV of tags, and the JSON of the node's settings.
    Neuron,
    /// EdgeX: device profiles and device lists.
    Edgex,
    /// KubeEdge: Device and DeviceModel, v1beta1.
    Kubeedge,
}

impl Format {
    fn from(self) -> From {
        match self {
            Self::Thingsboard => From::ThingsBoard,
            Self::Telegraf => From::Telegraf,
            Self::Neuron => From::Neuron,
            Self::Edgex => From::EdgeX,
            Self::Kubeedge => From::KubeEdge,
        }
    }
}

/// Ends with 0 when everything was carried over, 1 when something was not, 64 when a file cannot be read.
pub(super) fn import(import: &Import) -> ExitCode {
    match run(import) {
        Ok(imported) => {
            for left in &imported.left {
                eprintln!("not carried over: {left}");
            }
            let Imported { left, devices, properties, .. } = &imported;
            eprintln!("{devices} devices, {properties} properties, {} things not carried over", left.len());
            if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(BAD_SETTINGS)
        }
    }
}

fn run(import: &Import) -> Result<Imported, Failure> {
    let sources = import.files.iter().map(|file| read_text(file)).collect::<Result<Vec<_>, _>>()?;
    let imported = config_import::import(import.from.from(), &sources)?;
    still_right(&imported.yaml, import.out.as_deref());
    write_text(import.out.as_deref(), &imported.yaml)?;
    Ok(imported)
}

/// Says what the loader does not take, if anything: the file is written nevertheless, to be mended.
fn still_right(yaml: &str, out: Option<&Path>) {
    let name = out.map_or("the result".into(), |out| out.display().to_string());
    let sources = [Source::new(name, yaml), Source::new("a gateway", "gateway: { node: imported }\n")];
    if let Err(faults) = Loader::new(&wiring::protocols()).check(&sources) {
        eprintln!("{faults}");
    }
}
