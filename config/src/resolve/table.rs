//! `devices_from`: one row of a table makes one device.

use std::borrow::Cow;
use std::collections::BTreeMap;

use twin_core::DeviceId;

use super::device::{Devices, Reader, Shop};
use super::model::Model;
use super::name;
use super::parameter::{ParameterType, unknown, with_defaults};
use super::placeholder::{self, Given, Piece, Values};
use crate::csv::{Cell, Row, rows};
use crate::decode::{Sink, Spot, decode};
use crate::fault::Finding;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::path::Path;
use crate::scalar::cut;
use crate::source::{Source, Span};
use crate::suggest::list;
use crate::table::TableSource;
use crate::written::device::{DeviceWritten, TableWritten};

/// The most devices that one table makes.
const MAX_ROWS: usize = 100_000;

/// The texts of a configuration: those that were given, and the tables that they name.
pub(crate) struct Tables<'a> {
    pub(crate) texts: Vec<Cow<'a, Source>>,
    pub(crate) source: &'a dyn TableSource,
}

/// Makes the devices of every `devices_from`.
pub(crate) fn tables(
    all: &[Entry],
    tables: &mut Tables<'_>,
    shop: Shop<'_>,
    devices: &mut Devices,
    sink: &mut Sink,
) {
    for entry in all {
        let spot = Spot { node: &entry.value, head: entry.key_at, path: Path::root(&entry.key) };
        match &entry.value.kind {
            Kind::Seq(items) => {
                for (index, node) in items.iter().enumerate() {
                    let spot = Spot { node, head: node.at, path: spot.path.index(index) };
                    table(&spot, tables, shop, devices, sink);
                }
            }
            Kind::Scalar(_) if entry.value.is_null() => {}
            Kind::Map(_) | Kind::Scalar(_) => table(&spot, tables, shop, devices, sink),
        }
    }
}

fn table(spot: &Spot<'_>, tables: &mut Tables<'_>, shop: Shop<'_>, devices: &mut Devices, sink: &mut Sink) {
    let written = decode::<TableWritten>(spot, &["with"], sink).if_clean();
    let Some(written) = written else { return };
    let reader = Reader { spot: *spot, shop };
    let Some(model) = reader.model(&written.model, sink) else { return };
    if let Some(lives) = model.lives_without_link() {
        let finding = reader.finding_at_model(format!(
            "nothing says how devices of `{}` are reached, but its properties live in `{lives}`",
            model.name
        ));
        sink.fault(finding.hint(format!("write `{lives}: ...` into the model, with placeholders")));
        return;
    }
    let common = spot.node.entry("with");
    for entry in common.map_or(&[][..], |with| spot.below(with).map(sink)) {
        if !model.parameters.contains_key(&entry.key) {
            let message = format!("`{}` has no parameter `{}`", model.name, cut(&entry.key));
            let finding = Finding::new(entry.key_at, spot.path.key("with"), message);
            sink.fault(unknown(&entry.key, &model.parameters, finding));
        }
    }
    let template = written.name.as_deref().unwrap_or("$(name)");
    let Some(template) = placeholder::pieces(template) else {
        let finding = at_key(spot, "name", "this is not a name with columns in it".into());
        sink.fault(finding.hint("write it like meter-$(id)"));
        return;
    };
    let Some(rows) = tables.read(&written.file, spot, sink) else { return };
    let Some((header, rows)) = rows.split_first() else {
        let finding = at_key(spot, "file", format!("the table `{}` is empty", cut(&written.file)));
        sink.fault(finding.hint("its first row names the parameters of the model"));
        return;
    };
    if rows.len() > MAX_ROWS {
        let message = format!("the table `{}` has more than {MAX_ROWS} rows", cut(&written.file));
        sink.fault(at_key(spot, "file", message).hint("write it as several tables"));
        return;
    }
    let table = Table { spot: *spot, shop, model, written: &written, template: &template, header, common };
    if table.header_is_right(sink) {
        for row in rows {
            if !table.device(row, devices, sink) {
                return;
            }
        }
    }
}

fn at_key(spot: &Spot<'_>, key: &str, message: String) -> Finding {
    match spot.node.entry(key) {
        Some(entry) => spot.below(entry).finding(message),
        None => spot.head_finding(message),
    }
}

