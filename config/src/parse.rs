//! Text to tree, within bounds: length, depth, and how far aliases may multiply.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span as Marks, Tag};

use crate::decode::Sink;
use crate::fault::Finding;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::scalar::cut;
use crate::source::{Source, Span};

/// How deep lists and maps may lie in each other.
pub(crate) const MAX_DEPTH: usize = 64;
/// How many nodes all aliases together may stand for.
pub(crate) const MAX_ALIASED: usize = 1_000_000;

/// Reads one text; nothing where it is empty or no tree can be made of it.
pub(crate) fn parse(index: u32, source: &Source, sink: &mut Sink) -> Option<Node> {
    let start = Span { source: index, start: 0, end: 0 };
    if source.text.len() > Source::MAX_BYTES {
        let message = format!("the file is longer than {} MiB", Source::MAX_BYTES >> 20);
        sink.fault(Finding::new(start, "", message).hint("write it as several files in one folder"));
        return None;
    }
    let options = granit_parser::options! {
        disallow_directives: true,
        flow_nesting_limit: 2 * MAX_DEPTH,
        block_nesting_limit: 2 * MAX_DEPTH,
    };
    let mut tree = Tree {
        index,
        text: &source.text,
        sink,
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(&source.text, options) {
        let step = match event {
            Ok((event, marks)) => tree.take(event, marks),
            Err(error) => Err(tree.syntax(&error)),
        };
        if let Err(finding) = step {
            tree.sink.fault(*finding);
            return None;
        }
    }
    tree.root
}

/// The tree while it grows.
struct Tree<'a> {
    index: u32,
    text: &'a str,
    sink: &'a mut Sink,
    open: Vec<Open>,
    anchors: HashMap<usize, Grown>,
    aliased: usize,
    root: Option<Node>,
}

/// A list or map whose end has not come yet.
struct Open {
    at: Span,
    anchor: usize,
    size: usize,
    height: usize,
    filling: Filling,
}

enum Filling {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashMap<Arc<str>, Span>, key: Option<(Arc<str>, Span)> },
}

/// A finished node with what the bounds need to know of it.
#[derive(Clone)]
struct Grown {
    node: Node,
    size: usize,
    height: usize,
}

type Step = Result<(), Box<Finding>>;

