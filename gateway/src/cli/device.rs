//! `twinspan read` and `twinspan write`: one property, directly from or to the device, past the gateway.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use config::{DeviceConfig, PropertyConfig};
use mapper_sdk::{Driver, Session as _};
use modbus::{Modbus, ModbusSession, Point};
use twin_core::{DeviceId, PropertyName, Quality, Value};

use super::BAD_SETTINGS;
use super::check::print_error;
use crate::files;

/// A property of a device, and what to write there, if anything.
pub(super) struct Target<'a> {
    pub(super) device: &'a str,
    pub(super) property: &'a str,
    pub(super) write: Option<&'a str>,
}

/// What is to be done, once all names are found.
struct Task<'c> {
    device: &'c DeviceConfig,
    property: &'c PropertyConfig,
    wish: Option<Value>,
}

/// Ends with 0, 64 when there is no such property or the value is not one of its type, 1 when the device does not do it.
pub(super) fn act(path: &Path, target: &Target<'_>) -> ExitCode {
    let loaded = match files::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    let task = match find(&loaded.config, target) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    let folder = |protocol: &str| loaded.config.gateway.data_dir.join(protocol);
    match task.device.protocol.as_deref().unwrap_or_default() {
        Modbus::PROTOCOL => super::block_on(speak(&Modbus::default(), task, raw_words)),
        #[cfg(feature = "opcua")]
        opcua::OpcUa::PROTOCOL => {
            let driver = opcua::OpcUa::new(&folder(opcua::OpcUa::PROTOCOL));
            super::block_on(speak(&driver, task, async |_, _| None))
        }
        #[cfg(feature = "ble")]
        <ble::Ble as Driver>::PROTOCOL => {
            super::block_on(speak(&ble::Ble::<ble::BlueZ>::default(), task, async |_, _| None))
        }
        #[cfg(feature = "zigbee")]
        zigbee::Zigbee::PROTOCOL => {
            let driver = zigbee::Zigbee::new(&folder(zigbee::Zigbee::PROTOCOL));
            super::block_on(speak(&driver, task, async |_, _| None))
        }
        #[cfg(feature = "zigbee")]
        zigbee::zigbee2mqtt::Zigbee2Mqtt::PROTOCOL => {
            let driver = zigbee::zigbee2mqtt::Zigbee2Mqtt::default();
            super::block_on(speak(&driver, task, async |_, _| None))
        }
        _ => {
            eprintln!(
                "error: no mapper of this program serves device {}; ask the gateway for what it knows: \
                 GET /api/v1/devices/{}/twin",
                task.device.id, task.device.id
            );
            ExitCode::from(BAD_SETTINGS)
        }
    }
}

fn find<'c>(config: &'c config::Config, target: &Target<'_>) -> anyhow::Result<Task<'c>> {
    let id: DeviceId = target.device.parse()?;
    let name: PropertyName = target.property.parse()?;
    let device = config.devices.get(&id).ok_or_else(|| anyhow::anyhow!("there is no device {id}"))?;
    let property = device.properties.get(&name);
    let property = property.ok_or_else(|| anyhow::anyhow!("device {id} has no property {name}"))?;
    let wish = match target.write {
        Some(text) => Some(value(text, property)?),
        None if !property.definition.access.readable() => {
            anyhow::bail!("{name} of device {id} can only be written")
        }
        None => None,
    };
    Ok(Task { device, property, wish })
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

/// Does the task with a session of its own; `raw` is what the protocol can show beside the value.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn speak<D: Driver>(
    driver: &D,
    task: Task<'_>,
    raw: impl AsyncFnOnce(&mut D::Session, &D::Point) -> Option<String>,
) -> anyhow::Result<()> {
    let Task { device, property, wish } = task;
    let (Some(link), Some(point)) = (device.link::<D::Link>(), property.point::<D::Point>()) else {
        anyhow::bail!("device {} is not one of the protocol {}", device.id, D::PROTOCOL);
    };
    let mut session = driver.connect(link).await?;
    if let Some(value) = wish {
        let begun = Instant::now();
        session.write(point, &value).await?;
        println!("written: {value}, took {} ms", begun.elapsed().as_millis());
        if !property.definition.access.readable() {
            session.close().await;
            return Ok(());
        }
    }
    let begun = Instant::now();
    let samples = session.read(std::slice::from_ref(point)).await;
    let took_ms = begun.elapsed().as_millis();
    let said = samples.map(|mut samples| samples.pop().map(|sample| (sample.value, sample.doubt)));
    let raw = if said.is_ok() { raw(&mut session, point).await } else { None };
    session.close().await;
    if let Some(raw) = raw {
        println!("raw: {raw}");
    }
    let (value, doubt) = said?.ok_or_else(|| anyhow::anyhow!("the device said nothing"))?;
    let value = value?;
    let unit = property.definition.unit.as_deref().unwrap_or_default();
    println!("value: {}, took {took_ms} ms", format!("{value} {unit}").trim_end());
    if let Some(why) = doubt {
        println!("quality: {}", Quality::Uncertain(why));
    }
    if let (Some(range), Some(number)) = (property.definition.range, value.as_number())
        && !range.contains(number)
    {
        println!("quality: bad, it is outside the range {} to {} of the property", range.min, range.max);
    }
    Ok(())
}

/// The registers or bits of the point, as they are.
async fn raw_words(session: &mut ModbusSession, point: &Point) -> Option<String> {
    let layout = point.layout().ok()?;
    let words = session.words(layout.area, layout.start, layout.len).await.ok()?;
    let words: Vec<String> = words.iter().map(|word| format!("{word} (0x{word:04x})")).collect();
    Some(format!("{} {}: {}", layout.area, layout.start, words.join(" ")))
}
