//! Devices and models as YAML.

use std::collections::BTreeMap;

use super::{Access, Device, Link, Names, Point, Property, Way, device_name};
use crate::report::Left;
use crate::yaml::{Flow, comment, key, number, text};

/// The whole file.
pub(crate) fn yaml(from: &str, devices: Vec<Device>, left: &[Left]) -> String {
    let mut out = String::new();
    out.push_str(&format!("# Taken over from {}.\n", comment(from)));
    if !left.is_empty() {
        out.push_str(&format!("#\n# Not carried over ({}):\n", left.len()));
        for left in left {
            out.push_str(&format!("#   {}\n", comment(&left.to_string())));
        }
    }
    let (models, devices) = folded(devices);
    if !models.is_empty() {
        out.push_str("\nmodels:\n");
        for (name, model) in &models {
            model_yaml(&mut out, name, model);
        }
    }
    if !devices.is_empty() {
        out.push_str("\ndevices:\n");
    }
    for device in devices {
        device_yaml(&mut out, &device);
    }
    out
}

/// Puts what devices have in common into models. A device without a link becomes a model, for devices need one.
fn folded(devices: Vec<Device>) -> (BTreeMap<String, Device>, Vec<Device>) {
    let mut models: BTreeMap<String, Device> = BTreeMap::new();
    let mut names = Names::default();
    let mut written = Vec::new();
    // Those that say what a model is, without being devices, come first.
    let (whole, bare): (Vec<_>, Vec<_>) = devices.into_iter().partition(|device| device.link.is_some());
    for device in bare {
        let name = device_name(device.model.as_deref().unwrap_or(&device.name), &mut names);
        models.insert(name, Device { model: None, ..device });
    }
    let mut shared: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, device) in whole.iter().enumerate() {
        if let Some(model) = &device.model {
            shared.entry(model.clone()).or_default().push(index);
        }
    }
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for (model, indices) in &shared {
        if let [first, rest @ ..] = indices.as_slice()
            && !rest.is_empty()
        {
            let name = device_name(model, &mut names);
            let first = &whole[*first];
            let (properties, description) = (first.properties.clone(), first.about_model.clone());
            let common = Device { properties, description, ..Device::default() };
            models.insert(name.clone(), common);
            made.insert(model.clone(), name);
        }
    }
    for mut device in whole {
        let name = device.model.take().and_then(|model| made.get(&model));
        if let Some((name, model)) = name.and_then(|name| models.get_key_value(name)) {
            let same_names = device.properties.len() == model.properties.len()
                && device.properties.iter().zip(&model.properties).all(|(a, b)| a.name == b.name);
            if same_names {
                device.model = Some(name.clone());
                let own = device.properties.iter().zip(&model.properties).filter(|(a, b)| a != b);
                device.properties = own.map(|(own, _)| own.clone()).collect();
            }
        }
        written.push(device);
    }
    (models, written)
}

/// One model. In a model `$(` begins a placeholder, so it is written twice.
fn model_yaml(out: &mut String, name: &str, model: &Device) {
    looks(out, 2, &model.looks);
    out.push_str(&format!("  {}:\n", key(name)));
    if let Some(description) = &model.description {
        out.push_str(&format!("    description: {}\n", text(&escaped(description))));
    }
    properties(out, &model.properties, true);
}

fn device_yaml(out: &mut String, device: &Device) {
    looks(out, 2, &device.looks);
    out.push_str(&format!("  {}:\n", key(&device.name)));
    if let Some(model) = &device.model {
        out.push_str(&format!("    model: {}\n", text(model)));
    }
    if let Some(description) = &device.description {
        out.push_str(&format!("    description: {}\n", text(description)));
    }
    if !device.labels.is_empty() {
        let mut labels = Flow::default();
        for (name, value) in &device.labels {
            labels.add(&key(name), text(value));
        }
        out.push_str(&format!("    labels: {labels}\n"));
    }
    if let Some(link) = &device.link {
        out.push_str(&format!("    modbus: {}\n", link_flow(link)));
    }
    properties(out, &device.properties, false);
}

