//! A CSV of tags as Neuron exports its Excel table, and the JSON of the node's settings.
//!
//! Addresses are `STATION!ADDRESS[.BIT][#ORDER][.LEN[H|L|D|E]]`, counted from 1 with the table in front, as in
//! plugins/modbus. `#LL` is the order of the protocol, `#BB` the reverse of it.

mod address;
mod node;

use std::collections::BTreeMap;

use config::Source;

use crate::plan::{Access, Device, Link, Names, Property, Type, device_name, property_name};
use crate::read::{Row, Table, Unreadable, json, table};
use crate::report::Report;
use address::Address;
use node::NodeSettings;

pub(crate) fn import(sources: &[Source], report: &mut Report) -> Result<Vec<Device>, Unreadable> {
    let mut tables = Vec::new();
    let mut nodes = Vec::new();
    for source in sources {
        if source.text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
            let found = node::settings(&json(source)?, source, report);
            if found.is_empty() {
                return Err(Unreadable::new(source, "it has no settings of a Modbus node"));
            }
            nodes.extend(found);
        } else {
            tables.push((source, table(source)?));
        }
    }
    if tables.is_empty() {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        report.left(names.join(", "), "settings without tags: give the table of tags as well");
    }
    let mut devices = Vec::new();
    let mut names = Names::default();
    for (source, table) in &tables {
        if ["name", "address", "type"]
            .iter()
            .any(|wanted| !table.header.iter().any(|name| name.eq_ignore_ascii_case(wanted)))
        {
            return Err(Unreadable::new(
                source,
                "it has no columns name, address and type, as an export of tags has",
            ));
        }
        let stem = source.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        let fitting = nodes.iter().find(|node| node.name.eq_ignore_ascii_case(stem));
        let node = fitting.or(if nodes.len() == 1 && tables.len() == 1 { nodes.first() } else { None });
        if node.is_none() {
            let what = "nothing says how the device is reached: give the JSON of the node's settings as well \
                        (with the name of the table where there are several); only a model is written";
            report.left(&source.name, what);
        }
        devices.extend(units(source, table, node, stem, &mut names, report));
    }
    Ok(devices)
}

/// The tags of one table, which become one device for each station.
fn units(
    source: &Source,
    table: &Table,
    node: Option<&NodeSettings>,
    stem: &str,
    names: &mut Names,
    report: &mut Report,
) -> Vec<Device> {
    let mut units: BTreeMap<u8, Vec<(String, Property)>> = BTreeMap::new();
    for row in &table.rows {
        let Some((unit, group, property)) = tag(source, table, row, node, report) else { continue };
        units.entry(unit).or_default().push((group, property));
    }
    let title = node.map_or(stem, |node| &node.name);
    let several = units.len() > 1;
    let mut devices = Vec::new();
    for (unit, tags) in units {
        let wanted = if several { format!("{title}-{unit}") } else { title.to_owned() };
        let mut device = Device { name: device_name(&wanted, names), ..Device::default() };
        if device.name != wanted {
            device.description = Some(wanted);
        }
        if let Some(node) = node {
            device.link = node.way.clone().map(|way| Link {
                timeout: node.timeout,
                pause: node.pause,
                ..Link::new(way, unit)
            });
        }
        let mut property_names = Names::default();
        for (group, mut property) in tags {
            let title = property.name.clone();
            // In another group there may be a tag of the same name.
            let name = property_name(&title, &mut property_names);
            property.name = if name == title {
                name
            } else {
                property_name(&format!("{group}/{title}"), &mut property_names)
            };
            if property.name != title {
                property.looks.push(format!("called `{title}` in group `{group}` there"));
            }
            device.properties.push(property);
        }
        devices.push(device);
    }
    devices
}

/// One row.
fn tag(
    source: &Source,
    table: &Table,
    row: &Row,
    node: Option<&NodeSettings>,
    report: &mut Report,
) -> Option<(u8, String, Property)> {
    let place = |column: &str| format!("{}: row {}, column {column}", source.name, row.number);
    let name = table.cell(row, "name").unwrap_or_default().to_owned();
    let kind = table.cell(row, "type").unwrap_or_default().to_ascii_uppercase();
    let written = table.cell(row, "address").unwrap_or_default();
    let found = Address::read(written, &kind, node.is_none_or(|node| node.from_one));
    let (address, mut point) = match found {
        Ok(found) => found,
        Err(why) => {
            report.left(place("address"), format!("{name}: {why}"));
            return None;
        }
    };
    let number = |column: &str| table.cell(row, column).and_then(|cell| cell.parse::<f64>().ok());
    let decimal = number("decimal").filter(|decimal| *decimal != 0.0);
    point = point.scaled(decimal, number("bias"));
    point.precision = number("precision").filter(|digits| (1.0..=9.0).contains(digits)).map(|digits| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 1 to 9")]
        let digits = digits as u8;
        digits
    });
    let mut property = Property::new(name.clone(), point);
    // A number with a decimal or a bias is a double there.
    property.value_type = (address.is_whole && property.point.natural() == Type::Int).then_some(Type::Int);
    property.description = table.cell(row, "description").map(str::to_owned);
    property.looks.extend(address.look);
    let interval = number("interval").filter(|interval| *interval > 0.0);
    property.every = interval.map(crate::thingsboard::milliseconds);
    access(table.cell(row, "attribute").unwrap_or("Read"), &mut property, &place("attribute"), report);
    for (column, _) in table.cells(row) {
        let known = [
            "group",
            "interval",
            "name",
            "address",
            "attribute",
            "type",
            "description",
            "decimal",
            "precision",
            "bias",
        ];
        if !known.iter().any(|known| column.eq_ignore_ascii_case(known)) {
            report.left(place(column), "no counterpart here");
        }
    }
    match property.settle() {
        Ok(gone) => {
            gone.into_iter().for_each(|what| report.left(place("address"), format!("{name}: {what}")))
        }
        Err(why) => {
            report.left(place("address"), format!("{name}: {why}"));
            return None;
        }
    }
    Some((address.station, table.cell(row, "group").unwrap_or_default().to_owned(), property))
}

/// `Read Write Subscribe Static`, in words or as the sum of 1, 2, 4 and 8.
fn access(text: &str, property: &mut Property, place: &str, report: &mut Report) {
    let lower = text.to_ascii_lowercase();
    let bits = text.parse::<u8>().unwrap_or_else(|_| {
        let words = [("read", 1), ("write", 2), ("subscribe", 4), ("static", 8)];
        words.iter().filter(|(word, _)| lower.contains(word)).map(|(_, bit)| bit).sum()
    });
    property.access = match (bits & 0b101 != 0, bits & 0b10 != 0) {
        (true, true) => Access::ReadWrite,
        (false, true) => Access::Write,
        (_, false) => Access::Read,
    };
    if bits & 8 != 0 {
        report.left(place, "a static tag, which the gateway itself holds: it is read from the device here");
    }
}
