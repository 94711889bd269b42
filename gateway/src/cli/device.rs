//! `twinspan read` and `twinspan write`: one property, directly from or to the device, past the gateway.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use config::PropertyConfig;
use mapper_sdk::{Driver as _, Session as _};
use modbus::{Link, Modbus, Point};
use twin_core::{DeviceId, PropertyName, Value};

use super::BAD_SETTINGS;
use super::check::print_error;
use crate::files;

/// A property of a device, and what to write there, if anything.
pub(super) struct Target<'a> {
    pub(super) device: &'a str,
    pub(super) property: &'a str,
    pub(super) write: Option<&'a str>,
}

/// Ends with 0, 64 when there is no such property or the value is not one of its type, 1 when the device does not do it.
pub(super) fn act(path: &Path, target: &Target<'_>) -> ExitCode {
    let loaded = match files::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    let found = find(&loaded.config, target);
    let (link, property, point, wish) = match found {
        Ok(found) => found,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    super::block_on(run(link, property, point, wish))
}

type Found<'c> = (&'c Link, &'c PropertyConfig, &'c Point, Option<Value>);

fn find<'c>(config: &'c config::Config, target: &Target<'_>) -> anyhow::Result<Found<'c>> {
    let id: DeviceId = target.device.parse()?;
    let name: PropertyName = target.property.parse()?;
    let device = config.devices.get(&id).ok_or_else(|| anyhow::anyhow!("there is no device {id}"))?;
    let property = device.properties.get(&name);
    let property = property.ok_or_else(|| anyhow::anyhow!("device {id} has no property {name}"))?;
    let (Some(link), Some(point)) = (device.link::<Link>(), property.point::<Point>()) else {
        anyhow::bail!("device {id} is not a Modbus device; only those are read directly");
    };
    let wish = target.write.map(|text| value(text, property)).transpose()?;
    Ok((link, property, point, wish))
}

/// What was typed, as a value that may be wanted of the property.
fn value(text: &str, property: &PropertyConfig) -> anyhow::Result<Value> {
    let wanted = property.definition.value_type;
    // A text need not be written in quotes on a command line.
    let json = match wanted {
        twin_core::ValueType::String => serde_json::Value::String(text.to_owned()),
        twin_core::ValueType::Bool
        | twin_core::ValueType::Int
        | twin_core::ValueType::Float
        | twin_core::ValueType::Bytes
        | twin_core::ValueType::Json => {
            serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
        }
    };
    let value = Value::from_json(wanted, &json)?;
    property.definition.check_wanted(&value)?;
    Ok(value)
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn run(
    link: &Link,
    property: &PropertyConfig,
    point: &Point,
    wish: Option<Value>,
) -> anyhow::Result<()> {
    let mut session = Modbus::default().connect(link).await?;
    if let Some(value) = wish {
        let begun = Instant::now();
        session.write(point, &value).await?;
        println!("written: {value}, took {} ms", begun.elapsed().as_millis());
        if !property.definition.access.readable() {
            session.close().await;
            return Ok(());
        }
    }
    let layout = point.layout().map_err(|fault| anyhow::anyhow!(fault.message))?;
    let begun = Instant::now();
    let samples = session.read(std::slice::from_ref(point)).await?;
    let took_ms = begun.elapsed().as_millis();
    let value = samples.into_iter().next().map(|sample| sample.value);
    let words = session.words(layout.area, layout.start, layout.len).await;
    session.close().await;
    if let Ok(words) = words {
        let words: Vec<String> = words.iter().map(|word| format!("{word} (0x{word:04x})")).collect();
        println!("raw: {} {}: {}", layout.area, layout.start, words.join(" "));
    }
    let value = value.ok_or_else(|| anyhow::anyhow!("the device said nothing"))??;
    let unit = property.definition.unit.as_deref().unwrap_or_default();
    println!("value: {}, took {took_ms} ms", format!("{value} {unit}").trim_end());
    Ok(())
}
