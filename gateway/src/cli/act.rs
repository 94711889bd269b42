//! What an operator has done with a device of the gateway that runs: pause, resume, poll, set and release.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use config::AnyDuration;
use serde_json::{Value as Json, json};
use twin_api::{DeviceView, TwinView, TypeWord};

use super::configure::{date, print_refusal};
use super::devices::path;
use super::remote::{Refusal, Remote};
use super::{BAD_SETTINGS, block_on_code};
use crate::api::actions::{PollAnswer, ProbeAnswer};

/// A device.
#[derive(Debug, Args)]
pub(super) struct Device {
    /// The device, NAME or NAMESPACE/NAME.
    device: String,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Why a device is left alone.
#[derive(Debug, Args)]
pub(super) struct Pause {
    #[command(flatten)]
    device: Device,
    /// What is being done at it, for those who wonder.
    #[arg(long, short = 'm', default_value = "")]
    note: String,
}

/// How a device is read.
#[derive(Debug, Args)]
pub(super) struct Poll {
    #[command(flatten)]
    device: Device,
    /// Only find out whether it answers; nothing is stored.
    #[arg(long)]
    probe: bool,
}

/// Which value a property should have.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The device, NAME or NAMESPACE/NAME.
    device: String,
    /// The property.
    property: String,
    /// The value.
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// How long it holds, such as 30m or 8h; until it is released when left out.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    hold: Option<Duration>,
    /// Print the twin as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Which value is not wanted any more.
#[derive(Debug, Args)]
pub(super) struct Release {
    /// The device, NAME or NAMESPACE/NAME.
    device: String,
    /// The property.
    property: String,
    /// Print the twin as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<AnyDuration, _> = serde_json::from_value(Json::from(text));
    parsed.map(|duration| duration.get()).map_err(|error| error.to_string())
}

/// Has a device left alone.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn pause(Pause { device, note }: &Pause) -> ExitCode {
    act(device, "pause", &json!({"note": note}), |view: &DeviceView| {
        println!("{} is paused; `twinspan resume {}` has it asked again", view.id, view.id);
        ExitCode::SUCCESS
    })
}

/// Has a device asked again.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn resume(device: &Device) -> ExitCode {
    act(device, "resume", &json!({}), |view: &DeviceView| {
        println!("{} is asked again", view.id);
        ExitCode::SUCCESS
    })
}

/// Reads a device now. Ends with 1 when it does not answer.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn poll(Poll { device, probe }: &Poll) -> ExitCode {
    let not_reached = |reason: &str, mend: &str| {
        eprintln!("error: the device does not answer: {reason}\n  {mend}");
        ExitCode::FAILURE
    };
    if *probe {
        return act(device, "probe", &json!({}), |answer: &ProbeAnswer| {
            if let Some(fault) = &answer.fault {
                return not_reached(&fault.reason, &fault.mend);
            }
            let connected = answer.connect_ms.map(|ms| format!("connected in {ms} ms, ")).unwrap_or_default();
            let read = answer.read_ms.unwrap_or_default();
            println!("{} answers: {connected}{} values in {read} ms", answer.device, answer.values);
            for (property, reason) in &answer.without {
                println!("  {property}: {reason}");
            }
            ExitCode::SUCCESS
        });
    }
    act(device, "poll", &json!({}), |answer: &PollAnswer| {
        if let Some(fault) = &answer.fault {
            return not_reached(&fault.reason, &fault.mend);
        }
        for (name, reported) in &answer.properties {
            let value = reported.value.as_ref().map_or_else(|| "-".to_owned(), Json::to_string);
            let why = reported.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            println!("{name:<24} {value}  {}{why}", reported.quality.as_str());
        }
        ExitCode::SUCCESS
    })
}

/// Sets an override.
pub(super) fn set(asked: &Set) -> ExitCode {
    block_on_code(async {
        let path = match path(&asked.device) {
            Ok(path) => path,
            Err(code) => return code,
        };
        let twin: TwinView = match asked.remote.get(&format!("{path}/twin")).await {
            Ok(twin) => twin,
            Err(refusal) => return print_refusal(&refusal),
        };
        let definition = twin.properties.get(&asked.property).and_then(|p| p.definition.as_ref());
        let value = value(&asked.value, definition.map(|d| d.value_type));
        let mut wish = json!({"value": value});
        if let Some(hold) = asked.hold {
            let until = crate::clock::now().after(hold);
            wish["valid_until"] = until.as_millis().into();
        }
        patch(&asked.remote, &path, &asked.property, wish, asked.json).await
    })
}

/// Releases an override.
pub(super) fn release(asked: &Release) -> ExitCode {
    block_on_code(async {
        match path(&asked.device) {
            Ok(path) => patch(&asked.remote, &path, &asked.property, Json::Null, asked.json).await,
            Err(code) => code,
        }
    })
}

/// A value as it is typed: a text of a property that holds texts needs no quotes.
fn value(text: &str, value_type: Option<TypeWord>) -> Json {
    match value_type {
        Some(TypeWord::String | TypeWord::Bytes) => text.into(),
        Some(TypeWord::Bool | TypeWord::Int | TypeWord::Float | TypeWord::Json) | None => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn patch(remote: &Remote, path: &str, property: &str, wish: Json, json: bool) -> ExitCode {
    let mut body = serde_json::Map::new();
    body.insert(property.to_owned(), wish);
    let twin: TwinView = match remote.patch(&format!("{path}/override"), &body).await {
        Ok(twin) => twin,
        Err(refusal) => return print_refusal(&refusal),
    };
    if json {
        return super::print(&twin);
    }
    match twin.properties.get(property).and_then(|p| p.override_.as_ref()) {
        Some(set) => {
            let until = set.expires_at.map_or_else(
                || "until it is released".to_owned(),
                |until| format!("until {} UTC", date(until)),
            );
            println!("{} {property} is to hold {} {until}", twin.device.id, set.value);
        }
        None => println!("{} {property} is released", twin.device.id),
    }
    ExitCode::SUCCESS
}

fn act<T: serde::Serialize + serde::de::DeserializeOwned>(
    device: &Device,
    action: &str,
    body: &Json,
    show: impl FnOnce(&T) -> ExitCode,
) -> ExitCode {
    let path = match path(&device.device) {
        Ok(path) => path,
        Err(code) => return code,
    };
    block_on_code(async {
        let answer: Result<T, Refusal> = device.remote.post(&format!("{path}/actions/{action}"), body).await;
        match answer {
            Ok(answer) if device.json => super::print(&answer),
            Ok(answer) => show(&answer),
            Err(Refusal::Problem(problem)) if problem.status == 409 => {
                eprintln!("error: {}", problem.detail);
                ExitCode::from(BAD_SETTINGS)
            }
            Err(refusal) => print_refusal(&refusal),
        }
    })
}
