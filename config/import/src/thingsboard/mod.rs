//! `modbus.json` of the ThingsBoard IoT Gateway: `master.slaves`, and the older `server.devices`.
//!
//! Meanings as in thingsboard_gateway/connectors/modbus: addresses count from 0; `byteOrder` and `wordOrder` are LITTLE
//! where nothing is said, and do not touch strings, bytes and 8-bit numbers, which are the first byte of a register.

mod datapoint;

use config::Source;

use crate::fields::Fields;
use crate::plan::{Device, Line, Link, Names, Way, device_name, property_name};
use crate::read::{Node, Unreadable, json};
use crate::report::Report;
use datapoint::Datapoints;

/// The keys that the older form has beside the list of devices, for all of them.
const SHARED: [&str; 11] = [
    "host",
    "port",
    "type",
    "method",
    "timeout",
    "byteOrder",
    "wordOrder",
    "retries",
    "retryOnEmpty",
    "retryOnInvalid",
    "baudrate",
];

pub(crate) fn import(sources: &[Source], report: &mut Report) -> Result<Vec<Device>, Unreadable> {
    let mut devices = Vec::new();
    let mut names = Names::default();
    for source in sources {
        let root = json(source)?;
        // What the user interface exports wraps the file.
        let root = root.get("configurationJson").unwrap_or(&root);
        let slaves = slaves(root, source, report)?;
        for (node, path) in &slaves {
            let Some(fields) = Fields::of(node, &source.name, path, report) else { continue };
            devices.extend(slave(fields, &mut names, report));
        }
    }
    Ok(devices)
}

/// The slaves with their places; the older form as the newer.
fn slaves(root: &Node, source: &Source, report: &mut Report) -> Result<Vec<(Node, String)>, Unreadable> {
    let Some(all) = Fields::of(root, &source.name, "", report) else {
        return Err(Unreadable::new(source, "it is not a modbus.json: a map is wanted"));
    };
    all.pass_over(&["name", "id", "type", "configVersion"]);
    let listed = |list: &Node, path: &str| -> Vec<(Node, String)> {
        let items = list.items().unwrap_or(std::slice::from_ref(list)).iter().enumerate();
        items.map(|(index, node)| (node.clone(), format!("{path}[{index}]"))).collect()
    };
    let mut found = None;
    if let Some(list) = all.get("master").and_then(|master| master.get("slaves")) {
        found = Some(listed(list, "master.slaves"));
    } else if let Some(list) = all.get("slaves") {
        found = Some(listed(list, "slaves"));
    } else if let Some(server) = all.get("server") {
        let common = |key: &str| server.get(key).cloned().map(|node| (key.to_owned(), node));
        let devices = server.get("devices").map(|list| listed(list, "server.devices"));
        found = devices.map(|mut devices| {
            for (node, _) in &mut devices {
                let crate::read::Kind::Map(entries) = &mut node.kind else { continue };
                for key in SHARED {
                    if !entries.iter().any(|(name, node)| name == key && !node.is_null()) {
                        entries.extend(common(key));
                    }
                }
            }
            devices
        });
    }
    let Some(found) = found else {
        return Err(Unreadable::new(source, "it has neither master.slaves nor server.devices"));
    };
    if all.get("slave").is_some_and(|slave| slave.entries().is_some_and(|entries| !entries.is_empty())) {
        all.left("slave", "the gateway as a Modbus server: it is a client only here", report);
    }
    all.finish(report);
    Ok(found)
}

fn slave(fields: Fields<'_>, names: &mut Names, report: &mut Report) -> Option<Device> {
    let unit = fields.int("unitId", report).unwrap_or(1);
    let Ok(unit) = u8::try_from(unit) else {
        fields.left("unitId", format!("{unit} is no unit id, so the device is left out"), report);
        return None;
    };
    let title =
        fields.text("deviceName", report).map_or_else(|| format!("ModbusDevice {unit}"), str::to_owned);
    let mut device = Device { name: device_name(&title, names), ..Device::default() };
    if device.name != title {
        device.description = Some(title);
    }
    if let Some(kind) = fields.text("deviceType", report).filter(|kind| *kind != "default") {
        device.labels.insert("type".to_owned(), kind.to_owned());
    }
    device.link = link(&fields, unit, report);
    let mut property_names = Names::default();
    let mut points = Datapoints::new(&fields, report);
    for section in ["timeseries", "attributes"] {
        for datapoint in fields.maps(section, report) {
            points.read(datapoint, report);
        }
    }
    for section in ["attributeUpdates", "rpc"] {
        for datapoint in fields.maps(section, report) {
            points.written(datapoint, report);
        }
    }
    for mut property in points.finish() {
        let title = property.name.clone();
        property.name = property_name(&title, &mut property_names);
        if property.name != title {
            property.looks.push(format!("called `{title}` there"));
        }
        match property.settle() {
            Ok(gone) => gone.into_iter().for_each(|what| {
                report.left(fields.place(), format!("{title}: {what}"));
            }),
            Err(why) => {
                report.left(fields.place(), format!("{title}: {why}"));
                continue;
            }
        }
        device.properties.push(property);
    }
    fields.finish(report);
    Some(device)
}

fn link(fields: &Fields<'_>, unit: u8, report: &mut Report) -> Option<Link> {
    let kind = fields.text("type", report).unwrap_or("tcp").to_ascii_lowercase();
    let method = fields.text("method", report).unwrap_or_default().to_ascii_lowercase();
    let way = match (kind.as_str(), method.as_str()) {
        ("tcp", method) => {
            let host = fields.text("host", report).unwrap_or("127.0.0.1");
            let port = fields.int("port", report).unwrap_or(502);
            let place = format!("{host}:{port}");
            match method {
                "rtu" => Way::RtuOverTcp(place),
                "ascii" => Way::AsciiOverTcp(place),
                _ => Way::Tcp(place),
            }
        }
        ("serial", method) => Way::Serial(line(fields, method == "ascii", report)),
        (other, _) => {
            fields.pass_over(&["host", "port"]);
            fields.left("type", format!("a connection of type `{other}` is not made here"), report);
            return None;
        }
    };
    let mut link = Link::new(way, unit);
    // Seconds there.
    link.timeout = fields.float("timeout", report).map(|seconds| milliseconds(seconds * 1000.0));
    if fields
        .get("security")
        .or(fields.get("tls"))
        .is_some_and(|node| node.entries().is_some_and(|e| !e.is_empty()))
    {
        fields.left("security", "Modbus over TLS is not spoken here, the link is written without it", report);
    }
    Some(link)
}

fn line(fields: &Fields<'_>, ascii: bool, report: &mut Report) -> Line {
    let parity = fields.first(&["parity"], |parity| match parity.to_ascii_uppercase().as_str() {
        "N" | "NONE" => Some("none"),
        "E" | "EVEN" => Some("even"),
        "O" | "ODD" => Some("odd"),
        _ => None,
    });
    fields.pass_over(&["strict", "host"]);
    Line {
        path: fields.text("port", report).unwrap_or_default().to_owned(),
        ascii,
        data_bits: fields.int("bytesize", report),
        // What pymodbus takes where nothing is said.
        baud: fields.int("baudrate", report).map_or(Some(19_200), |baud| u32::try_from(baud).ok()),
        parity: parity.or(Some("none")),
        stop_bits: fields.int("stopbits", report).map_or(Some(1), |bits| u8::try_from(bits).ok()),
    }
}

/// A time in whole milliseconds; nothing negative, and no more than a year.
pub(crate) fn milliseconds(ms: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
    let ms = ms.clamp(0.0, 3.2e10) as u64;
    ms
}
