//! `$(name)`, `$(name+10)` and `$(name-1)` in the texts of a model, and what is put in their place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parameter::{Parameter, ParameterType};
use crate::decode::{Sink, Spot};
use crate::node::{Entry, Kind, Node, Scalar};
use crate::scalar::cut;
use crate::source::Span;
use crate::suggest::{list, nearest};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Value { name: &'a str, add: i64 },
}

/// The text in its pieces; nothing where a placeholder is none. `$$(` stands for `$(`.
pub(super) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("$(") {
        if let Some(literal) = rest[..begin].strip_suffix('$') {
            pieces.extend([Piece::Text(literal), Piece::Text("$(")]);
            rest = &rest[begin + 2..];
            continue;
        }
        pieces.push(Piece::Text(&rest[..begin]));
        let inside = &rest[begin + 2..];
        let end = inside.find(')')?;
        pieces.push(value(inside[..end].trim())?);
        rest = &inside[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    Some(pieces)
}

fn value(inside: &str) -> Option<Piece<'_>> {
    let (name, add) = match inside.find(['+', '-']) {
        None => (inside, 0),
        Some(sign) => {
            let digits = inside[sign + 1..].trim();
            let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i64>().ok())??;
            (inside[..sign].trim_end(), if inside[sign..].starts_with('-') { -number } else { number })
        }
    };
    is_name(name).then_some(Piece::Value { name, add })
}

/// Whether a parameter may have this name.
pub(super) fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=63).contains(&text.len())
        && text.bytes().all(word)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether there is a placeholder at or below the node.
pub(super) fn is_in(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.text.contains("$("),
        Kind::Seq(items) => items.iter().any(is_in),
        Kind::Map(entries) => entries.iter().any(|entry| is_in(&entry.value)),
    }
}

/// The value of a parameter, and where it is written.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: Arc<str>,
    pub(super) value_type: ParameterType,
    pub(super) at: Span,
}

pub(super) type Values = BTreeMap<Arc<str>, Given>;

/// The node with every placeholder below it left open, so that the decoder passes the value over; a fault at each that
/// is none of the `parameters`.
pub(super) fn leave_open(
    spot: &Spot<'_>,
    parameters: &BTreeMap<Arc<str>, Parameter>,
    sink: &mut Sink,
) -> Node {
    walk(spot, &mut |spot, scalar| {
        let Some(pieces) = pieces(&scalar.text) else {
            let finding = spot.finding("this is not a placeholder of a parameter");
            sink.fault(finding.hint("write $(name) or $(name+10); $$( stands for $( itself"));
            return Scalar { unread: true, ..scalar.clone() };
        };
        for piece in &pieces {
            let Piece::Value { name, add } = piece else { continue };
            match parameters.get(*name) {
                None => {
                    let names = || parameters.keys().map(|name| &**name);
                    let hint = match nearest(name, names()) {
                        Some(name) => format!("did you mean $({name})?"),
                        None if parameters.is_empty() => "write it below `parameters:` of the model".into(),
                        None => format!("the parameters are {}", list(names())),
                    };
                    let message = format!("the model has no parameter `{}`", cut(name));
                    sink.fault(spot.finding(message).hint(hint));
                }
                Some(parameter) if *add != 0 && parameter.value_type != ParameterType::Int => {
                    let message = format!("`{name}` is not a whole number, so nothing can be added to it");
                    sink.fault(spot.finding(message).hint("write `type: int` at the parameter"));
                }
                Some(_) => {}
            }
        }
        if pieces.iter().any(|piece| matches!(piece, Piece::Value { .. })) {
            return Scalar { unread: true, ..scalar.clone() };
        }
        Scalar { text: text(&pieces, &Values::new()).into(), ..scalar.clone() }
    })
}

/// The node with the values in the place of the placeholders; `used` gets the places of both.
pub(super) fn put_in(spot: &Spot<'_>, values: &Values, used: &mut Vec<(Span, Span)>) -> Node {
    walk(spot, &mut |spot, scalar| {
        let pieces = pieces(&scalar.text).unwrap_or_default();
        let given = |piece: &Piece<'_>| match piece {
            Piece::Value { name, .. } => values.get(*name),
            Piece::Text(_) => None,
        };
        used.extend(pieces.iter().filter_map(given).map(|given| (spot.node.at, given.at)));
        let text = text(&pieces, values);
        let plain = match pieces.as_slice() {
            [only @ Piece::Value { .. }] => {
                given(only).is_some_and(|given| given.value_type != ParameterType::String)
            }
            _ => false,
        };
        Scalar { text: text.into(), plain, ..scalar.clone() }
    })
}

/// The text with the values in it.
pub(super) fn text(pieces: &[Piece<'_>], values: &Values) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Value { name, add } => {
                let Some(given) = values.get(*name) else { continue };
                match crate::scalar::int(&given.text) {
                    Some(number) if given.value_type == ParameterType::Int => {
                        text.push_str(&(number.saturating_add(i128::from(*add))).to_string());
                    }
                    Some(_) | None => text.push_str(&given.text),
                }
            }
        }
    }
    text
}

/// The node with every scalar that has a placeholder changed.
fn walk(spot: &Spot<'_>, change: &mut dyn FnMut(&Spot<'_>, &Scalar) -> Scalar) -> Node {
    let kind = match &spot.node.kind {
        Kind::Scalar(scalar) if scalar.text.contains("$(") => Kind::Scalar(change(spot, scalar)),
        Kind::Scalar(_) => return spot.node.clone(),
        Kind::Seq(items) => {
            let mut item = |(index, node)| {
                walk(&Spot { node, head: node.at, path: spot.path.index(index) }, &mut *change)
            };
            Kind::Seq(items.iter().enumerate().map(&mut item).collect())
        }
        Kind::Map(entries) => {
            let mut entry =
                |entry: &Entry| Entry { value: walk(&spot.below(entry), &mut *change), ..entry.clone() };
            Kind::Map(entries.iter().map(&mut entry).collect())
        }
    };
    Node { at: spot.node.at, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn placeholders_are_told_from_other_text() {
        let value = |name, add| Piece::Value { name, add };
        assert_eq!(pieces("$(base)"), Some(vec![value("base", 0)]));
        assert_eq!(
            pieces("a$( base + 10 )b$(c-1)"),
            Some(vec![Piece::Text("a"), value("base", 10), Piece::Text("b"), value("c", -1)])
        );
        assert_eq!(
            pieces("$$(base) $5 ${env:X}"),
            Some(vec![Piece::Text("$("), Piece::Text("base) $5 ${env:X}")])
        );
        for wrong in ["$(", "$()", "$(Base)", "$(a+)", "$(a*2)", "$(a+-1)", "$(a+99999999999999999999)"] {
            assert_eq!(pieces(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in "[$()a-b+0-9 -]{0,20}") {
            let _ = pieces(&text);
        }

        #[test]
        fn a_text_without_placeholders_stays_as_it_is(text in "[${}a-z +:]{0,20}") {
            prop_assert_eq!(super::text(&pieces(&text).unwrap(), &Values::new()), text);
        }
    }
}