fn escaped(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn looks(out: &mut String, indent: usize, looks: &[String]) {
    for look in looks {
        out.push_str(&format!("{:indent$}# look: {}\n", "", comment(look)));
    }
}

fn properties(out: &mut String, properties: &[Property], in_model: bool) {
    if properties.is_empty() {
        return;
    }
    out.push_str("    properties:\n");
    for property in properties {
        property_yaml(out, property, in_model);
    }
}

fn property_yaml(out: &mut String, property: &Property, in_model: bool) {
    let words = |words: &str| text(&if in_model { escaped(words) } else { words.to_owned() });
    looks(out, 6, &property.looks);
    out.push_str(&format!("      {}:\n", key(&property.name)));
    let mut line = |name: &str, value: String| out.push_str(&format!("        {name}: {value}\n"));
    line("type", property.written_type().word().to_owned());
    match property.access {
        Access::Read => {}
        Access::Write => line("access", "write".to_owned()),
        Access::ReadWrite => line("access", "read_write".to_owned()),
    }
    if let Some(unit) = &property.unit {
        line("unit", words(unit));
    }
    if let Some(description) = &property.description {
        line("description", words(description));
    }
    if let Some((least, most)) = property.range {
        line("range", format!("[{}, {}]", number(least), number(most)));
    }
    line("modbus", point_flow(&property.point, &words).to_string());
    if let Some(every) = property.every {
        line("every", duration(every));
    }
    let mut report = Flow::default();
    report.add_some("deadband", property.deadband.map(number));
    report.add_some("max_silence", property.max_silence.map(duration));
    report.add_some("min_interval", property.min_interval.filter(|ms| *ms > 0).map(duration));
    if !report.is_empty() {
        line("report", report.to_string());
    }
}

fn point_flow(point: &Point, words: &dyn Fn(&str) -> String) -> Flow {
    let mut flow = Flow::default();
    flow.add(point.area.key(), point.start.to_string());
    flow.add_some("type", point.data.word().map(str::to_owned));
    match point.data {
        super::Data::Bit if !point.area.is_bits() => flow.add("bit", point.bit.to_string()),
        super::Data::Byte { high, .. } => flow.add("byte", if high { "high" } else { "low" }.to_owned()),
        super::Data::Text { words } | super::Data::Bytes { words } => flow.add("length", words.to_string()),
        super::Data::Bit | super::Data::Int { .. } | super::Data::Float { .. } => {}
    }
    let swapped = |swapped: bool| swapped.then(|| "little".to_owned());
    flow.add_some("byte_order", swapped(point.bytes_swapped));
    flow.add_some("word_order", swapped(point.words_swapped));
    flow.add_some("scale", point.scale.map(number));
    flow.add_some("offset", point.offset.map(number));
    flow.add_some("precision", point.precision.map(|digits| digits.to_string()));
    if !point.names.is_empty() {
        let mut names = Flow::default();
        for (number, name) in &point.names {
            names.add(&number.to_string(), words(name));
        }
        flow.add("enum", names.to_string());
    }
    flow
}

fn link_flow(link: &Link) -> Flow {
    let mut flow = Flow::default();
    match &link.way {
        Way::Tcp(place) => flow.add("tcp", text(place)),
        Way::RtuOverTcp(place) => flow.add("rtu_over_tcp", text(place)),
        Way::AsciiOverTcp(place) => flow.add("ascii_over_tcp", text(place)),
        Way::Serial(line) => {
            flow.add(if line.ascii { "ascii" } else { "rtu" }, text(&line.path));
            flow.add_some("baud", line.baud.map(|baud| baud.to_string()));
            flow.add_some("parity", line.parity.map(str::to_owned));
            flow.add_some("stop_bits", line.stop_bits.map(|bits| bits.to_string()));
            flow.add_some("data_bits", line.data_bits.filter(|_| line.ascii).map(|bits| bits.to_string()));
        }
    }
    flow.add("unit", link.unit.to_string());
    flow.add_some("timeout", link.timeout.map(duration));
    flow.add_some("max_block", link.max_block.map(|most| most.to_string()));
    flow.add_some("max_gap", link.max_gap.map(|most| most.to_string()));
    flow.add_some("pause", link.pause.map(duration));
    flow
}

/// A time as people write it.
fn duration(ms: u64) -> String {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.into_iter().find(|(_, length)| ms > 0 && ms.is_multiple_of(*length));
    unit.map_or_else(|| format!("{ms}ms"), |(name, length)| format!("{}{name}", ms / length))
}
