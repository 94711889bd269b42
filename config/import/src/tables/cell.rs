//! What a cell holds: a bare text or number; in quotes where it would be read as something else; lists and maps as YAML
//! has them between brackets.

use config::Source;

use crate::read::{Kind, Node, Scalar, is_null, yaml};
use crate::yaml::{Flow, key, quoted, text};

/// The cell for a value; nothing where that is nothing and the column says no more than that.
pub(super) fn encode(node: &Node, is_text: bool) -> Option<String> {
    let Kind::Scalar(scalar) = &node.kind else { return Some(flow(node)) };
    if node.is_null() {
        return (!is_text).then(|| "null".to_owned());
    }
    let meant = !scalar.plain && !is_text && is_other(&scalar.text);
    let number = scalar.plain && is_other(&scalar.text);
    let bare = !meant && (number || is_bare(&scalar.text));
    Some(if bare { scalar.text.clone() } else { quoted(&scalar.text) })
}

/// The value of a cell that is not empty.
pub(super) fn decode(cell: &str, is_text: bool) -> Result<Node, String> {
    let trimmed = cell.trim();
    if trimmed.starts_with('"') || (!is_text && trimmed.starts_with(['[', '{'])) {
        let source = Source::new("", trimmed);
        let node = yaml(&source).map_err(|error| format!("this cannot be read: {}", error.why))?;
        let [node] = node.as_slice() else {
            return Err("this cannot be read: it is not one value".to_owned());
        };
        return Ok(node.clone());
    }
    Ok(if is_text || !is_other(trimmed) { Node::text_of(trimmed) } else { Node::plain(trimmed) })
}

/// Whether a text can stand in a cell as it is, and neither a spreadsheet nor we make something else of it.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.starts_with(['"', '[', '{', '=', '+', '-', '@', '\u{feff}'])
        && !text.chars().any(char::is_control)
}

/// Whether a text without quotes would be read as a number, a bool or nothing.
pub(super) fn is_other(text: &str) -> bool {
    let number = text.trim_start_matches(['+', '-']);
    is_null(text)
        || matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        || matches!(number.to_ascii_lowercase().as_str(), ".inf" | ".nan")
        || number.starts_with("0x")
        || number.starts_with("0o")
        || (number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && number.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)))
}

/// A scalar as YAML.
pub(super) fn scalar_yaml(scalar: &Scalar) -> String {
    if scalar.plain && is_null(&scalar.text) {
        return "null".to_owned();
    }
    if scalar.plain && is_other(&scalar.text) { scalar.text.clone() } else { text(&scalar.text) }
}

/// A value on one line.
pub(super) fn flow(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => scalar_yaml(scalar),
        Kind::Seq(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Kind::Map(entries) => {
            let mut map = Flow::default();
            for (name, node) in entries {
                map.add(&key(name), flow(node));
            }
            map.to_string()
        }
    }
}

/// A map over several lines; what lies deeper than `depth` stands on one.
pub(super) fn block(out: &mut String, entries: &[(String, Node)], indent: usize, depth: usize) {
    for (name, node) in entries {
        match node.entries() {
            Some(below) if depth > 0 && !below.is_empty() => {
                out.push_str(&format!("{:indent$}{}:\n", "", key(name)));
                block(out, below, indent + 2, depth - 1);
            }
            Some(_) | None => out.push_str(&format!("{:indent$}{}: {}\n", "", key(name), flow(node))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(node: &Node, is_text: bool) -> Node {
        decode(&encode(node, is_text).unwrap(), is_text).unwrap()
    }

    #[test]
    fn numbers_stay_numbers_and_texts_stay_texts() {
        for number in ["0", "-5", "+5", "0x1f", "1e3", ".5", ".inf", "true"] {
            assert_eq!(encode(&Node::plain(number), false).as_deref(), Some(number));
            assert_eq!(again(&Node::plain(number), false), Node::plain(number));
            assert_eq!(again(&Node::text_of(number), false).text(), Some(number));
            assert!(matches!(again(&Node::text_of(number), false).kind, Kind::Scalar(s) if !s.plain));
        }
        assert_eq!(encode(&Node::text_of("007"), true).as_deref(), Some("007"));
        assert_eq!(encode(&Node::text_of("=1+1"), true).as_deref(), Some("\"=1+1\""));
        assert_eq!(encode(&Node::text_of(""), true).as_deref(), Some("\"\""));
        assert_eq!(encode(&Node::plain(""), true), None);
    }

    #[test]
    fn a_cell_that_is_no_value_is_refused() {
        for wrong in ["[1, 2", "{a", "\"open", "[1] [2]"] {
            assert!(decode(wrong, false).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_text_survives_its_cell(text in "\\PC{0,20}|[\"\\[{=+@0-9.x\\n -]{0,6}", is_text: bool) {
            let node = Node::text_of(&*text);
            let back = again(&node, is_text);
            let Kind::Scalar(scalar) = back.kind else { panic!("{text:?} became a list or map") };
            prop_assert_eq!(&scalar.text, &text);
            prop_assert!(!scalar.plain);
        }

        #[test]
        fn no_cell_panics(cell in "\\PC{0,30}|[\\[\\]{}\",: a0&*!]{0,20}") {
            let _ = decode(&cell, false);
        }
    }
}
