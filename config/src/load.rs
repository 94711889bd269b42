//! Texts in, configuration or faults out.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use twin_core::DeviceId;

use crate::config::{Config, DeviceConfig, Gateway};
use crate::decode::{Sink, Spot};
use crate::fault::{Fault, Faults, Finding};
use crate::node::{Entry, Kind, Node};
use crate::parse::parse;
use crate::path::Path;
use crate::protocol::Protocol;
use crate::resolve::{self, Devices, Secrets, Shop, Tables};
use crate::scalar::cut;
use crate::secret::SecretSource;
use crate::source::{Source, Span};
use crate::suggest::{list, nearest};
use crate::table::{NoTables, TableSource};

/// A configuration that is right, with what in it may not be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What may not be meant, in the order of the files.
    pub warnings: Vec<Fault>,
}

/// Devices from tables; every file may have some.
const TABLES: &str = "devices_from";

/// The keys at the top of a file, below which all files are put together.
const TOP: [&str; 3] = ["gateway", "models", "devices"];

/// A configuration that is right as far as it can be known without its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Its devices; one whose link holds a reference has no link here.
    pub devices: BTreeMap<DeviceId, Arc<DeviceConfig>>,
    /// How many references were left unread.
    pub unread: usize,
    /// What may not be meant, in the order of the files.
    pub warnings: Vec<Fault>,
}

/// Reads texts as one configuration.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    protocols: &'a [Protocol],
    tables: &'a dyn TableSource,
}

impl<'a> Loader<'a> {
    /// A reader of configurations whose devices may name these protocols; it knows no tables.
    #[must_use]
    pub fn new(protocols: &'a [Protocol]) -> Self {
        Self { protocols, tables: &NoTables }
    }

    /// The same, with the tables that `devices_from` may name.
    #[must_use]
    pub fn tables(self, tables: &'a dyn TableSource) -> Self {
        Self { tables, ..self }
    }

    /// Reads the texts; `secrets` reads what stands as `${file:...}` or `${env:...}` in the gateway's settings and in the
    /// links of devices.
    ///
    /// # Errors
    /// [`Faults`] with everything that is wrong in any of them.
    pub fn load(self, sources: &[Source], secrets: &dyn SecretSource) -> Result<Loaded, Faults> {
        let read = self.read(sources, &Secrets::Read(secrets))?;
        match read.gateway {
            Some(gateway) => {
                Ok(Loaded { config: Config { gateway, devices: read.devices }, warnings: read.warnings })
            }
            // Without a gateway there was a fault, so this is not reached.
            None => Err(Faults { faults: Vec::new(), warnings: read.warnings, left_out: 0 }),
        }
    }

    /// As [`load`](Self::load), with every reference left unread and taken for right.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn check(self, sources: &[Source]) -> Result<Checked, Faults> {
        let secrets = Secrets::Left(Cell::new(0));
        let Read { devices, warnings, .. } = self.read(sources, &secrets)?;
        Ok(Checked { devices, unread: secrets.left(), warnings })
    }

    fn read(self, sources: &[Source], secrets: &Secrets<'_>) -> Result<Read, Faults> {
        let mut sink = Sink::default();
        let mut tops = TOP.map(Top::new);
        let mut from_tables = Vec::new();
        for (index, source) in (0u32..).zip(sources) {
            if let Some(root) = parse(index, source, &mut sink) {
                merge(index, &root, &mut tops, &mut from_tables, &mut sink);
            }
        }
        let whole = sink.is_clean();
        let [gateway, models, written] = tops.map(Top::into_entry);
        let gateway = resolve::gateway(&top(&gateway), whole, secrets, &mut sink);
        let models = resolve::models(&top(&models), self.protocols, &mut sink);
        let shop = Shop { models: &models, protocols: self.protocols, secrets };
        let mut devices = Devices::default();
        resolve::devices(&top(&written), shop, &mut devices, &mut sink);
        let mut tables = Tables { texts: sources.iter().map(Cow::Borrowed).collect(), source: self.tables };
        resolve::tables(&from_tables, &mut tables, shop, &mut devices, &mut sink);
        let devices = devices.finish(&top(&written), &mut sink);
        resolve::interlocks(&devices, &mut sink);
        let warnings = sink.into_result(&tables.texts)?;
        Ok(Read { gateway, devices, warnings })
    }
}

/// Reads the texts as one configuration without tables: [`Loader`] in short.
///
/// # Errors
/// [`Faults`] with everything that is wrong in any of them.
pub fn load(
    sources: &[Source],
    protocols: &[Protocol],
    secrets: &dyn SecretSource,
) -> Result<Loaded, Faults> {
    Loader::new(protocols).load(sources, secrets)
}

struct Read {
    /// None where it holds references that were left unread, or is wrong.
    gateway: Option<Gateway>,
    devices: BTreeMap<DeviceId, Arc<DeviceConfig>>,
    warnings: Vec<Fault>,
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
fn merge(index: u32, root: &Node, tops: &mut [Top; 3], tables: &mut Vec<Entry>, sink: &mut Sink) {
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
        if &*entry.key == TABLES {
            tables.push(entry.clone());
            continue;
        }
        let words = || TOP.into_iter().chain([TABLES]);
        let known = words().filter(|word| root.entry(word).is_none());
        let hint = match nearest(&entry.key, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known here: {}", list(words())),
        };
        let message = format!("the key `{}` is not known here", cut(&entry.key));
        let at = Span { source: index, ..entry.key_at };
        sink.fault(Finding::new(at, cut(&entry.key), message).hint(hint));
    }
}
