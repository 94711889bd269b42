//! The configurations of other gateways as ours, and ours as tables and back.
//!
//! [`import`] takes the files of another gateway and gives YAML, with everything listed that has no place in it.
//! [`tables`] writes a configuration as CSV tables for a spreadsheet, and reads them back. No file is opened here.
#![warn(missing_docs)]

mod edgex;
mod fields;
mod keys;
mod kubeedge;
mod neuron;
mod plan;
mod read;
mod report;
pub mod tables;
mod telegraf;
mod thingsboard;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;

use config::Source;

pub use keys::{Section, key_tables};
pub use read::Unreadable;
pub use report::Left;

use crate::plan::{Device, Way, yaml};
use crate::read::is_null;
use crate::report::Report;

/// A gateway whose configuration can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// ThingsBoard IoT Gateway: `modbus.json`.
    ThingsBoard,
    /// Telegraf: `inputs.modbus` in its TOML.
    Telegraf,
    /// Neuron: a CSV of tags, and the JSON of the node's settings.
    Neuron,
    /// EdgeX: device profiles and device lists of `device-modbus-go`.
    EdgeX,
    /// KubeEdge: `Device` and `DeviceModel`, v1beta1.
    KubeEdge,
}

impl From {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ThingsBoard, Self::Telegraf, Self::Neuron, Self::EdgeX, Self::KubeEdge];

    fn title(self) -> &'static str {
        match self {
            Self::ThingsBoard => "ThingsBoard IoT Gateway",
            Self::Telegraf => "Telegraf",
            Self::Neuron => "Neuron",
            Self::EdgeX => "EdgeX",
            Self::KubeEdge => "KubeEdge",
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A configuration that was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// `models:` and `devices:`, with a comment at what a person should look at. There is no `gateway:` in it.
    pub yaml: String,
    /// What could not be carried over.
    pub left: Vec<Left>,
    /// How many devices are in it.
    pub devices: usize,
    /// How many properties its devices have, and models without devices.
    pub properties: usize,
}

/// Takes over the files of another gateway, which belong together.
///
/// # Errors
/// [`Unreadable`] for a file that is not one of that gateway at all.
pub fn import(from: From, sources: &[Source]) -> Result<Imported, Unreadable> {
    let mut report = Report::default();
    let devices = match from {
        From::ThingsBoard => thingsboard::import(sources, &mut report),
        From::Telegraf => telegraf::import(sources, &mut report),
        From::Neuron => neuron::import(sources, &mut report),
        From::EdgeX => edgex::import(sources, &mut report),
        From::KubeEdge => kubeedge::import(sources, &mut report),
    }?;
    let devices = settled(devices, &mut report);
    let left = report.finish();
    let properties = devices.iter().map(|device| device.properties.len()).sum();
    let count = devices.iter().filter(|device| device.link.is_some()).count();
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let yaml = yaml(&format!("{from}: {}", names.join(", ")), devices, &left);
    Ok(Imported { yaml, left, devices: count, properties })
}

/// The devices, each such that the loader takes it; what it would not take is listed.
fn settled(mut devices: Vec<Device>, report: &mut Report) -> Vec<Device> {
    let mut ways: BTreeMap<String, Way> = BTreeMap::new();
    for device in &mut devices {
        if let Some(link) = &mut device.link
            && let Err(why) = link.settle()
        {
            report.left(format!("device {}", device.name), format!("it cannot be reached: {why}"));
            device.link = None;
        }
        // Devices on one port or at one address must agree on how it is used.
        if let Some(link) = &mut device.link {
            let first = ways.entry(link.way.place().to_owned()).or_insert_with(|| link.way.clone());
            if *first != link.way {
                let what = format!("{} is used otherwise by another device; that is taken", first.place());
                report.left(format!("device {}", device.name), what);
                link.way = first.clone();
                if let Err(why) = link.settle() {
                    report.left(format!("device {}", device.name), format!("it cannot be reached: {why}"));
                    device.link = None;
                }
            }
        }
        // A word for nothing cannot be the name of a label.
        let nameless: Vec<String> = device.labels.keys().filter(|name| is_null(name)).cloned().collect();
        for name in nameless {
            report.left(format!("device {}", device.name), format!("a label cannot be called `{name}`"));
            device.labels.remove(&name);
        }
        device.description = device.description.take().filter(|text| !text.trim().is_empty());
    }
    devices
}
