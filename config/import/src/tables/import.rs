//! Tables as a configuration.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use config::Source;

use super::cell::block;
use super::columns::put;
use super::{DEVICES, GATEWAY, MODELS, PARAMETERS, PROPERTIES};
use crate::read::{Kind, Node, Row, Table, Unreadable, table};
use crate::yaml::key;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The file.
    pub file: String,
    /// The row, as a spreadsheet counts it.
    pub row: usize,
    /// The name of the column.
    pub column: String,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: row {}, column {}", self.file, self.row, self.column)
    }
}

/// What is wrong with a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFault {
    /// Where.
    pub cell: Cell,
    /// What, and how to mend it.
    pub message: String,
}

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cell, self.message)
    }
}

/// Why tables are no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Faults {
    /// One of them cannot be read at all.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Cells are wrong: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Cells(Vec<TableFault>),
}

/// A configuration that was read from tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The configuration, to be read by [`config::Loader`].
    pub yaml: String,
    places: HashMap<String, Cell>,
}

impl Whole {
    /// The cell from which comes what stands at a path of keys, as [`config::Fault`] names it.
    #[must_use]
    pub fn cell(&self, path: &str) -> Option<&Cell> {
        let mut path = path;
        loop {
            if let Some(cell) = self.places.get(path) {
                return Some(cell);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// Reads the tables with the names of [`FILES`](super::FILES); what is not there is empty.
///
/// # Errors
/// [`Faults`] with every cell that is wrong in itself. What the values mean is found when the configuration is read;
/// [`Whole::cell`] says then which cell it comes from.
pub fn import(files: &[Source]) -> Result<Whole, Faults> {
    let file = |wanted: &str| {
        files
            .iter()
            .find(|file| file.name.rsplit(['/', '\\']).next() == Some(wanted) && !file.text.trim().is_empty())
    };
    let mut reader = Reader::default();
    for (name, kind) in [
        (MODELS, Owner::Models),
        (PARAMETERS, Owner::Parameters),
        (DEVICES, Owner::Devices),
        (PROPERTIES, Owner::Properties),
    ] {
        let Some(source) = file(name) else { continue };
        let table = table(source)?;
        for row in &table.rows {
            reader.row(source, &table, row, kind);
        }
    }
    if !reader.faults.is_empty() {
        return Err(Faults::Cells(reader.faults));
    }
    let mut yaml = file(GATEWAY)
        .map_or_else(String::new, |source| source.text.trim_start_matches('\u{feff}').to_owned());
    for (name, all) in [("models", reader.models), ("devices", reader.devices)] {
        if all.is_empty() {
            continue;
        }
        if !yaml.is_empty() {
            yaml.push_str(if yaml.ends_with('\n') { "\n" } else { "\n\n" });
        }
        yaml.push_str(&format!("{name}:\n"));
        for (name, entries) in all {
            if entries.is_empty() {
                yaml.push_str(&format!("  {}: {{}}\n", key(&name)));
            } else {
                yaml.push_str(&format!("  {}:\n", key(&name)));
                block(&mut yaml, &entries, 4, 2);
            }
        }
    }
    Ok(Whole { yaml, places: reader.places })
}

/// What a row of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Models,
    Parameters,
    Devices,
    Properties,
}

type Entries = Vec<(String, Node)>;

#[derive(Default)]
struct Reader {
    models: Vec<(String, Entries)>,
    devices: Vec<(String, Entries)>,
    /// Where each of them stands in its list.
    index: HashMap<(List, String), usize>,
    texts: BTreeMap<(String, String), bool>,
    places: HashMap<String, Cell>,
    faults: Vec<TableFault>,
}

/// The two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum List {
    Model,
    Device,
}

impl Reader {
    fn row(&mut self, source: &Source, table: &Table, row: &Row, kind: Owner) {
        let cell =
            |column: &str| Cell { file: source.name.clone(), row: row.number, column: column.to_owned() };
        let named = |column: &str| table.cell(row, column).map(str::to_owned);
        let (first, owner): (&[&str], _) = match kind {
            Owner::Models => (&["model"], self.new_one(List::Model, named("model"), &cell("model"))),
            Owner::Devices => (&["device"], self.new_one(List::Device, named("device"), &cell("device"))),
            Owner::Parameters => {
                let model = self.known(List::Model, named("model"), &cell("model"));
                let below = model.and_then(|model| {
                    self.below(model, "parameters", named("parameter"), &cell("parameter"))
                });
                (&["model", "parameter"], below)
            }
            Owner::Properties => {
                let owner = match (named("model"), named("device")) {
                    (Some(model), None) => self.known(List::Model, Some(model), &cell("model")),
                    (None, Some(device)) => self.known(List::Device, Some(device), &cell("device")),
                    (Some(_), Some(_)) => {
                        self.fault(
                            cell("device"),
                            "a property belongs to a model or to a device; empty one of the two",
                        );
                        None
                    }
                    (None, None) => {
                        self.fault(
                            cell("model"),
                            "the property belongs to no model and to no device: name one",
                        );
                        None
                    }
                };
                let below = owner
                    .and_then(|owner| self.below(owner, "properties", named("property"), &cell("property")));
                (&["model", "device", "property"], below)
            }
        };
        let Some((list, index, path, inner)) = owner else { return };
        let mut entries = Vec::new();
        let model = if kind == Owner::Devices { named("model").unwrap_or_default() } else { String::new() };
        for (column, text) in table.cells(row).filter(|(column, _)| !first.contains(column)) {
            let parameter = column.strip_prefix("with.").map(|name| (model.clone(), name.to_owned()));
            let is_text = parameter.is_some_and(|parameter| self.texts.get(&parameter) == Some(&true));
            self.places.insert(format!("{path}.{column}"), cell(column));
            if let Err(message) = put(&mut entries, column, text, is_text) {
                self.fault(cell(column), message);
            }
        }
        if kind == Owner::Parameters {
            let is_text = entries.iter().any(|(name, node)| name == "type" && node.text() == Some("string"));
            let (name, parameter) =
                (self.list(list)[index].0.clone(), named("parameter").unwrap_or_default());
            self.texts.insert((name, parameter), is_text);
        }
        let target = &mut self.list(list)[index].1;
        match inner {
            None => target.splice(0..0, entries).for_each(drop),
            Some((below, name)) => {
                let at = target.iter().position(|(key, _)| *key == below).unwrap_or_else(|| {
                    target.push((below.clone(), Node::map_of(Vec::new())));
                    target.len() - 1
                });
                if let Kind::Map(all) = &mut target[at].1.kind {
                    all.push((name, Node::map_of(entries)));
                }
            }
        }
    }

    fn list(&mut self, list: List) -> &mut Vec<(String, Entries)> {
        match list {
            List::Model => &mut self.models,
            List::Device => &mut self.devices,
        }
    }

    fn fault(&mut self, cell: Cell, message: impl Into<String>) {
        self.faults.push(TableFault { cell, message: message.into() });
    }

    /// A model or device that this row begins.
    fn new_one(&mut self, list: List, name: Option<String>, cell: &Cell) -> Option<Found> {
        let Some(name) = name else {
            self.fault(cell.clone(), "the name is missing: write one, or remove the row");
            return None;
        };
        let length = self.list(list).len();
        if *self.index.entry((list, name.clone())).or_insert(length) != length {
            self.fault(cell.clone(), format!("`{name}` stands here a second time; remove one of the two"));
            return None;
        }
        let path = format!("{}.{name}", if list == List::Model { "models" } else { "devices" });
        self.places.insert(path.clone(), cell.clone());
        self.list(list).push((name, Vec::new()));
        Some((list, length, path, None))
    }

    /// One that another table begins.
    fn known(&mut self, list: List, name: Option<String>, cell: &Cell) -> Option<Found> {
        let found = name.as_ref().and_then(|name| self.index.get(&(list, name.clone())).copied());
        let Some(index) = found else {
            let (what, file) = if list == List::Model { ("model", MODELS) } else { ("device", DEVICES) };
            let name = name.unwrap_or_default();
            self.fault(cell.clone(), format!("there is no {what} `{name}`; {file} has a row for each"));
            return None;
        };
        let path = format!(
            "{}.{}",
            if list == List::Model { "models" } else { "devices" },
            name.unwrap_or_default()
        );
        Some((list, index, path, None))
    }

    /// A parameter or property of it.
    fn below(&mut self, found: Found, key: &str, name: Option<String>, cell: &Cell) -> Option<Found> {
        let (list, index, path, _) = found;
        let Some(name) = name else {
            self.fault(cell.clone(), "the name is missing: write one, or remove the row");
            return None;
        };
        let path = format!("{path}.{key}.{name}");
        if self.places.insert(path.clone(), cell.clone()).is_some() {
            self.fault(cell.clone(), format!("`{name}` stands here a second time; remove one of the two"));
            return None;
        }
        Some((list, index, path, Some((key.to_owned(), name))))
    }
}

/// Where the cells of a row go: the list, the place in it, the path, and below it the key and the name.
type Found = (List, usize, String, Option<(String, String)>);
