//! The devices of a `devices_from`, written out one by one.

use std::collections::BTreeMap;

use config::{Source, TableSource};

use crate::read::{Node, Row, Table, Unreadable, table};

/// The parameters of models: their types by model and name.
pub(super) type Parameters = BTreeMap<String, BTreeMap<String, String>>;

/// The devices by name. What is wrong with the table was found when the configuration was checked.
pub(super) fn devices(
    node: &Node,
    named_in: &Source,
    tables: &dyn TableSource,
    parameters: &Parameters,
) -> Result<Vec<(String, Node)>, Unreadable> {
    let words = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
    let (name, bytes) =
        tables.read(words("file"), &named_in.name).map_err(|why| Unreadable::new(named_in, why))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Unreadable::new(named_in, format!("{name} is not UTF-8")))?;
    let source = Source::new(name, text);
    let table = table(&source)?;
    let model = words("model");
    let none = BTreeMap::new();
    let parameters = parameters.get(model).unwrap_or(&none);
    let template = if words("name").is_empty() { "$(name)" } else { words("name") };
    let mut devices = Vec::new();
    for row in &table.rows {
        devices.push((filled(template, &table, row), device(node, &table, row, model, parameters)));
    }
    Ok(devices)
}

fn device(node: &Node, table: &Table, row: &Row, model: &str, parameters: &BTreeMap<String, String>) -> Node {
    let mut entries = vec![("model".to_owned(), Node::text_of(model))];
    if let Some(description) = table.cell(row, "description") {
        entries.push(("description".to_owned(), Node::text_of(description)));
    }
    let common = |key: &str| node.get(key).and_then(Node::entries).unwrap_or(&[]).to_vec();
    let mut labels = common("labels");
    for (column, cell) in table.cells(row) {
        if let Some(label) = column.strip_prefix("labels.") {
            labels.retain(|(name, _)| name != label);
            labels.push((label.to_owned(), Node::text_of(cell.trim())));
        }
    }
    let mut with = Vec::new();
    for (parameter, kind) in parameters {
        let cell = table.cells(row).find(|(column, _)| column == parameter).map(|(_, cell)| cell.trim());
        let value = match cell {
            Some(cell) if kind == "string" => Some(Node::text_of(cell)),
            Some(cell) => Some(Node::plain(cell)),
            None => common("with").into_iter().find(|(name, _)| name == parameter).map(|(_, node)| node),
        };
        with.extend(value.map(|value| (parameter.clone(), value)));
    }
    for (name, below) in [("labels", labels), ("with", with)] {
        if !below.is_empty() {
            entries.push((name.to_owned(), Node::map_of(below)));
        }
    }
    Node::map_of(entries)
}

/// The template with `$(column)`, `$(column+1)` and `$(column-1)` filled in; `$$(` stands for `$(`.
fn filled(template: &str, table: &Table, row: &Row) -> String {
    let mut name = String::new();
    let mut rest = template;
    while let Some(begin) = rest.find("$(") {
        if let Some(literal) = rest[..begin].strip_suffix('$') {
            name.push_str(literal);
            name.push_str("$(");
            rest = &rest[begin + 2..];
            continue;
        }
        name.push_str(&rest[..begin]);
        let inside = &rest[begin + 2..];
        let end = inside.find(')').unwrap_or(inside.len());
        let (column, add) = match inside[..end].find(['+', '-']) {
            Some(sign) => (&inside[..sign], inside[sign..end].replace(' ', "").parse::<i128>().unwrap_or(0)),
            None => (&inside[..end], 0),
        };
        let column = column.trim();
        let cell = table.cells(row).find(|(name, _)| *name == column).map_or("", |(_, cell)| cell.trim());
        match cell.parse::<i128>() {
            Ok(number) if add != 0 => name.push_str(&(number + add).to_string()),
            Ok(_) | Err(_) => name.push_str(cell),
        }
        rest = inside.get(end + 1..).unwrap_or("");
    }
    name.push_str(rest);
    name
}
