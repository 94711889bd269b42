//! `twinspan devices` and `twinspan twin`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value as Json;
use twin_api::{ConvergenceWord, DevicePage, DeviceView, PropertyView, StateWord, TwinView};

use super::block_on_code;
use super::configure::{date, print_refusal};
use super::remote::{Refusal, Remote};

/// Which devices to list.
#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Only those in this state: online, offline or unknown.
    #[arg(long)]
    state: Option<String>,
    /// Only those with a value of this quality: good, uncertain or bad.
    #[arg(long)]
    quality: Option<String>,
    /// Only those of this protocol.
    #[arg(long)]
    protocol: Option<String>,
    /// Only those made from this model.
    #[arg(long)]
    model: Option<String>,
    /// Only those with this label, KEY=VALUE.
    #[arg(long)]
    label: Option<String>,
    /// Only those that are paused.
    #[arg(long)]
    paused: bool,
    /// Only those whose id, name or description begins with this.
    text: Option<String>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Which device to print.
#[derive(Debug, Args)]
pub(super) struct Twin {
    /// The device, NAME or NAMESPACE/NAME.
    device: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Prints the devices of the gateway that runs.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn devices(asked: &Devices) -> ExitCode {
    block_on_code(async {
        let all = match all(asked).await {
            Ok(all) => all,
            Err(refusal) => return print_refusal(&refusal),
        };
        if asked.json {
            return super::print(&all);
        }
        println!("STATE    SINCE                NOT GOOD  PROTOCOL   DEVICE");
        for device in &all {
            let since = device.state_since.map(date).unwrap_or_default();
            let state = match device.serving.as_ref().and_then(|serving| serving.paused.as_ref()) {
                Some(_) => "paused",
                None => state_word(device.state),
            };
            let protocol = if device.protocol.is_empty() { "-" } else { &device.protocol };
            println!(
                "{state:<8} {since:<20} {:>4}/{:<4} {protocol:<10} {}",
                device.not_good.unwrap_or_default(),
                device.properties,
                device.id
            );
        }
        ExitCode::SUCCESS
    })
}

async fn all(asked: &Devices) -> Result<Vec<DeviceView>, Refusal> {
    let mut devices = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", "1000");
        let paused = asked.paused.then(|| "true".to_owned());
        for (key, value) in [
            ("state", &asked.state),
            ("quality", &asked.quality),
            ("protocol", &asked.protocol),
            ("model", &asked.model),
            ("label", &asked.label),
            ("text", &asked.text),
            ("paused", &paused),
            ("after", &after),
        ] {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        }
        let page: DevicePage = asked.remote.get(&format!("/api/v1/devices?{}", query.finish())).await?;
        devices.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(devices),
        }
    }
}

/// Prints a device with all its properties.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn twin(asked: &Twin) -> ExitCode {
    let path = match path(&asked.device) {
        Ok(path) => path,
        Err(code) => return code,
    };
    block_on_code(async {
        let twin: TwinView = match asked.remote.get(&format!("{path}/twin")).await {
            Ok(twin) => twin,
            Err(refusal) => return print_refusal(&refusal),
        };
        if asked.json {
            return super::print(&twin);
        }
        let device = &twin.device;
        let since = device.state_since.map(|ms| format!(" since {} UTC", date(ms))).unwrap_or_default();
        println!("{}  {}{since}", device.id, state_word(device.state));
        if let Some(serving) = &device.serving {
            if let Some(pause) = &serving.paused {
                let note = if pause.note.is_empty() { String::new() } else { format!(": {}", pause.note) };
                println!("  paused since {} UTC by {}{note}", date(pause.since), pause.by);
            }
            if let Some(fault) = &serving.last_fault {
                println!("  last fault {} UTC: {}", date(fault.at), fault.reason);
            }
        }
        for (name, property) in &twin.properties {
            println!("  {name:<24} {}", line(property));
        }
        ExitCode::SUCCESS
    })
}

fn line(property: &PropertyView) -> String {
    let unit = property.definition.as_ref().and_then(|d| d.unit.as_deref());
    let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    let mut line = match &property.reported {
        Some(reported) => {
            let value = reported.value.as_ref().map_or_else(|| "-".to_owned(), shown);
            let why = reported.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("{value}{unit}  {}{why}", reported.quality.as_str())
        }
        None => "-".to_owned(),
    };
    if let Some(effective) = &property.effective {
        let state = property.convergence.state;
        let reason = property.convergence.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        let word = serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned));
        let by = serde_json::to_value(effective.part).ok().and_then(|word| word.as_str().map(str::to_owned));
        line += &format!(
            "  -> {}{unit} by {}, {}{reason}",
            shown(&effective.value),
            by.unwrap_or_default(),
            word.unwrap_or_default()
        );
    } else if property.convergence.state == ConvergenceWord::Expired {
        line += "  (what was wanted has run out)";
    }
    line
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn state_word(state: StateWord) -> &'static str {
    match state {
        StateWord::Online => "online",
        StateWord::Offline => "offline",
        StateWord::Unknown => "unknown",
    }
}

/// The path of a device; ends with 64 when there can be no such device.
pub(super) fn path(device: &str) -> Result<String, ExitCode> {
    match device.parse::<twin_core::DeviceId>() {
        Ok(id) => Ok(format!("/api/v1/devices/{id}")),
        Err(error) => {
            eprintln!("error: {error}");
            Err(ExitCode::from(super::BAD_SETTINGS))
        }
    }
}
