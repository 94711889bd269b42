//! `Device` and `DeviceModel` of KubeEdge, v1beta1, of the Modbus mappers.
//!
//! The model has the types, the device where each property lives. Registers count from 0; `isRegisterSwap` turns the
//! registers round, `isSwap` the bytes of each.

mod visitor;

use std::collections::BTreeMap;

use config::Source;
use twin_core::DeviceId;

use crate::fields::Fields;
use crate::plan::{Access, Device, Line, Link, Names, Way, device_name, property_name};
use crate::read::{Node, Unreadable, yaml};
use crate::report::Report;
use visitor::Definition;

/// How often a property is read that does not say it, in milliseconds.
const EVERY: u64 = 1_000;

/// A model: its properties by name, and whether a device uses it.
struct Model {
    definitions: BTreeMap<String, Definition>,
    place: String,
    used: bool,
}

pub(crate) fn import(sources: &[Source], report: &mut Report) -> Result<Vec<Device>, Unreadable> {
    let mut objects = Vec::new();
    for source in sources {
        let mut known = false;
        for document in yaml(source)? {
            // A list of objects, as kubectl gives it.
            let items = document.get("items").and_then(Node::items).map(<[Node]>::to_vec);
            for node in items.unwrap_or_else(|| vec![document]) {
                let kind = node.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
                known |= matches!(kind.as_str(), "Device" | "DeviceModel");
                objects.push((source, kind, node));
            }
        }
        if !known {
            return Err(Unreadable::new(source, "there is no object of kind Device or DeviceModel in it"));
        }
    }
    let mut models = BTreeMap::new();
    let mut names = Names::default();
    for (source, kind, node) in &objects {
        let Some(fields) = object(source, kind, node, report) else { continue };
        if kind == "DeviceModel" {
            model(fields, &mut models, report);
        }
    }
    let mut devices = Vec::new();
    for (source, _, node) in objects.iter().filter(|(_, kind, _)| kind == "Device") {
        let mut unheard = Report::default();
        let Some(fields) = object(source, "Device", node, &mut unheard) else { continue };
        devices.extend(device(fields, &mut models, &mut names, report));
    }
    for model in models.values().filter(|model| !model.used) {
        report.left(
            &model.place,
            "no device of this model is in the files, and only devices say where properties live",
        );
    }
    Ok(devices)
}

/// An object of the version that is read here.
fn object<'a>(source: &'a Source, kind: &str, node: &'a Node, report: &mut Report) -> Option<Fields<'a>> {
    let name =
        node.get("metadata").and_then(|meta| meta.get("name")).and_then(Node::text).unwrap_or_default();
    let fields = Fields::of(node, &source.name, &format!("{kind} {name}"), report)?;
    if !matches!(kind, "Device" | "DeviceModel") {
        report.left(fields.place(), "not an object of kind Device or DeviceModel");
        return None;
    }
    let version = fields.text("apiVersion", report).unwrap_or_default();
    if version != "devices.kubeedge.io/v1beta1" {
        let what = format!("`{version}` is not devices.kubeedge.io/v1beta1: bring it to that version first");
        fields.left("apiVersion", what, report);
        return None;
    }
    fields.pass_over(&["kind", "apiVersion", "status", "metadata"]);
    Some(fields)
}

fn model(fields: Fields<'_>, models: &mut BTreeMap<String, Model>, report: &mut Report) {
    let name = fields.path().split_once(' ').map_or("", |(_, name)| name).to_owned();
    let Some(spec) = fields.map("spec", report) else { return };
    let mut definitions = BTreeMap::new();
    for property in spec.maps("properties", report) {
        definitions.extend(visitor::definition(property, report));
    }
    spec.pass_over(&["protocol"]);
    spec.finish(report);
    let place = fields.place();
    fields.finish(report);
    models.insert(name, Model { definitions, place, used: false });
}

fn device(
    fields: Fields<'_>,
    models: &mut BTreeMap<String, Model>,
    names: &mut Names,
    report: &mut Report,
) -> Option<Device> {
    let meta = fields.map("metadata", report)?;
    let title = meta.text("name", report).unwrap_or_default().to_owned();
    let namespace = meta.text("namespace", report).unwrap_or("default").to_owned();
    let spec = fields.map("spec", report)?;
    let reference = spec.map("deviceModelRef", report).and_then(|node| node.text("name", report));
    let reference = reference.unwrap_or_default().to_owned();
    let link = link(&spec, report)?;
    let mut device = Device { link: Some(link), model: Some(reference.clone()), ..Device::default() };
    device.name = device_name(&title, names);
    let id = format!("{namespace}/{}", device.name);
    if namespace != DeviceId::DEFAULT_NAMESPACE && id.parse::<DeviceId>().is_ok() {
        device.name = id;
    }
    if !device.name.ends_with(&title) {
        device.looks.push(format!("called `{title}` there"));
    }
    for (name, value) in meta.get("labels").and_then(Node::entries).unwrap_or(&[]) {
        device.labels.extend(value.text().map(|value| (name.clone(), value.to_owned())));
    }
    device.description = device.labels.remove("description");
    if let Some(node) = spec.text("nodeName", report) {
        device.labels.insert("node".to_owned(), node.to_owned());
    }
    let model = models.get_mut(&reference);
    if let Some(model) = &model {
        let named = |name: &str| {
            spec.get("properties")
                .and_then(Node::items)
                .unwrap_or(&[])
                .iter()
                .any(|node| node.get("name").and_then(Node::text) == Some(name))
        };
        for name in model.definitions.keys().filter(|name| !named(name)) {
            report.left(spec.place(), format!("the device does not say where `{name}` of its model lives"));
        }
    } else {
        let what =
            format!("its model `{reference}` is in none of the files: types follow from the registers");
        spec.left("deviceModelRef", what, report);
    }
    let mut none = BTreeMap::new();
    let definitions = match model {
        Some(model) => {
            model.used = true;
            &mut model.definitions
        }
        None => &mut none,
    };
    properties(&spec, definitions, &mut device, report);
    spec.finish(report);
    Some(device)
}

