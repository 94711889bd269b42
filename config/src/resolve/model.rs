//! Models: what several devices have in common, with parameters where they differ.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use twin_core::PropertyName;

use super::name;
use super::parameter::{Parameter, parameters};
use super::placeholder::{self, Values};
use super::property::{Property, only_protocol, property};
use super::secrets::{self, Secrets};
use crate::decode::{Sink, Spot, decode};
use crate::node::Entry;
use crate::path::Path;
use crate::protocol::{Body, Protocol};
use crate::source::Span;
use crate::written::device::ModelWritten;

/// What several devices have in common.
pub(crate) struct Model<'a> {
    pub(super) name: Arc<str>,
    pub(super) parameters: BTreeMap<Arc<str>, Parameter>,
    description: Option<String>,
    properties: BTreeMap<PropertyName, Part<'a>>,
    link: Option<(&'a Protocol, &'a Entry, bool)>,
}

/// A property of a model.
enum Part<'a> {
    /// It is the same in every device.
    Same(Property),
    /// It holds placeholders.
    Open(Open<'a>),
    /// It is wrong, which is reported.
    Wrong,
}

/// A property that holds placeholders.
struct Open<'a> {
    entry: &'a Entry,
    protocol: Option<&'static str>,
}

/// What a device has of its model.
#[derive(Default)]
pub(super) struct Inherited<'a> {
    pub(super) description: Option<String>,
    pub(super) properties: BTreeMap<PropertyName, Property>,
    pub(super) link: Option<Link<'a>>,
    /// Something of it is wrong, which is reported.
    pub(super) broken: bool,
}

/// How a device is reached.
pub(super) struct Link<'a> {
    pub(super) protocol: &'a Protocol,
    /// None where it is wrong, or holds references that are left unread.
    pub(super) body: Option<Body>,
    /// It is wrong, which is reported.
    pub(super) wrong: bool,
}

/// Reads all models.
pub(crate) fn models<'a>(
    spot: &Spot<'a>,
    protocols: &'a [Protocol],
    sink: &mut Sink,
) -> BTreeMap<Arc<str>, Model<'a>> {
    let mut models = BTreeMap::new();
    for entry in spot.map(sink) {
        models.insert(entry.key.clone(), model(&spot.below(entry), entry, protocols, sink));
    }
    models
}

fn model<'a>(spot: &Spot<'_>, entry: &'a Entry, protocols: &'a [Protocol], sink: &mut Sink) -> Model<'a> {
    let held_out =
        protocols.iter().map(Protocol::name).chain(["properties", "parameters"]).collect::<Vec<_>>();
    let written = decode::<ModelWritten>(spot, &held_out, sink).value.unwrap_or_default();
    let parameters = parameters(spot, sink);
    if let Some(description) = entry.value.entry("description") {
        placeholder::leave_open(&spot.below(description), &parameters, sink);
    }
    let rule = "a model speaks one protocol only";
    let root = Spot { node: &entry.value, head: entry.key_at, path: Path::root("models") };
    let link = only_protocol(&root, protocols, rule, sink).map(|(protocol, link)| {
        let spot = spot.below(link);
        let before = sink.count();
        let node = placeholder::leave_open(&spot, &parameters, sink);
        let left = Secrets::Left(Cell::new(0));
        let node = secrets::put_in(&Spot { node: &node, ..spot }, &left, sink);
        let _ = (protocol.link.decode)(&Spot { node: &node, ..spot }, sink);
        (protocol, link, sink.count() == before)
    });
    let properties = properties(spot, &entry.value, &parameters, protocols, sink);
    Model { name: entry.key.clone(), parameters, description: written.description, properties, link }
}

