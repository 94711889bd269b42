//! `inputs.modbus` of Telegraf, in its three styles: `register`, `request` and `metric`.
//!
//! Meanings as in plugins/inputs/modbus: addresses count from 0; a byte order is that of the whole value.

mod field;

use std::collections::BTreeMap;

use config::Source;

use crate::fields::Fields;
use crate::plan::{Area, Device, Line, Link, Names, Property, Way, device_name, property_name};
use crate::read::{Unreadable, toml};
use crate::report::Report;
use field::{Order, property};

pub(crate) fn import(sources: &[Source], report: &mut Report) -> Result<Vec<Device>, Unreadable> {
    let mut devices = Vec::new();
    let mut names = Names::default();
    for source in sources {
        let root = toml(source)?;
        let plugins = root.get("inputs").and_then(|inputs| inputs.get("modbus"));
        let Some(plugins) = plugins else {
            return Err(Unreadable::new(source, "there is no [[inputs.modbus]] in it"));
        };
        let agent = root.get("agent").and_then(|agent| agent.get("interval")).and_then(|node| node.text());
        let every = agent.and_then(duration).or(Some(10_000));
        let items = plugins.items().unwrap_or(std::slice::from_ref(plugins));
        for (index, node) in items.iter().enumerate() {
            let path = format!("inputs.modbus[{index}]");
            let Some(fields) = Fields::of(node, &source.name, &path, report) else { continue };
            devices.extend(plugin(fields, every, &mut names, report));
        }
    }
    Ok(devices)
}

/// A device by its unit, while its fields are collected.
#[derive(Default)]
struct Unit {
    properties: Vec<(Option<String>, Property)>,
    labels: BTreeMap<String, String>,
}

fn plugin(fields: Fields<'_>, agent: Option<u64>, names: &mut Names, report: &mut Report) -> Vec<Device> {
    let every = fields.text("interval", report).and_then(duration).or(agent);
    let title = fields.text("name", report).unwrap_or("modbus").to_owned();
    let style = fields.text("configuration_type", report).unwrap_or("register").to_owned();
    let mut units: BTreeMap<u8, Unit> = BTreeMap::new();
    match style.as_str() {
        "register" | "" => register_style(&fields, &mut units, report),
        "request" | "metric" => {
            for request in fields.maps(if style == "request" { "request" } else { "metric" }, report) {
                request_style(request, &style, &mut units, report);
            }
        }
        other => fields.left("configuration_type", format!("the style `{other}` is not known"), report),
    }
    // Styles are not mixed there: what belongs to another is not in use.
    fields.pass_over(&["slave_id", "coils", "discrete_inputs", "holding_registers", "input_registers"]);
    fields.pass_over(&["request", "metric", "debug_connection", "log_level", "optimization"]);
    let several = units.len() > 1;
    let mut devices = Vec::new();
    for (number, unit) in units {
        let wanted = if several { format!("{title}-{number}") } else { title.clone() };
        let mut device =
            Device { name: device_name(&wanted, names), labels: unit.labels, ..Device::default() };
        if device.name != wanted {
            device.description = Some(wanted);
        }
        device.link = link(&fields, number, &mut device.looks, report);
        device.properties = named(unit.properties, every, &fields, report);
        devices.push(device);
    }
    fields.finish(report);
    devices
}

fn register_style<'a>(fields: &Fields<'a>, units: &mut BTreeMap<u8, Unit>, report: &mut Report) {
    let number = unit_id(fields, report);
    let unit = units.entry(number).or_default();
    let tables = [
        ("discrete_inputs", Area::Discrete),
        ("coils", Area::Coil),
        ("holding_registers", Area::Holding),
        ("input_registers", Area::Input),
    ];
    for (key, area) in tables {
        for field in fields.maps(key, report) {
            unit.properties.extend(field::register_field(field, area, report));
        }
    }
}

/// A request or a metric: fields of one unit.
fn request_style(request: Fields<'_>, style: &str, units: &mut BTreeMap<u8, Unit>, report: &mut Report) {
    let number = unit_id(&request, report);
    let order = match request.text("byte_order", report) {
        None => Order::default(),
        Some(word) => match Order::of(word) {
            Some(order) => order,
            None => {
                request.left("byte_order", format!("`{word}` is no byte order, so all is left out"), report);
                return;
            }
        },
    };
    let table = request.text("register", report).unwrap_or("holding").to_owned();
    let measurement = request.text("measurement", report).map(str::to_owned);
    let unit = units.entry(number).or_default();
    if let Some(tags) = request.map("tags", report) {
        for (name, value) in request.get("tags").and_then(|tags| tags.entries()).unwrap_or(&[]) {
            let value = value.text().unwrap_or_default().to_owned();
            let before = unit.labels.insert(name.clone(), value.clone());
            if before.as_ref().is_some_and(|before| *before != value) {
                tags.left(name, "the tag differs between requests of one device: a device has one", report);
            }
        }
    }
    for field in request.maps("fields", report) {
        if field.bool("omit", report) == Some(true) {
            // It only filled a gap between other registers; the planner sees to that here.
            continue;
        }
        let own = field.text("register", report).unwrap_or(&table).to_owned();
        let area = match own.as_str() {
            "coil" => Area::Coil,
            "discrete" => Area::Discrete,
            "holding" => Area::Holding,
            "input" => Area::Input,
            other => {
                field.left("register", format!("`{other}` is none of the four tables"), report);
                continue;
            }
        };
        let measured = field.text("measurement", report).map(str::to_owned).or(measurement.clone());
        unit.properties
            .extend(property(field, area, order, style, report).map(|property| (measured, property)));
    }
    request.pass_over(&["optimization"]);
    if let Some(gap) = request.int("optimization_max_register_fill", report) {
        let what = format!("write max_gap: {gap} into the link of the device, if it matters");
        request.left("optimization_max_register_fill", what, report);
    }
    request.finish(report);
}