impl Tables<'_> {
    /// The rows of a table that is named at `spot`.
    fn read(&mut self, file: &str, spot: &Spot<'_>, sink: &mut Sink) -> Option<Vec<Row>> {
        let named_in = self.texts.get(spot.node.at.source as usize).map_or("", |source| &source.name);
        let (name, bytes) = self
            .source
            .read(file, named_in)
            .map_err(|why| {
                let message = format!("the table `{}` cannot be read: {}", cut(file), cut(&why));
                sink.fault(at_key(spot, "file", message).hint("the path begins at the folder of this file"));
            })
            .ok()?;
        if bytes.len() > Source::MAX_BYTES {
            let message = format!("the table `{}` is longer than {} MiB", cut(file), Source::MAX_BYTES >> 20);
            sink.fault(at_key(spot, "file", message).hint("write it as several tables"));
            return None;
        }
        let index = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let (text, right) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let start = u32::try_from(error.utf8_error().valid_up_to()).unwrap_or(u32::MAX);
                let at = Span { source: index, start, end: start.saturating_add(1) };
                let finding = Finding::new(at, "", "the table is not UTF-8 from here on");
                sink.fault(finding.hint("save it as \"CSV UTF-8\""));
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), false)
            }
        };
        let rows = right.then(|| rows(index, &text));
        self.texts.push(Cow::Owned(Source { name, text }));
        rows
    }
}

struct Table<'a> {
    spot: Spot<'a>,
    shop: Shop<'a>,
    model: &'a Model<'a>,
    written: &'a TableWritten,
    template: &'a [Piece<'a>],
    header: &'a Row,
    /// Values of all rows.
    common: Option<&'a Entry>,
}

