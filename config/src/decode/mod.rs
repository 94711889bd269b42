//! Decodes a piece of the tree into a type, and finds every fault in it, not only the first.
//!
//! A fault is noted, the entry that holds it is taken out, and the piece is read again, until it reads or nothing is
//! left. A "missing key" that only follows from an entry taken out is not reported.

mod access;
mod de;
mod error;
mod fake;

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::DeserializeOwned;

use crate::fault::Finding;
pub(crate) use crate::fault::Findings as Sink;
use crate::node::Node;
use crate::path::Path;
use crate::protocol::CheckFault;
use crate::source::Span;
use de::De;
use error::What;

/// A place in the tree: the node, the key that it stands under, and the path there.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) node: &'a Node,
    pub(crate) head: Span,
    pub(crate) path: Path<'a>,
}

impl<'a> Spot<'a> {
    /// A finding about the value that is written here.
    pub(crate) fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(self.node.at, self.path, message)
    }

    /// A finding about the key: what is under it is not whole.
    pub(crate) fn head_finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(self.head, self.path, message)
    }

    /// The entries below, none where nothing is written; a fault where something else is.
    pub(crate) fn map(&self, sink: &mut Sink) -> &'a [crate::node::Entry] {
        if let Some(entries) = self.node.entries() {
            return entries;
        }
        if !self.node.is_null() {
            let what = self.node.what();
            sink.fault(
                self.finding(format!("a map is wanted here, not {what}"))
                    .hint("write `name: ...` lines below"),
            );
        }
        &[]
    }

    /// The spot under one of the entries here.
    pub(crate) fn below<'b>(&'b self, entry: &'b crate::node::Entry) -> Spot<'b> {
        Spot { node: &entry.value, head: entry.key_at, path: self.path.key(&entry.key) }
    }
}

/// What the pieces of one decoding share.
struct Context<'a> {
    /// What was found so far.
    sink: RefCell<Sink>,
    /// The nodes taken out.
    dropped: RefCell<HashSet<usize>>,
    /// Missing keys that an unknown key was most likely meant to be: the map, and the key.
    meant: RefCell<Vec<(usize, &'static str)>>,
    /// Missing keys that are reported and for which a value is made up: the map, and the key.
    made_up: RefCell<Vec<(usize, &'static str)>>,
    root: usize,
    /// Keys of the root that are read by somebody else.
    held_out: &'a [&'a str],
}

impl Context<'_> {
    /// From here on the keys that were made up count as lost, which takes out the maps that need them.
    fn stop_making_up(&self) {
        self.meant.borrow_mut().append(&mut self.made_up.borrow_mut());
    }
}

/// The most faults that are looked for in one piece: each costs one reading of it.
const MOST_FAULTS: usize = 100;

/// What came of a decoding.
pub(crate) struct Decoded<T> {
    /// The value; made of what was right, where something was wrong.
    pub(crate) value: Option<T>,
    /// Whether nothing was wrong.
    pub(crate) clean: bool,
}

impl<T> Decoded<T> {
    /// The value, if nothing was wrong.
    pub(crate) fn if_clean(self) -> Option<T> {
        self.value.filter(|_| self.clean)
    }
}

/// Decodes what is at `spot`, leaving out the keys `held_out`, and reports every fault.
pub(crate) fn decode<T: DeserializeOwned>(spot: &Spot<'_>, held_out: &[&str], sink: &mut Sink) -> Decoded<T> {
    let context = Context {
        sink: RefCell::default(),
        dropped: RefCell::default(),
        meant: RefCell::default(),
        made_up: RefCell::default(),
        root: spot.node.id(),
        held_out,
    };
    let mut value = None;
    for _ in 0..MOST_FAULTS {
        let de = De::root(spot, &context);
        let fault = match T::deserialize(de).map_err(|error| error.at(&de)) {
            Ok(good) if context.made_up.borrow().is_empty() => {
                value = Some(good);
                break;
            }
            Ok(_) => {
                context.stop_making_up();
                continue;
            }
            Err(error) => error.into_placed(),
        };
        match fault.what {
            What::Follows => {}
            What::MadeUp => {
                context.stop_making_up();
                continue;
            }
            What::Message { message, hint } => {
                let finding = Finding::new(fault.span, &fault.path, message).hint(hint.unwrap_or_default());
                context.sink.borrow_mut().fault(finding);
            }
            What::Missing(field) => {
                let message = format!("the key `{field}` is missing here");
                let finding =
                    Finding::new(fault.span, &fault.path, message).hint(format!("write `{field}: ...`"));
                context.sink.borrow_mut().fault(finding);
                context.made_up.borrow_mut().push((fault.node, field));
                continue;
            }
        }
        let mut dropped = context.dropped.borrow_mut();
        let stuck = fault.node == context.root || !dropped.insert(fault.node);
        if stuck {
            break;
        }
    }
    sink.append(context.sink.take());
    let clean = value.is_some() && context.dropped.borrow().is_empty();
    Decoded { value, clean }
}

/// Reports what a check of a decoded body found, at the key that it names.
pub(crate) fn check_fault(spot: &Spot<'_>, fault: CheckFault, sink: &mut Sink) {
    let mut at = (spot.node, spot.head);
    let mut path = spot.path.to_string();
    let mut whole = true;
    for key in fault.field.split('.').filter(|key| !key.is_empty()) {
        path.push('.');
        path.push_str(key);
        if let Some(entry) = at.0.entry(key) {
            at = (&entry.value, entry.key_at);
            whole = false;
        }
    }
    let span = if whole || at.0.is_null() { at.1 } else { at.0.at };
    sink.fault(Finding::new(span, path, fault.message).hint(fault.hint));
}