fn unit_id(fields: &Fields<'_>, report: &mut Report) -> u8 {
    let id = fields.int("slave_id", report).unwrap_or(0);
    u8::try_from(id).unwrap_or_else(|_| {
        fields.left("slave_id", format!("{id} is no unit id; 1 is written"), report);
        1
    })
}

/// The properties with names of their own: the measurement goes before a name that is there twice.
fn named(
    properties: Vec<(Option<String>, Property)>,
    every: Option<u64>,
    fields: &Fields<'_>,
    report: &mut Report,
) -> Vec<Property> {
    let mut names = Names::default();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for (_, property) in &properties {
        *count.entry(property.name.clone()).or_default() += 1;
    }
    let mut named = Vec::new();
    for (measurement, mut property) in properties {
        let title = property.name.clone();
        let twice = count.get(&title).is_some_and(|n| *n > 1);
        let wanted = match &measurement {
            Some(measurement) if twice => format!("{measurement}.{title}"),
            Some(_) | None => title.clone(),
        };
        property.name = property_name(&wanted, &mut names);
        if property.name != title {
            property.looks.push(format!("called `{title}` there"));
        }
        property.every = every;
        match property.settle() {
            Ok(gone) => {
                gone.into_iter().for_each(|what| report.left(fields.place(), format!("{title}: {what}")))
            }
            Err(why) => {
                report.left(fields.place(), format!("{title}: {why}"));
                continue;
            }
        }
        named.push(property);
    }
    named
}

fn link(fields: &Fields<'_>, unit: u8, looks: &mut Vec<String>, report: &mut Report) -> Option<Link> {
    let controller = fields.text("controller", report).unwrap_or_default();
    let mode = fields.text("transmission_mode", report).unwrap_or("auto").to_ascii_lowercase();
    let way = if let Some(place) = controller.strip_prefix("tcp://") {
        let place = if place.contains(':') { place.to_owned() } else { format!("{place}:502") };
        match mode.as_str() {
            "rtuovertcp" => Way::RtuOverTcp(place),
            "asciiovertcp" => Way::AsciiOverTcp(place),
            _ => Way::Tcp(place),
        }
    } else {
        let path = controller.strip_prefix("file://").unwrap_or(controller);
        Way::Serial(Line { ascii: mode == "ascii", ..line(fields, path, looks, report) })
    };
    let mut link = Link::new(way, unit);
    link.timeout = fields.text("timeout", report).and_then(duration);
    if let Some(workarounds) = fields.map("workarounds", report) {
        link.pause = workarounds.text("pause_between_requests", report).and_then(duration);
        let most = workarounds.int("max_word_registers_per_request", report);
        link.max_block = most.and_then(|most| u16::try_from(most).ok());
        for (key, value) in fields.get("workarounds").and_then(|node| node.entries()).unwrap_or(&[]) {
            // A work-around that is switched off is none.
            if value.bool() == Some(false) || value.text().is_none_or(|text| text.is_empty() || text == "0ms")
            {
                workarounds.pass_over(&[key.as_str()]);
            }
        }
        workarounds.finish(report);
    }
    Some(link)
}

fn line(fields: &Fields<'_>, path: &str, looks: &mut Vec<String>, report: &mut Report) -> Line {
    let parity = fields.first(&["parity"], |parity| match parity.to_ascii_uppercase().as_str() {
        "N" | "NONE" => Some("none"),
        "E" | "EVEN" => Some("even"),
        "O" | "ODD" => Some("odd"),
        _ => None,
    });
    let line = Line {
        path: path.to_owned(),
        ascii: false,
        data_bits: fields.int("data_bits", report),
        baud: fields.int("baud_rate", report).and_then(|baud| u32::try_from(baud).ok()),
        parity,
        stop_bits: fields.int("stop_bits", report).and_then(|bits| u8::try_from(bits).ok()),
    };
    if line.baud.is_none() || line.parity.is_none() {
        looks.push("baud or parity is not written there; here it is 19200 and even then".into());
    }
    line
}

/// A time as Go writes it, `1m30s` or `250ms`, in milliseconds.
pub(crate) fn duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-6,
            "us" | "µs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[end..];
    }
    Some(crate::thingsboard::milliseconds(total))
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_read_as_go_writes_them() {
        let times = ["1s", "1m30s", "250ms", "1.5h", "", "x", "10", "5 s", "9999999999999h"];
        let ms = times.map(duration);
        assert_eq!(ms[..4], [Some(1_000), Some(90_000), Some(250), Some(5_400_000)]);
        assert_eq!(ms[4..8], [None; 4]);
        assert_eq!(ms[8], Some(32_000_000_000));
    }
}
