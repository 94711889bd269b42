//! YAML as trees, one a document, within bounds of length, depth and of what aliases stand for.

use std::collections::HashMap;

use config::Source;
use granit_parser::{Event, Parser, ScalarStyle};

use super::{Kind, Node, Scalar, Unreadable, bounded};

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 64;
/// How many values all aliases together may stand for.
const MAX_ALIASED: usize = 100_000;

/// Reads the documents of a YAML file.
pub(crate) fn yaml(source: &Source) -> Result<Vec<Node>, Unreadable> {
    let text = bounded(source)?;
    let options = granit_parser::options! {
        flow_nesting_limit: 2 * MAX_DEPTH,
        block_nesting_limit: 2 * MAX_DEPTH,
    };
    let mut reader = Reader::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, marks)) => reader.take(event, marks.start.line()),
            Err(error) => Err(format!("it is not YAML, line {}: {}", error.marker().line(), error.info())),
        };
        step.map_err(|why| Unreadable::new(source, why))?;
    }
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<(Node, usize, Option<String>)>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

impl Reader {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the parser may grow")]
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let kind = Kind::Scalar(Scalar { text: text.into_owned(), plain });
                self.put(Node { line, kind }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Kind::Seq(Vec::new()), anchor, line),
            Event::MappingStart(_, anchor, _) => self.begin(Kind::Map(Vec::new()), anchor, line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((node, anchor, _)) => self.put(node, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(format!("line {line}: an alias stands inside what it stands for"));
                };
                self.aliased += size(&node);
                if self.aliased > MAX_ALIASED || self.open.len() + depth(&node) > MAX_DEPTH {
                    return Err(format!("line {line}: the aliases stand for too much"));
                }
                self.put(node, 0)
            }
            // A document that ends begins anew with its anchors.
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, kind: Kind, anchor: usize, line: usize) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("line {line}: lists and maps lie more than {MAX_DEPTH} deep"));
        }
        self.open.push((Node { line, kind }, anchor, None));
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some((parent, _, key)) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut parent.kind, key.take()) {
            (Kind::Seq(items), _) => items.push(node),
            (Kind::Map(entries), Some(name)) => entries.push((name, node)),
            (Kind::Map(_), None) => {
                let Kind::Scalar(scalar) = node.kind else {
                    return Err(format!("line {}: a key must be a word", node.line));
                };
                *key = Some(scalar.text);
            }
            (Kind::Scalar(_), _) => {}
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::Seq(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, node)| size(node)).sum::<usize>(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::Seq(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, node)| depth(node)).max().unwrap_or(0),
    }
}
