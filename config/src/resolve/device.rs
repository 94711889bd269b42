//! Devices: a device has the properties of its model and its own, which stand before those of the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use twin_core::{DeviceDefinition, DeviceId, PropertyName};

use super::model::{Inherited, Link, Model, link};
use super::name;
use super::parameter::{unknown, with_defaults};
use super::placeholder::Values;
use super::property::{Property, only_protocol, property};
use super::secrets::Secrets;
use super::shares::Shares;
use crate::config::DeviceConfig;
use crate::decode::{Sink, Spot, decode};
use crate::protocol::Protocol;
use crate::source::Span;
use crate::suggest::{list, nearest};
use crate::written::device::DeviceWritten;

/// What devices are made with.
#[derive(Clone, Copy)]
pub(crate) struct Shop<'a> {
    pub(crate) models: &'a BTreeMap<Arc<str>, Model<'a>>,
    pub(crate) protocols: &'a [Protocol],
    pub(crate) secrets: &'a Secrets<'a>,
}

/// The devices as they are found, each under one name.
#[derive(Default)]
pub(crate) struct Devices {
    found: BTreeMap<DeviceId, Arc<DeviceConfig>>,
    places: BTreeMap<DeviceId, Span>,
    shares: Shares,
}

impl Devices {
    /// Notes that a device has this name; a fault where another has it.
    pub(super) fn claim(&mut self, spot: &Spot<'_>, id: &DeviceId, sink: &mut Sink) {
        match self.places.get(id) {
            None => drop(self.places.insert(id.clone(), spot.head)),
            Some(first) => {
                let finding = spot.head_finding("this device stands here a second time");
                sink.fault(finding.hint("remove one of the two").related(*first, "the first one"));
            }
        }
    }

    /// Takes the device that is written at `spot`; a fault where it does not agree with another about what they share.
    pub(super) fn add(&mut self, spot: &Spot<'_>, device: DeviceConfig, sink: &mut Sink) {
        self.shares.claim(spot, &device, sink);
        self.found.entry(device.id.clone()).or_insert_with(|| Arc::new(device));
    }

    /// All of them; a warning at `spot` where there are none.
    pub(crate) fn finish(self, spot: &Spot<'_>, sink: &mut Sink) -> BTreeMap<DeviceId, Arc<DeviceConfig>> {
        if self.found.is_empty() && self.places.is_empty() && sink.is_clean() {
            let finding = spot.head_finding("there are no devices");
            sink.warning(finding.hint("write `devices:` and below it their names"));
        }
        self.found
    }
}

/// Reads all devices below `devices`.
pub(crate) fn devices(spot: &Spot<'_>, shop: Shop<'_>, devices: &mut Devices, sink: &mut Sink) {
    for entry in spot.map(sink) {
        let spot = spot.below(entry);
        let id = name::<DeviceId>(&spot, &entry.key, sink);
        if let Some(id) = &id {
            devices.claim(&spot, id, sink);
        }
        let device = Reader { spot, shop }.read(id.as_ref(), sink);
        if let Some(device) = device {
            devices.add(&spot, device, sink);
        }
    }
}

/// The properties written under a device.
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

/// Makes one device of what is written at `spot`.
pub(super) struct Reader<'a> {
    pub(super) spot: Spot<'a>,
    pub(super) shop: Shop<'a>,
}

