//! Models and devices: a device has the properties of its model and its own, which stand before those of the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use twin_core::{DeviceDefinition, DeviceId, InvalidId, PropertyName};

use super::property::{Property, only_protocol, property};
use super::secrets::put_in;
use crate::config::DeviceConfig;
use crate::decode::{Sink, Spot, decode};
use crate::protocol::Protocol;
use crate::secret::SecretSource;
use crate::source::Span;
use crate::suggest::{list, nearest};
use crate::written::device::{DeviceWritten, ModelWritten};

/// What several devices have in common.
pub(crate) struct Model {
    description: Option<String>,
    properties: BTreeMap<PropertyName, Property>,
}

/// Reads all models.
pub(crate) fn models(spot: &Spot<'_>, protocols: &[Protocol], sink: &mut Sink) -> BTreeMap<Arc<str>, Model> {
    let mut models = BTreeMap::new();
    for entry in spot.map(sink) {
        let spot = spot.below(entry);
        let written = decode::<ModelWritten>(&spot, &["properties"], sink).value.unwrap_or_default();
        let properties = properties(&spot, protocols, sink);
        models.insert(entry.key.clone(), Model { description: written.description, properties });
    }
    models
}

/// Reads all devices.
pub(crate) fn devices(
    spot: &Spot<'_>,
    models: &BTreeMap<Arc<str>, Model>,
    protocols: &[Protocol],
    secrets: &dyn SecretSource,
    sink: &mut Sink,
) -> BTreeMap<DeviceId, Arc<DeviceConfig>> {
    let mut devices = BTreeMap::new();
    let mut places = BTreeMap::<DeviceId, Span>::new();
    let entries = spot.map(sink);
    if entries.is_empty() {
        sink.warning(
            spot.head_finding("there are no devices").hint("write `devices:` and below it their names"),
        );
    }
    for entry in entries {
        let spot = spot.below(entry);
        let id = name::<DeviceId>(&spot, &entry.key, sink);
        if let Some(first) = id.as_ref().and_then(|id| places.get(id)) {
            let message = "this device stands here a second time";
            sink.fault(
                spot.head_finding(message).hint("remove one of the two").related(*first, "the first one"),
            );
        }
        if let Some(id) = &id {
            places.entry(id.clone()).or_insert(entry.key_at);
        }
        let device = Reader { spot, models, protocols, secrets }.read(id.as_ref(), sink);
        if let (Some(id), Some(device)) = (id, device) {
            devices.entry(id).or_insert_with(|| Arc::new(device));
        }
    }
    devices
}

/// A key that must be a name; a fault where it is none.
fn name<T: std::str::FromStr<Err = InvalidId>>(spot: &Spot<'_>, key: &str, sink: &mut Sink) -> Option<T> {
    key.parse::<T>()
        .map_err(|error| {
            let message = format!("`{}` is not a {}", crate::scalar::cut(&error.text), error.what);
            sink.fault(spot.head_finding(message).hint(error.rule));
        })
        .ok()
}

/// The properties written under a model or device.
fn properties(spot: &Spot<'_>, protocols: &[Protocol], sink: &mut Sink) -> BTreeMap<PropertyName, Property> {
    let Some(entry) = spot.node.entry("properties") else { return BTreeMap::new() };
    let spot = spot.below(entry);
    let mut properties = BTreeMap::new();
    for entry in spot.map(sink) {
        let spot = spot.below(entry);
        let name = name::<PropertyName>(&spot, &entry.key, sink);
        let property = property(&spot, protocols, sink);
        if let (Some(name), Some(property)) = (name, property) {
            properties.insert(name, property);
        }
    }
    properties
}

struct Reader<'a> {
    spot: Spot<'a>,
    models: &'a BTreeMap<Arc<str>, Model>,
    protocols: &'a [Protocol],
    secrets: &'a dyn SecretSource,
}