impl Tree<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the parser may grow")]
    fn take(&mut self, event: Event<'_>, marks: Marks) -> Step {
        let at = self.span(marks);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = match self.tag(tag, at) {
                    None => style == ScalarStyle::Plain,
                    Some(()) => false,
                };
                let kind =
                    Kind::Scalar(Scalar { text: text.as_ref().into(), plain, secret: false, unread: false });
                let grown = Grown { node: Node { at, kind }, size: 1, height: 0 };
                self.put(grown, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag, at);
                self.begin(at, anchor, Filling::Seq(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag, at);
                self.begin(at, anchor, Filling::Map { entries: Vec::new(), keys: HashMap::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let kind = match open.filling {
                    Filling::Seq(items) => Kind::Seq(items.into()),
                    Filling::Map { entries, .. } => Kind::Map(entries.into()),
                };
                let end = at.end.max(open.at.end);
                let node = Node { at: Span { end, ..open.at }, kind };
                self.put(Grown { node, size: open.size, height: open.height }, open.anchor)
            }
            Event::Alias(anchor) => {
                let Some(mut grown) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(self.finding(at, "this alias stands inside what it stands for")));
                };
                self.aliased += grown.size;
                if self.aliased > MAX_ALIASED {
                    let message = format!("the aliases stand for more than {MAX_ALIASED} values");
                    return Err(Box::new(self.finding(at, message).hint("put what is common into a model")));
                }
                if self.open.len() + grown.height > MAX_DEPTH {
                    return Err(Box::new(self.too_deep(at)));
                }
                grown.node.at = at;
                self.put(grown, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => Err(Box::new(
                self.finding(at, "a second document begins here")
                    .hint("write each document into a file of its own"),
            )),
            // The other events carry no node.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: Span, anchor: usize, filling: Filling) -> Step {
        if self.open.len() >= MAX_DEPTH {
            return Err(Box::new(self.too_deep(at)));
        }
        self.open.push(Open { at, anchor, size: 1, height: 1, filling });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, grown: Grown, anchor: usize) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, grown.clone());
        }
        if let Some(Open { filling: Filling::Map { key: Some((name, at)), keys, .. }, .. }) = self.open.last()
            && let Some(first) = keys.get(name)
        {
            let finding = self.finding(*at, format!("the key `{}` stands here a second time", cut(name)));
            self.sink.fault(finding.hint("remove one of the two").related(*first, "the first one"));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(grown.node);
            return Ok(());
        };
        open.size = open.size.saturating_add(grown.size);
        open.height = open.height.max(grown.height + 1);
        match &mut open.filling {
            Filling::Seq(items) => items.push(grown.node),
            Filling::Map { entries, keys, key } => match key.take() {
                None => {
                    let Kind::Scalar(scalar) = &grown.node.kind else {
                        let message = "a key must be a word, not a list or a map";
                        return Err(Box::new(Finding::new(grown.node.at, "", message)));
                    };
                    *key = Some((scalar.text.clone(), grown.node.at));
                }
                Some((name, key_at)) => {
                    if let Slot::Vacant(slot) = keys.entry(name.clone()) {
                        slot.insert(key_at);
                        entries.push(Entry { key: name, key_at, value: grown.node });
                    }
                }
            },
        }
        Ok(())
    }

    /// Refuses tags, except `!!str`, which stands for quotes.
    fn tag(&mut self, tag: Option<Cow<'_, Tag>>, at: Span) -> Option<()> {
        let tag = tag?;
        if tag.core_suffix() != Some("str") {
            let finding = self.finding(at, "tags (words that begin with `!`) are not read");
            self.sink.fault(finding.hint("remove the tag"));
        }
        Some(())
    }

    /// A finding at the place that the tree has grown to.
    fn finding(&self, at: Span, message: impl Into<String>) -> Finding {
        let mut path = String::new();
        for open in &self.open {
            match &open.filling {
                Filling::Seq(items) => path.push_str(&format!("[{}]", items.len())),
                Filling::Map { key: Some((key, _)), .. } => {
                    path.push_str(if path.is_empty() { "" } else { "." });
                    path.push_str(&cut(key));
                }
                Filling::Map { key: None, .. } => {}
            }
        }
        Finding::new(at, path, message)
    }

    fn too_deep(&self, at: Span) -> Finding {
        Finding::new(at, "", format!("lists and maps lie more than {MAX_DEPTH} deep in each other"))
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Box<Finding> {
        let mark = error.marker();
        let start = self.byte(mark.byte_offset(), mark.line(), mark.col());
        let line = self.text[..start as usize].rfind('\n').map_or(0, |at| at + 1);
        let lead = self.text[line..].len() - self.text[line..].trim_start_matches([' ', '\t']).len();
        let tab = self.text.get(line..line + lead).is_some_and(|lead| lead.contains('\t'));
        let at = Span { source: self.index, start, end: start + 1 };
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return Box::new(self.too_deep(at));
        }
        let message = format!("this is not YAML: {}", cut_long(&error.info()));
        let hint = if tab {
            "indent with spaces, not with tabs"
        } else {
            "look at the indentation, quotes and brackets here and above"
        };
        Box::new(Finding::new(at, "", message).hint(hint))
    }

    fn span(&self, marks: Marks) -> Span {
        let start = self.byte(marks.start.byte_offset(), marks.start.line(), marks.start.col());
        let end = self.byte(marks.end.byte_offset(), marks.end.line(), marks.end.col());
        Span { source: self.index, start, end: end.max(start) }
    }

    /// The byte of a mark; counted from line and column where the parser does not say it.
    fn byte(&self, offset: Option<usize>, line: usize, column: usize) -> u32 {
        let offset = offset.unwrap_or_else(|| {
            let from = match line.checked_sub(2) {
                None => 0,
                Some(nth) => self.text.match_indices('\n').nth(nth).map_or(self.text.len(), |(at, _)| at + 1),
            };
            self.text[from..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| from + at)
        });
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        u32::try_from(offset).unwrap_or(u32::MAX)
    }
}

fn cut_long(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