impl Table<'_> {
    fn is_in_name(&self, column: &str) -> bool {
        self.template.iter().any(|piece| matches!(piece, Piece::Value { name, .. } if *name == column))
    }

    fn header_is_right(&self, sink: &mut Sink) -> bool {
        let before = sink.count();
        let cells = &self.header.cells;
        let path = |cell: &Cell| format!("row {}, column {}", self.header.number, cut(&cell.text));
        for (index, cell) in cells.iter().enumerate() {
            if let Some(first) = cells[..index].iter().find(|first| first.text == cell.text)
                && !is_ignored(&cell.text)
            {
                let message = format!("the column `{}` stands here a second time", cut(&cell.text));
                let finding = Finding::new(cell.at, path(cell), message).hint("remove one of the two");
                sink.fault(finding.related(first.at, "the first one"));
            }
            let known = ["name", "description"].contains(&&*cell.text)
                || is_ignored(&cell.text)
                || cell.text.strip_prefix("labels.").is_some_and(|label| !label.is_empty())
                || self.model.parameters.contains_key(&cell.text)
                || self.is_in_name(&cell.text);
            if !known {
                let message = format!("`{}` has no parameter `{}`", self.model.name, cut(&cell.text));
                let finding =
                    unknown(&cell.text, &self.model.parameters, Finding::new(cell.at, path(cell), message));
                let hint = finding.hint.clone().unwrap_or_default();
                sink.fault(finding.hint(format!("{hint}; a column `#{}` is passed over", cut(&cell.text))));
            }
        }
        for piece in self.template {
            let Piece::Value { name, .. } = piece else { continue };
            if !cells.iter().any(|cell| &*cell.text == *name) {
                let message = format!("the table has no column `{name}`, which makes the names of devices");
                let columns = list(cells.iter().map(|cell| &*cell.text).filter(|text| !is_ignored(text)));
                let hint = format!("write `name: meter-$(COLUMN)`; the columns are {columns}");
                sink.fault(at_key(&self.spot, "name", message).hint(hint));
            }
        }
        sink.count() == before
    }

    /// Makes the device of a row; false where the rest of the table cannot be read.
    fn device(&self, row: &Row, devices: &mut Devices, sink: &mut Sink) -> bool {
        if let Some(open) = row.cells.iter().find(|cell| cell.open) {
            let finding = Finding::new(open.at, format!("row {}", row.number), "this quote is not closed");
            sink.fault(finding.hint("end the text with a quote; one inside it is written twice"));
            return false;
        }
        let columns: BTreeMap<&str, &Cell> =
            self.header.cells.iter().zip(&row.cells).map(|(head, cell)| (&*head.text, cell)).collect();
        let cell = |name: &str| columns.get(name).copied().filter(|cell| !cell.text.is_empty());
        if let Some(extra) = row.cells.iter().skip(self.header.cells.len()).find(|cell| !cell.text.is_empty())
        {
            let message = format!("this cell stands under none of the {} columns", self.header.cells.len());
            let finding = Finding::new(extra.at, format!("row {}", row.number), message);
            sink.fault(finding.hint("put a text that holds a comma or semicolon into quotes"));
        }

        let number = format!("row {}", row.number);
        let mut named = self.template.iter().filter_map(|piece| match piece {
            Piece::Value { name, .. } => columns.get(name),
            Piece::Text(_) => None,
        });
        let head = named.next().copied().or(row.cells.first()).map_or(self.spot.head, |cell| cell.at);
        let nothing = Node::empty(head);
        let spot = Spot { node: &nothing, head, path: Path::root(&number) };
        let Some(id) = self.name(&columns, &spot, sink) else { return true };
        devices.claim(&spot, &id, sink);

        let values = with_defaults(
            &self.model.name,
            &self.model.parameters,
            |name, parameter, sink| {
                if let Some(cell) = cell(name) {
                    let path = format!("row {}, column {name}", row.number);
                    let plain = parameter.value_type != ParameterType::String;
                    let node = node(cell, plain);
                    let spot = Spot { node: &node, head: cell.at, path: Path::root(&path) };
                    return Some(parameter.value(&spot, sink));
                }
                let with = self.common?;
                let entry = with.value.entry(name)?;
                let path = self.spot.path.key("with");
                let spot = Spot { node: &entry.value, head: entry.key_at, path: path.key(&entry.key) };
                Some(parameter.value(&spot, sink))
            },
            |message| {
                spot.head_finding(message).hint("write it into its column, or give the parameter a default")
            },
            sink,
        );
        let Some(values) = values else { return true };
        let inherited = self.model.with(&values, head, self.shop.protocols, self.shop.secrets, sink);
        let mut labels = self.written.labels.clone();
        for (name, cell) in columns.iter().filter(|(_, cell)| !cell.text.is_empty()) {
            if let Some(label) = name.strip_prefix("labels.") {
                labels.insert(label.to_owned(), cell.text.to_string());
            }
        }
        let written = DeviceWritten {
            model: Some(self.written.model.clone()),
            description: cell("description").map(|cell| cell.text.to_string()),
            labels,
        };
        let reader = Reader { spot, shop: self.shop };
        if let Some(device) = reader.make(Some(&id), written, None, BTreeMap::new(), inherited, sink) {
            devices.add(&spot, device, sink);
        }
        true
    }

    /// The name of the device in a row.
    fn name(&self, columns: &BTreeMap<&str, &Cell>, spot: &Spot<'_>, sink: &mut Sink) -> Option<DeviceId> {
        let mut values = Values::new();
        for piece in self.template {
            let Piece::Value { name, add } = piece else { continue };
            let Some(cell) = columns.get(name).filter(|cell| !cell.text.is_empty()) else {
                let message = format!("the column `{name}` is empty, which makes the name of the device");
                sink.fault(spot.head_finding(message).hint("write something into it, or remove the row"));
                return None;
            };
            let whole = crate::scalar::int(&cell.text).is_some();
            if *add != 0 && !whole {
                let message = format!("nothing can be added to {}", node(cell, true).what());
                sink.fault(Finding::new(cell.at, spot.path, message).hint("write a whole number"));
                return None;
            }
            let value_type = if *add != 0 { ParameterType::Int } else { ParameterType::String };
            values.insert((*name).into(), Given { text: cell.text.clone(), value_type, at: cell.at });
        }
        name::<DeviceId>(spot, &placeholder::text(self.template, &values), sink)
    }
}

fn is_ignored(column: &str) -> bool {
    column.is_empty() || column.starts_with('#')
}

fn node(cell: &Cell, plain: bool) -> Node {
    let scalar = Scalar { text: cell.text.clone(), plain, secret: false, unread: false };
    Node { at: cell.at, kind: Kind::Scalar(scalar) }
}