impl Reader<'_> {
    fn read(&self, id: Option<&DeviceId>, sink: &mut Sink) -> Option<DeviceConfig> {
        let held_out = self.protocols.iter().map(Protocol::name).chain(["properties"]).collect::<Vec<_>>();
        let written = decode::<DeviceWritten>(&self.spot, &held_out, sink).value.unwrap_or_default();
        let found = only_protocol(&self.spot, self.protocols, "a device speaks one protocol only", sink);
        let link = found.map(|(protocol, entry)| {
            let spot = self.spot.below(entry);
            let node = put_in(&spot, self.secrets, sink);
            (protocol.link.decode)(&Spot { node: &node, ..spot }, sink)
        });
        let protocol = found.map(|(protocol, _)| protocol.name());
        let own = properties(&self.spot, self.protocols, sink);
        let model = written.model.as_deref().and_then(|name| self.model(name, sink));

        let mut all = BTreeMap::new();
        if let Some(model) = model {
            let inherited = model.properties.iter().filter(|(name, _)| !own.contains_key(*name));
            self.check_inherited(inherited.clone(), protocol, sink);
            all.extend(inherited.map(|(name, property)| (name.clone(), property.config.clone())));
        }
        for (name, property) in &own {
            self.check_own(name, property, protocol, sink);
            all.insert(name.clone(), property.config.clone());
        }
        if all.is_empty() {
            let finding = self.spot.head_finding("this device has no properties");
            sink.warning(finding.hint("write `model: NAME`, or `properties:` and below it their names"));
        }
        let link = match link {
            Some(None) => return None,
            Some(Some(link)) => Some(link),
            None => None,
        };
        let definition = DeviceDefinition {
            protocol: protocol.unwrap_or_default().to_owned(),
            model: written.model,
            description: written.description.or_else(|| model?.description.clone()),
            labels: written.labels,
            properties: all.iter().map(|(name, config)| (name.clone(), config.definition.clone())).collect(),
        };
        let protocol = protocol.map(str::to_owned);
        Some(DeviceConfig { id: id?.clone(), definition, protocol, link, properties: all })
    }

    fn model(&self, name: &str, sink: &mut Sink) -> Option<&Model> {
        let model = self.models.get(name);
        if model.is_none() {
            let names = || self.models.keys().map(|name| &**name);
            let hint = match nearest(name, names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None if self.models.is_empty() => "no models are written; write them below `models:`".into(),
                None => format!("the models are {}", list(names().take(10))),
            };
            let message = format!("there is no model `{}`", crate::scalar::cut(name));
            sink.fault(self.finding_at_model(message).hint(hint));
        }
        model
    }

    fn finding_at_model(&self, message: String) -> crate::fault::Finding {
        match self.spot.node.entry("model") {
            Some(entry) => self.spot.below(entry).finding(message),
            None => self.spot.head_finding(message),
        }
    }

    /// What comes from the model must live where the device can be reached; the first that does not is reported.
    fn check_inherited<'p>(
        &self,
        mut properties: impl Iterator<Item = (&'p PropertyName, &'p Property)>,
        protocol: Option<&str>,
        sink: &mut Sink,
    ) {
        let wrong = properties.find(|(_, property)| property.protocol.map(|(name, _)| name) != protocol);
        let Some((name, property)) = wrong else { return };
        let finding = match (property.protocol, protocol) {
            (Some((lives, at)), Some(speaks)) => self
                .finding_at_model(format!(
                    "`{name}` of the model lives in `{lives}`, but this device speaks `{speaks}`"
                ))
                .hint("take another model, or write the property here as well")
                .related(at, "the model says so here"),
            (Some((lives, at)), None) => self
                .spot
                .head_finding(format!(
                    "nothing says how this device is reached, but `{name}` lives in `{lives}`"
                ))
                .hint(format!("write `{lives}: ...` into the device"))
                .related(at, "the model says so here"),
            (None, Some(speaks)) => self
                .finding_at_model(format!("nothing says where `{name}` of the model lives in the device"))
                .hint(format!("write `{speaks}: ...` into the property"))
                .related(property.at, "the property"),
            (None, None) => return,
        };
        sink.fault(finding);
    }

    fn check_own(&self, name: &PropertyName, property: &Property, protocol: Option<&str>, sink: &mut Sink) {
        let path = format!("{}.properties.{name}", self.spot.path);
        let finding = |at, message| crate::fault::Finding::new(at, &path, message);
        let finding = match (property.protocol, protocol) {
            (Some((lives, at)), Some(speaks)) if lives != speaks => {
                finding(at, format!("this property lives in `{lives}`, but the device speaks `{speaks}`"))
                    .hint(format!("write `{speaks}: ...`"))
            }
            (Some((lives, at)), None) => finding(at, "nothing says how the device is reached".to_owned())
                .hint(format!("write `{lives}: ...` into the device")),
            (None, Some(speaks)) => {
                finding(property.at, "nothing says where this property lives in the device".to_owned())
                    .hint(format!("write `{speaks}: ...` into the property"))
            }
            (Some(_), Some(_)) | (None, None) => return,
        };
        sink.fault(finding);
    }
}