fn properties(
    spec: &Fields<'_>,
    definitions: &BTreeMap<String, Definition>,
    device: &mut Device,
    report: &mut Report,
) {
    let mut names = Names::default();
    for fields in spec.maps("properties", report) {
        let title = fields.text("name", report).unwrap_or_default().to_owned();
        let definition = definitions.get(&title).cloned().unwrap_or_default();
        let Some(visitors) = fields.map("visitors", report) else {
            report.left(fields.place(), format!("{title}: no visitors, so nothing says where it lives"));
            continue;
        };
        let Some(mut property) = visitor::property(&visitors, &definition, report) else { continue };
        visitors.finish(report);
        property.name = property_name(&title, &mut names);
        if property.name != title {
            property.looks.push(format!("called `{title}` there"));
        }
        property.description = definition.description.clone();
        property.unit = definition.unit.clone();
        property.range = definition.range;
        property.access = definition.access.unwrap_or(Access::Read);
        property.every = cycle(&fields, "collectCycle", report).or(Some(EVERY));
        property.max_silence = cycle(&fields, "reportCycle", report);
        if fields.bool("reportToCloud", report) == Some(false) {
            fields.left("reportToCloud", "every property goes to the cloud here", report);
        }
        if fields.get("desired").is_some() {
            let what = "a wanted value is no configuration here: write it as desired value of the twin";
            fields.left("desired", what, report);
        }
        match property.settle() {
            Ok(gone) => {
                gone.into_iter().for_each(|what| report.left(fields.place(), format!("{title}: {what}")))
            }
            Err(why) => {
                report.left(fields.place(), format!("{title}: {why}"));
                continue;
            }
        }
        fields.finish(report);
        device.properties.push(property);
    }
}

/// Milliseconds; the first releases of v1beta1 took nanoseconds, which are more than a day otherwise.
fn cycle(fields: &Fields<'_>, key: &'static str, report: &mut Report) -> Option<u64> {
    let number = u64::try_from(fields.int(key, report)?).ok().filter(|number| *number > 0)?;
    Some(if number > 86_400_000 { number / 1_000_000 } else { number })
}

fn link(spec: &Fields<'_>, report: &mut Report) -> Option<Link> {
    let protocol = spec.map("protocol", report)?;
    let name = protocol.text("protocolName", report).unwrap_or_default().to_ascii_lowercase();
    if !name.starts_with("modbus") {
        let what = format!("the protocol `{name}` is not taken over, so the device is left out");
        protocol.left("protocolName", what, report);
        return None;
    }
    let data = protocol.map("configData", report)?;
    let (tcp, com) = (data.map("tcp", report), data.map("com", report));
    let mode = data.text("communicateMode", report).unwrap_or_default().to_ascii_uppercase();
    let serial = mode == "RTU" || (mode.is_empty() && data.get("ip").is_none() && com.is_some());
    let way = if serial {
        let place = com.as_ref().unwrap_or(&data);
        data.pass_over(&["ip", "port"]);
        Way::Serial(line(place, report))
    } else {
        let place = tcp.as_ref().unwrap_or(&data);
        let host = place.text("ip", report).or(place.text("host", report)).unwrap_or_default();
        let port = place.int("port", report).unwrap_or(502);
        data.pass_over(&["serialName", "baudRate", "dataBits", "stopBits", "parity", "rs485Enabled"]);
        Way::Tcp(format!("{host}:{port}"))
    };
    for part in [tcp, com].into_iter().flatten() {
        part.pass_over(&["commType"]);
        part.finish(report);
    }
    let unit = data.int("slaveID", report).unwrap_or(1);
    let Ok(unit) = u8::try_from(unit) else {
        data.left("slaveID", format!("{unit} is no unit id, so the device is left out"), report);
        return None;
    };
    let mut link = Link::new(way, unit);
    // Seconds in the mappers.
    link.timeout = data
        .float("timeout", report)
        .filter(|t| *t > 0.0)
        .map(|seconds| crate::thingsboard::milliseconds(seconds * 1000.0));
    data.finish(report);
    protocol.finish(report);
    Some(link)
}

fn line(fields: &Fields<'_>, report: &mut Report) -> Line {
    let parity = fields.first(&["parity"], |parity| match parity.to_ascii_lowercase().as_str() {
        "even" | "e" => Some("even"),
        "odd" | "o" => Some("odd"),
        _ => Some("none"),
    });
    let path = fields.text("serialName", report).or(fields.text("serialPort", report)).unwrap_or_default();
    Line {
        path: path.to_owned(),
        ascii: false,
        data_bits: fields.int("dataBits", report).filter(|bits| *bits > 0),
        baud: fields.int("baudRate", report).and_then(|baud| u32::try_from(baud).ok()),
        parity: parity.or(Some("none")),
        stop_bits: fields.int("stopBits", report).map_or(Some(1), |bits| u8::try_from(bits).ok()),
    }
}
