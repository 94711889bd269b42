//! Device profiles and device lists of EdgeX, as `device-modbus-go` reads them.
//!
//! `startingAddress` counts from 0; `isByteSwap` and `isWordSwap` are for values of two registers only.

mod resource;

use std::collections::BTreeMap;

use config::Source;

use crate::fields::Fields;
use crate::plan::{Device, Line, Link, Names, Property, Way, device_name};
use crate::read::{Node, Unreadable, yaml};
use crate::report::Report;
use crate::telegraf::duration;

/// How often a resource is read that no event of the device reads: it is read on request only there.
const UNHURRIED: u64 = 60_000;

/// A profile: its properties, and the resources of its commands.
struct Profile {
    description: Option<String>,
    properties: Vec<Property>,
    commands: BTreeMap<String, Vec<String>>,
}

pub(crate) fn import(sources: &[Source], report: &mut Report) -> Result<Vec<Device>, Unreadable> {
    let mut profiles: BTreeMap<String, Profile> = BTreeMap::new();
    let mut listed = Vec::new();
    for source in sources {
        let mut known = false;
        for (index, document) in yaml(source)?.into_iter().enumerate() {
            let at = if index == 0 { String::new() } else { format!("document {}", index + 1) };
            // What the REST interface of core-metadata gives wraps it.
            let wrapped = document.get("profile").or(document.get("device")).cloned();
            let document = wrapped.unwrap_or(document);
            if document.get("deviceResources").is_some() {
                known = true;
                let Some(fields) = Fields::of(&document, &source.name, &at, report) else { continue };
                let (name, profile) = profile(fields, report);
                if profiles.insert(name.clone(), profile).is_some() {
                    report.left(
                        &source.name,
                        format!("the profile `{name}` stands here a second time; this one is taken"),
                    );
                }
            } else if let Some(list) = document.get("deviceList") {
                known = true;
                let items = list.items().unwrap_or(std::slice::from_ref(list)).iter().enumerate();
                listed.extend(items.map(|(n, node)| (source, format!("deviceList[{n}]"), node.clone())));
            } else if document.get("profileName").is_some() {
                known = true;
                listed.push((source, at, document));
            }
        }
        if !known {
            return Err(Unreadable::new(source, "it has neither deviceResources nor deviceList"));
        }
    }
    let mut names = Names::default();
    let mut used = Vec::new();
    let mut devices = Vec::new();
    for (source, path, node) in &listed {
        let Some(fields) = Fields::of(node, &source.name, path, report) else { continue };
        devices.extend(device(fields, &profiles, &mut names, &mut used, report));
    }
    for (name, profile) in profiles.into_iter().filter(|(name, _)| !used.contains(name)) {
        // A profile that no device names here is still a model.
        let (description, properties) = (profile.description, profile.properties);
        devices.push(Device {
            name: name.clone(),
            model: Some(name),
            description,
            properties,
            ..Device::default()
        });
    }
    Ok(devices)
}

fn profile(fields: Fields<'_>, report: &mut Report) -> (String, Profile) {
    let name = fields.text("name", report).unwrap_or("profile").to_owned();
    let description = fields.text("description", report).map(str::to_owned);
    let about = |key| fields.get(key).and_then(Node::text);
    let made: Vec<&str> = [about("manufacturer"), about("model")].into_iter().flatten().collect();
    let description = description.or_else(|| (!made.is_empty()).then(|| made.join(" ")));
    let mut names = Names::default();
    let mut properties = Vec::new();
    for resource in fields.maps("deviceResources", report) {
        properties.extend(resource::property(resource, &mut names, report));
    }
    let mut commands = BTreeMap::new();
    for command in fields.maps("deviceCommands", report) {
        let mut resources = Vec::new();
        for operation in command.maps("resourceOperations", report) {
            resources.extend(operation.text("deviceResource", report).map(str::to_owned));
            if operation.get("mappings").is_some_and(|node| node.entries().is_some_and(|e| !e.is_empty())) {
                let what = "names of values: write `enum: {0: name, ...}` at the property";
                operation.left("mappings", what, report);
            }
            operation.pass_over(&["defaultValue", "index", "operation", "object"]);
            operation.finish(report);
        }
        commands.extend(command.text("name", report).map(|name| (name.to_owned(), resources)));
        // A command reads or writes several resources at once; here each is a property by itself.
        command.pass_over(&["readWrite", "isHidden", "get", "set", "tags"]);
        command.finish(report);
    }
    fields.pass_over(&["apiVersion", "labels", "id", "created", "modified", "basicInfo"]);
    fields.finish(report);
    (name, Profile { description, properties, commands })
}

