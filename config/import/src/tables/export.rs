//! A configuration as tables.

use config::{Source, TableSource};

use super::cell::block;
use super::columns::flatten;
use super::from_table::{Parameters, devices};
use super::{DEVICES, GATEWAY, MODELS, PARAMETERS, PROPERTIES};
use crate::read::{Node, Unreadable, yaml};

/// The columns that come first, so that people find them.
const FIRST: [&str; 12] = [
    "model",
    "device",
    "property",
    "parameter",
    "type",
    "access",
    "unit",
    "range",
    "description",
    "default",
    "every",
    "report.deadband",
];

/// Writes a configuration, which must be a right one, as files with the names of [`FILES`](super::FILES). `tables` are
/// those that `devices_from` names; their rows become devices like the others.
///
/// # Errors
/// [`Unreadable`] when a text or table cannot be read at all.
pub fn export(sources: &[Source], tables: &dyn TableSource) -> Result<Vec<Source>, Unreadable> {
    let mut parts = Parts::default();
    for source in sources {
        for document in yaml(source)? {
            for (key, node) in document.entries().unwrap_or(&[]) {
                parts.take(key, node, source);
            }
        }
    }
    let parameters = parts.parameters();
    for (node, source) in std::mem::take(&mut parts.from) {
        parts.devices.extend(devices(&node, source, tables, &parameters)?);
    }
    let mut gateway = String::new();
    if !parts.gateway.is_empty() {
        gateway.push_str("gateway:\n");
        block(&mut gateway, &parts.gateway, 2, 3);
    }
    let text = |name: &str, text: String| Source::new(name, text);
    Ok(vec![
        text(GATEWAY, gateway),
        text(
            MODELS,
            rows(
                "model",
                parts.models.iter().map(|(name, model)| {
                    (vec![name.clone()], without(model, &["properties", "parameters"]), None)
                }),
                &parameters,
            ),
        ),
        text(PARAMETERS, parts.parameter_rows(&parameters)),
        text(
            DEVICES,
            rows(
                "device",
                parts.devices.iter().map(|(name, device)| {
                    let model = device.get("model").and_then(Node::text).map(str::to_owned);
                    (vec![name.clone()], without(device, &["properties"]), model)
                }),
                &parameters,
            ),
        ),
        text(PROPERTIES, parts.property_rows(&parameters)),
    ])
}

/// What stands at the top of all files together.
#[derive(Default)]
struct Parts<'a> {
    gateway: Vec<(String, Node)>,
    models: Vec<(String, Node)>,
    devices: Vec<(String, Node)>,
    from: Vec<(Node, &'a Source)>,
}

/// The names in the first columns, the rest, and the model that says which parameters are texts.
type Line = (Vec<String>, Vec<(String, Node)>, Option<String>);

impl<'a> Parts<'a> {
    fn take(&mut self, key: &str, node: &Node, source: &'a Source) {
        let entries = || node.entries().unwrap_or(&[]).iter().cloned();
        match key {
            "gateway" => self.gateway.extend(entries()),
            "models" => self.models.extend(entries()),
            "devices" => self.devices.extend(entries()),
            "devices_from" if !node.is_null() => {
                let all = node.items().unwrap_or(std::slice::from_ref(node));
                self.from.extend(all.iter().map(|node| (node.clone(), source)));
            }
            _ => {}
        }
    }

    fn parameters(&self) -> Parameters {
        let of = |model: &Node| {
            let all = model.get("parameters").and_then(Node::entries).unwrap_or(&[]);
            let kind = |node: &Node| node.get("type").and_then(Node::text).unwrap_or_default().to_owned();
            all.iter().map(|(name, node)| (name.clone(), kind(node))).collect()
        };
        self.models.iter().map(|(name, model)| (name.clone(), of(model))).collect()
    }

    fn parameter_rows(&self, parameters: &Parameters) -> String {
        let all = self.models.iter().flat_map(|(model, node)| {
            let below = node.get("parameters").and_then(Node::entries).unwrap_or(&[]).iter();
            below.map(|(name, node)| (vec![model.clone(), name.clone()], without(node, &[]), None))
        });
        rows("model,parameter", all, parameters)
    }

    fn property_rows(&self, parameters: &Parameters) -> String {
        let of = |owner: &'static str, name: String, node: &Node| {
            let below = node.get("properties").and_then(Node::entries).unwrap_or(&[]).to_vec();
            below.into_iter().map(move |(property, node)| {
                let (model, device) = if owner == "model" {
                    (name.clone(), String::new())
                } else {
                    (String::new(), name.clone())
                };
                (vec![model, device, property], without(&node, &[]), None)
            })
        };
        let models = self.models.iter().flat_map(|(name, node)| of("model", name.clone(), node));
        let devices = self.devices.iter().flat_map(|(name, node)| of("device", name.clone(), node));
        rows("model,device,property", models.chain(devices), parameters)
    }
}

fn without(node: &Node, keys: &[&str]) -> Vec<(String, Node)> {
    let entries = node.entries().unwrap_or(&[]).iter();
    entries.filter(|(name, _)| !keys.contains(&name.as_str())).cloned().collect()
}

/// A table with these first columns; as CSV with a byte order mark, without which spreadsheets take it for another code.
fn rows(first: &str, lines: impl Iterator<Item = Line>, parameters: &Parameters) -> String {
    let first: Vec<&str> = first.split(',').collect();
    let mut columns: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for (names, entries, model) in lines {
        let known = model.as_ref().and_then(|model| parameters.get(model));
        let is_text = |column: &str| {
            let parameter = column.strip_prefix("with.").and_then(|name| known?.get(name));
            parameter.is_some_and(|kind| kind == "string")
        };
        let cells = flatten(&entries, &is_text);
        for (column, _) in &cells {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        rows.push((names, cells));
    }
    columns.sort_by_key(|column| {
        (FIRST.iter().position(|name| name == column).unwrap_or(FIRST.len()), column.clone())
    });
    let mut out = String::from("\u{feff}");
    let header: Vec<&str> = first.iter().copied().chain(columns.iter().map(String::as_str)).collect();
    line(&mut out, header.into_iter());
    for (names, cells) in rows {
        let cells: std::collections::HashMap<&str, &str> =
            cells.iter().map(|(column, cell)| (column.as_str(), cell.as_str())).collect();
        let cell = |column: &String| cells.get(column.as_str()).copied().unwrap_or("");
        line(&mut out, names.iter().map(String::as_str).chain(columns.iter().map(cell)));
    }
    out
}

/// One line of a table. (RFC 4180, 2)
fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', ';', '\t', '"', '\r', '\n']) || cell.trim() != cell {
            out.push_str(&format!("\"{}\"", cell.replace('"', "\"\"")));
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}
