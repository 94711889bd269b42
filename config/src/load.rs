//! Texts in, configuration or faults out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::decode::{Sink, Spot};
use crate::fault::{Fault, Faults, Finding};
use crate::node::{Entry, Kind, Node};
use crate::parse::parse;
use crate::path::Path;
use crate::protocol::Protocol;
use crate::resolve;
use crate::scalar::cut;
use crate::secret::SecretSource;
use crate::source::{Source, Span};
use crate::suggest::{list, nearest};

/// A configuration that is right, with what in it may not be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What may not be meant, in the order of the files.
    pub warnings: Vec<Fault>,
}

/// The keys at the top of a file.
const TOP: [&str; 3] = ["gateway", "models", "devices"];

/// Reads the texts as one configuration. `protocols` are those that devices may name; `secrets` reads what stands as
/// `${file:...}` or `${env:...}` in the gateway's settings and in the links of devices.
///
/// # Errors
/// [`Faults`] with everything that is wrong in any of them.
pub fn load(
    sources: &[Source],
    protocols: &[Protocol],
    secrets: &dyn SecretSource,
) -> Result<Loaded, Faults> {
    let mut sink = Sink::default();
    let mut tops = TOP.map(Top::new);
    for (index, source) in (0u32..).zip(sources) {
        if let Some(root) = parse(index, source, &mut sink) {
            merge(index, &root, &mut tops, &mut sink);
        }
    }
    let whole = sink.is_clean();
    let [gateway, models, devices] = tops.map(Top::into_entry);
    let gateway = resolve::gateway(&top(&gateway), whole, secrets, &mut sink);
    let models = resolve::models(&top(&models), protocols, &mut sink);
    let devices = resolve::devices(&top(&devices), &models, protocols, secrets, &mut sink);
    let warnings = sink.into_result(sources)?;
    match gateway {
        Some(gateway) => Ok(Loaded { config: Config { gateway, devices }, warnings }),
        // Without a gateway there was a fault, so this is not reached.
        None => Err(Faults { faults: Vec::new(), warnings, left_out: 0 }),
    }
}

fn top(entry: &Entry) -> Spot<'_> {
    Spot { node: &entry.value, head: entry.key_at, path: Path::root(&entry.key) }
}

/// What stands under one of the top keys, in all files together.
struct Top {
    name: &'static str,
    at: Option<Span>,
    entries: Vec<Entry>,
    places: HashMap<Arc<str>, Span>,
}

impl Top {
    fn new(name: &'static str) -> Self {
        Self { name, at: None, entries: Vec::new(), places: HashMap::new() }
    }

    fn into_entry(self) -> Entry {
        let at = self.at.unwrap_or_default();
        Entry { key: self.name.into(), key_at: at, value: Node { at, kind: Kind::Map(self.entries.into()) } }
    }

    fn add(&mut self, entry: &Entry, sink: &mut Sink) {
        self.at.get_or_insert(entry.key_at);
        let spot = top(entry);
        for below in spot.map(sink) {
            if let Some(first) = self.places.get(&below.key) {
                let message = format!("`{}` is set in another file as well", cut(&below.key));
                let finding = Finding::new(below.key_at, spot.path.key(&below.key), message);
                sink.fault(finding.hint("remove one of the two").related(*first, "the other one"));
            } else {
                self.places.insert(below.key.clone(), below.key_at);
                self.entries.push(below.clone());
            }
        }
    }
}

/// Sorts what stands at the top of one file.
fn merge(index: u32, root: &Node, tops: &mut [Top; 3], sink: &mut Sink) {
    if root.is_null() {
        return;
    }
    let Some(entries) = root.entries() else {
        let at = Span { end: root.at.start + 1, ..root.at };
        let message = format!("a map is wanted here, not {}", root.what());
        sink.fault(Finding::new(at, "", message).hint(format!("begin with {}", list(TOP.map(|key| key)))));
        return;
    };
    for entry in entries {
        if let Some(top) = tops.iter_mut().find(|top| top.name == &*entry.key) {
            top.add(entry, sink);
            continue;
        }
        let known = TOP.into_iter().filter(|word| root.entry(word).is_none());
        let hint = match nearest(&entry.key, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known here: {}", list(TOP)),
        };
        let message = format!("the key `{}` is not known here", cut(&entry.key));
        let at = Span { source: index, ..entry.key_at };
        sink.fault(Finding::new(at, cut(&entry.key), message).hint(hint));
    }
}