fn device(
    fields: Fields<'_>,
    profiles: &BTreeMap<String, Profile>,
    names: &mut Names,
    used: &mut Vec<String>,
    report: &mut Report,
) -> Option<Device> {
    let title = fields.text("name", report).unwrap_or_default().to_owned();
    let model = fields.text("profileName", report).unwrap_or_default().to_owned();
    let Some(profile) = profiles.get(&model) else {
        let what = format!("its profile `{model}` is in none of the files, so the device is left out");
        fields.left("profileName", what, report);
        return None;
    };
    let mut device = Device { name: device_name(&title, names), ..Device::default() };
    device.link = link(&fields, report);
    if device.link.is_some() {
        used.push(model.clone());
    }
    device.description = fields.text("description", report).map(|text| text.trim().to_owned());
    if device.name != title {
        device.looks.push(format!("called `{title}` there"));
    }
    for (index, label) in fields.get("labels").and_then(Node::items).unwrap_or(&[]).iter().enumerate() {
        device.labels.extend(label.text().map(|text| (format!("label-{}", index + 1), text.to_owned())));
    }
    let events = events(&fields, profile, report);
    device.properties.clone_from(&profile.properties);
    for property in &mut device.properties {
        let title =
            property.looks.iter().find_map(|look| look.strip_prefix("called `")?.strip_suffix("` there"));
        let event = events.get(title.unwrap_or(&property.name));
        if !matches!(property.access, crate::plan::Access::Write) {
            property.every = Some(event.map_or(UNHURRIED, |event| event.every));
            property.max_silence = event.and_then(|event| (!event.on_change).then_some(event.every));
            property.deadband = event.and_then(|event| event.deadband);
            if event.is_none() {
                property.looks.push("read on request only there".into());
            }
            // Nothing in it can be wrong that was right in the profile.
            let _ = property.settle();
        }
    }
    device.model = Some(model);
    device.about_model.clone_from(&profile.description);
    fields.pass_over(&[
        "adminState",
        "operatingState",
        "serviceName",
        "id",
        "apiVersion",
        "created",
        "modified",
    ]);
    fields.finish(report);
    device.link.is_some().then_some(device)
}

/// A resource that is read again and again.
struct Event {
    every: u64,
    on_change: bool,
    deadband: Option<f64>,
}

/// The events by the name of the resource that they read.
fn events(fields: &Fields<'_>, profile: &Profile, report: &mut Report) -> BTreeMap<String, Event> {
    let mut events: BTreeMap<String, Event> = BTreeMap::new();
    for event in fields.maps("autoEvents", report) {
        let source = event.text("sourceName", report).unwrap_or_default().to_owned();
        let Some(every) = event.text("interval", report).and_then(duration) else {
            event.left("interval", "a time like 20s is wanted", report);
            continue;
        };
        let on_change = event.bool("onChange", report).unwrap_or(false);
        let deadband = event.float("onChangeThreshold", report).filter(|_| on_change);
        let resources = profile.commands.get(&source).cloned().unwrap_or_else(|| vec![source.clone()]);
        if !profile.commands.contains_key(&source) && !profile.properties.iter().any(|p| p.name == source) {
            let known =
                |property: &Property| property.looks.iter().any(|look| look.contains(&format!("`{source}`")));
            if !profile.properties.iter().any(known) {
                event.left(
                    "sourceName",
                    format!("`{source}` is neither a resource nor a command that was taken over"),
                    report,
                );
            }
        }
        for resource in resources {
            let faster = |known: &Event| known.every <= every;
            if !events.get(&resource).is_some_and(faster) {
                events.insert(resource, Event { every, on_change, deadband });
            }
        }
        event.finish(report);
    }
    events
}

fn link(fields: &Fields<'_>, report: &mut Report) -> Option<Link> {
    let protocols = fields.map("protocols", report)?;
    let link = if let Some(tcp) = protocols.map("modbus-tcp", report) {
        let address = tcp.text("Address", report).unwrap_or_default();
        let port = tcp.int("Port", report).unwrap_or(502);
        let link = of_unit(&tcp, Way::Tcp(format!("{address}:{port}")), report);
        tcp.finish(report);
        link
    } else if let Some(rtu) = protocols.map("modbus-rtu", report) {
        let parity = rtu.first(&["Parity"], |parity| match parity {
            "N" => Some("none"),
            "E" => Some("even"),
            "O" => Some("odd"),
            _ => None,
        });
        let line = Line {
            path: rtu.text("Address", report).unwrap_or_default().to_owned(),
            ascii: false,
            data_bits: rtu.int("DataBits", report),
            baud: rtu.int("BaudRate", report).and_then(|baud| u32::try_from(baud).ok()),
            parity,
            stop_bits: rtu.int("StopBits", report).and_then(|bits| u8::try_from(bits).ok()),
        };
        let link = of_unit(&rtu, Way::Serial(line), report);
        rtu.finish(report);
        link
    } else {
        fields.left("protocols", "neither modbus-tcp nor modbus-rtu, so the device is left out", report);
        return None;
    };
    protocols.finish(report);
    link
}

fn of_unit(fields: &Fields<'_>, way: Way, report: &mut Report) -> Option<Link> {
    let unit = fields.int("UnitID", report).unwrap_or(1);
    let Ok(unit) = u8::try_from(unit) else {
        fields.left("UnitID", format!("{unit} is no unit id, so the device is left out"), report);
        return None;
    };
    let mut link = Link::new(way, unit);
    link.timeout =
        fields.float("Timeout", report).map(|seconds| crate::thingsboard::milliseconds(seconds * 1000.0));
    // The connection is kept as long as it is used here.
    fields.pass_over(&["IdleTimeout"]);
    Some(link)
}