impl Reader<'_> {
    fn read(&self, id: Option<&DeviceId>, sink: &mut Sink) -> Option<DeviceConfig> {
        let protocols = self.shop.protocols;
        let held_out = protocols.iter().map(Protocol::name).chain(["properties", "with"]).collect::<Vec<_>>();
        let written = decode::<DeviceWritten>(&self.spot, &held_out, sink).value.unwrap_or_default();
        let found = only_protocol(&self.spot, protocols, "a device speaks one protocol only", sink);
        let secrets = self.shop.secrets;
        let own_link = found.map(|(protocol, entry)| link(protocol, &self.spot.below(entry), secrets, sink));
        let own = properties(&self.spot, protocols, sink);
        let model = written.model.as_deref().and_then(|name| self.model(name, sink));
        let inherited = match model {
            None => {
                if let (None, Some(with)) = (&written.model, self.spot.node.entry("with")) {
                    let finding =
                        self.spot.below(with).head_finding("`with` is for the parameters of a model");
                    sink.fault(finding.hint("write `model: NAME`, or remove the key"));
                }
                Inherited::default()
            }
            Some(model) => match self.values(model, sink) {
                Some(values) => model.with(&values, self.spot.head, protocols, secrets, sink),
                None => Inherited { broken: true, ..Inherited::default() },
            },
        };
        self.make(id, written, own_link, own, inherited, sink)
    }

    /// The values that the device gives to the parameters of its model.
    fn values(&self, model: &Model<'_>, sink: &mut Sink) -> Option<Values> {
        let with = self.spot.node.entry("with");
        let entries = with.map_or(&[][..], |entry| self.spot.below(entry).map(sink));
        for entry in entries.iter().filter(|entry| !model.parameters.contains_key(&entry.key)) {
            let path = self.spot.path.key("with");
            let message = format!("`{}` has no parameter `{}`", model.name, crate::scalar::cut(&entry.key));
            let finding = crate::fault::Finding::new(entry.key_at, path.key(&entry.key), message);
            sink.fault(unknown(&entry.key, &model.parameters, finding));
        }
        let path = self.spot.path.key("with");
        let missing = |message: String| {
            let finding = crate::fault::Finding::new(
                with.map_or(self.spot.head, |with| with.key_at),
                self.spot.path,
                message,
            );
            finding.hint("write it below `with:`")
        };
        with_defaults(
            &model.name,
            &model.parameters,
            |name, parameter, sink| {
                let entry = entries.iter().find(|entry| &*entry.key == name)?;
                let spot = Spot { node: &entry.value, head: entry.key_at, path: path.key(&entry.key) };
                Some(parameter.value(&spot, sink))
            },
            missing,
            sink,
        )
    }

    /// Puts a device together from its own parts and those of its model.
    pub(super) fn make(
        &self,
        id: Option<&DeviceId>,
        written: DeviceWritten,
        own_link: Option<Link<'_>>,
        own: BTreeMap<PropertyName, Property>,
        inherited: Inherited<'_>,
        sink: &mut Sink,
    ) -> Option<DeviceConfig> {
        let Inherited { description, properties, link, broken } = inherited;
        let link = own_link.or(link);
        let protocol = link.as_ref().map(|link| link.protocol.name());
        let from_model = properties.iter().filter(|(name, _)| !own.contains_key(*name));
        if !(broken && protocol.is_none()) {
            self.check_inherited(from_model.clone(), protocol, sink);
        }
        let mut all: BTreeMap<_, _> =
            from_model.map(|(name, property)| (name.clone(), property.config.clone())).collect();
        for (name, property) in &own {
            if !(broken && protocol.is_none()) {
                self.check_own(name, property, protocol, sink);
            }
            all.insert(name.clone(), property.config.clone());
        }
        if all.is_empty() && !broken {
            let finding = self.spot.head_finding("this device has no properties");
            sink.warning(finding.hint("write `model: NAME`, or `properties:` and below it their names"));
        }
        if link.as_ref().is_some_and(|link| link.wrong) {
            return None;
        }
        let definition = DeviceDefinition {
            protocol: protocol.unwrap_or_default().to_owned(),
            model: written.model,
            description: written.description.or(description),
            labels: written.labels,
            properties: all.iter().map(|(name, config)| (name.clone(), config.definition.clone())).collect(),
        };
        let protocol = protocol.map(str::to_owned);
        let link = link.and_then(|link| link.body);
        Some(DeviceConfig { id: id?.clone(), definition, protocol, link, properties: all })
    }

    pub(super) fn model(&self, name: &str, sink: &mut Sink) -> Option<&Model<'_>> {
        let model = self.shop.models.get(name);
        if model.is_none() {
            let names = || self.shop.models.keys().map(|name| &**name);
            let hint = match nearest(name, names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None if self.shop.models.is_empty() => {
                    "no models are written; write them below `models:`".into()
                }
                None => format!("the models are {}", list(names().take(10))),
            };
            let message = format!("there is no model `{}`", crate::scalar::cut(name));
            sink.fault(self.finding_at_model(message).hint(hint));
        }
        model
    }

    pub(super) fn finding_at_model(&self, message: String) -> crate::fault::Finding {
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
