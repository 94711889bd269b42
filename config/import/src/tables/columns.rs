//! Trees as columns and back: `modbus: {unit: 3}` is `3` in the column `modbus.unit`.

use super::cell::{decode, encode};
use super::is_text;
use crate::read::{Kind, Node};

/// How deep a column may lie.
const MAX_DEPTH: usize = 4;

/// The cells of a map, with their columns.
pub(super) fn flatten(
    entries: &[(String, Node)],
    is_text_too: &dyn Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    for (name, node) in entries {
        add(name, node, 1, is_text_too, &mut cells);
    }
    cells
}

fn add(
    column: &str,
    node: &Node,
    depth: usize,
    is_text_too: &dyn Fn(&str) -> bool,
    cells: &mut Vec<(String, String)>,
) {
    if let Kind::Map(entries) = &node.kind
        && depth < MAX_DEPTH
        && !entries.is_empty()
        && entries.iter().all(|(name, _)| is_word(name))
    {
        for (name, node) in entries {
            add(&format!("{column}.{name}"), node, depth + 1, is_text_too, cells);
        }
        return;
    }
    let text = is_text(column) || is_text_too(column);
    cells.extend(encode(node, text).map(|cell| (column.to_owned(), cell)));
}

/// Whether a key can be a part of the name of a column.
fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Puts the value of a cell where its column says; a fault where something else stands there.
pub(super) fn put(
    entries: &mut Vec<(String, Node)>,
    column: &str,
    cell: &str,
    is_text_too: bool,
) -> Result<(), String> {
    let node = decode(cell, is_text(column) || is_text_too)?;
    let mut map = entries;
    let mut rest = column;
    while let Some((name, below)) = rest.split_once('.') {
        let index = map.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            map.push((name.to_owned(), Node::map_of(Vec::new())));
            map.len() - 1
        });
        let Kind::Map(inner) = &mut map[index].1.kind else {
            return Err(format!(
                "the column `{name}` says something for this row as well; empty one of the two"
            ));
        };
        (map, rest) = (inner, below);
    }
    if rest.is_empty() || map.iter().any(|(known, _)| known == rest) {
        return Err("another column says the same for this row; empty one of the two".to_owned());
    }
    map.push((rest.to_owned(), node));
    Ok(())
}