fn properties<'a>(
    model: &Spot<'_>,
    node: &'a crate::node::Node,
    parameters: &BTreeMap<Arc<str>, Parameter>,
    protocols: &[Protocol],
    sink: &mut Sink,
) -> BTreeMap<PropertyName, Part<'a>> {
    let mut properties = BTreeMap::new();
    let Some(entry) = node.entry("properties") else { return properties };
    let spot = Spot { node: &entry.value, head: entry.key_at, path: model.path.key(&entry.key) };
    spot.map(sink);
    for entry in entry.value.entries().unwrap_or(&[]) {
        let spot = spot.below(entry);
        let name = name::<PropertyName>(&spot, &entry.key, sink);
        let before = sink.count();
        let part = if placeholder::is_in(&entry.value) {
            // Whatever does not hang on the parameters is found here, once, and not again in every device.
            let node = placeholder::leave_open(&spot, parameters, sink);
            let _ = property(&Spot { node: &node, ..spot }, protocols, sink);
            if sink.count() == before {
                let mut names = protocols.iter().map(Protocol::name);
                let protocol = names.find(|name| entry.value.entry(name).is_some());
                Part::Open(Open { entry, protocol })
            } else {
                Part::Wrong
            }
        } else {
            property(&spot, protocols, sink).map_or(Part::Wrong, Part::Same)
        };
        if let Some(name) = name {
            properties.insert(name, part);
        }
    }
    properties
}

impl<'a> Model<'a> {
    /// What the device at `device` has of this model, with its `values` put in.
    pub(super) fn with(
        &self,
        values: &Values,
        device: Span,
        protocols: &[Protocol],
        secrets: &Secrets<'_>,
        sink: &mut Sink,
    ) -> Inherited<'a> {
        let (models, mut found, mut used) = (Path::root("models"), Sink::default(), Vec::new());
        let model = models.key(&self.name);
        let mut inherited = Inherited { description: self.description(values), ..Inherited::default() };
        let below = model.key("properties");
        for (name, part) in &self.properties {
            let property = match part {
                Part::Same(property) => Some(property.clone()),
                Part::Open(Open { entry, .. }) => {
                    let spot = Spot { node: &entry.value, head: entry.key_at, path: below.key(&entry.key) };
                    let node = placeholder::put_in(&spot, values, &mut used);
                    property(&Spot { node: &node, ..spot }, protocols, &mut found)
                }
                Part::Wrong => None,
            };
            match property {
                Some(property) => drop(inherited.properties.insert(name.clone(), property)),
                None => inherited.broken = true,
            }
        }
        inherited.link = self.link.map(|(protocol, entry, right)| {
            if !right {
                return Link { protocol, body: None, wrong: true };
            }
            let spot = Spot { node: &entry.value, head: entry.key_at, path: model.key(&entry.key) };
            let node = placeholder::put_in(&spot, values, &mut used);
            link(protocol, &Spot { node: &node, ..spot }, secrets, &mut found)
        });
        let holds = |at: Span, inner: Span| {
            at.source == inner.source && at.start <= inner.start && inner.end <= at.end
        };
        found.relate(|at| match used.iter().find(|(placeholder, _)| holds(at, *placeholder)) {
            Some((_, value)) => (*value, "with this value"),
            None => (device, "in this device"),
        });
        sink.append(found);
        inherited
    }

    /// The protocol in which its properties live, when nothing in it says how a device is reached.
    pub(super) fn lives_without_link(&self) -> Option<&'static str> {
        if self.link.is_some() {
            return None;
        }
        self.properties.values().find_map(|part| match part {
            Part::Same(property) => property.protocol.map(|(name, _)| name),
            Part::Open(property) => property.protocol,
            Part::Wrong => None,
        })
    }

    fn description(&self, values: &Values) -> Option<String> {
        let text = self.description.as_ref()?;
        Some(placeholder::pieces(text).map_or_else(String::new, |pieces| placeholder::text(&pieces, values)))
    }
}

/// Reads how a device is reached.
pub(super) fn link<'a>(
    protocol: &'a Protocol,
    spot: &Spot<'_>,
    secrets: &Secrets<'_>,
    sink: &mut Sink,
) -> Link<'a> {
    let left = secrets.left();
    let node = secrets::put_in(spot, secrets, sink);
    let body = (protocol.link.decode)(&Spot { node: &node, ..*spot }, sink);
    let wrong = body.is_none() && secrets.left() == left;
    Link { protocol, body, wrong }
}
