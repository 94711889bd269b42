//! A device of the mapper: what is configured, and what its lane and the publisher share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::{DeviceConfig, PropertyConfig};
use mapper_contract::{Delta, WriteOutcome};
use twin_core::{DeviceId, PropertyName, Quality, Timestamp, Why, WriteResult};

use crate::desk::Desk;
use crate::driver::Driver;
use crate::report::Observation;
use crate::runtime::outbox::Outbox;
use crate::runtime::wishes::{Wish, Wishes};

/// A device whose link and points are of the driver's types.
pub(crate) struct Device<D: Driver> {
    /// Its number among all devices of the mapper.
    pub(crate) number: usize,
    pub(crate) id: DeviceId,
    pub(crate) link: D::Link,
    pub(crate) properties: Vec<Property<D>>,
    /// Which properties are read how often.
    pub(crate) polls: Vec<(Duration, Vec<usize>)>,
    /// What others ask of it.
    pub(crate) desk: Arc<Desk>,
    wishes: Mutex<Wishes>,
    outbox: Mutex<Outbox>,
}

pub(crate) struct Property<D: Driver> {
    pub(crate) name: PropertyName,
    pub(crate) config: Arc<PropertyConfig>,
    pub(crate) point: D::Point,
}

impl<D: Driver> Device<D> {
    /// None when the link or a point is not of the driver's types, which a configuration for its protocol never has.
    pub(crate) fn new(number: usize, config: &DeviceConfig) -> Option<Self> {
        let link = config.link::<D::Link>()?.clone();
        let mut properties: Vec<Property<D>> = Vec::with_capacity(config.properties.len());
        for (name, property) in &config.properties {
            let point = property.point::<D::Point>()?.clone();
            properties.push(Property { name: name.clone(), config: Arc::clone(property), point });
        }
        let mut polls: BTreeMap<Duration, Vec<usize>> = BTreeMap::new();
        for (property, Property { config, .. }) in properties.iter().enumerate() {
            if let Some(every) = config.every.filter(|_| config.definition.access.readable()) {
                polls.entry(every).or_default().push(property);
            }
        }
        let outbox = Outbox::new(properties.iter().map(|property| property.name.clone()));
        Some(Self {
            number,
            id: config.id.clone(),
            link,
            properties,
            polls: polls.into_iter().collect(),
            desk: Arc::default(),
            wishes: Mutex::default(),
            outbox: Mutex::new(outbox),
        })
    }

    pub(crate) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all that is wanted of it; what cannot be wanted is refused at once. Gives whether there is something to
    /// write, and whether there is something to tell.
    pub(crate) fn handle_delta(&self, delta: &Delta, now: Timestamp) -> (bool, bool) {
        let mut wanted = BTreeMap::new();
        let mut told = false;
        for (number, property) in self.properties.iter().enumerate() {
            let Some(wish) = delta.wanted.get(&property.name) else { continue };
            let definition = &property.config.definition;
            let checked =
                wish.value.decode(definition.value_type).map_err(|mismatch| mismatch.to_string()).and_then(
                    |value| match definition.check_wanted(&value) {
                        Ok(()) => Ok(value),
                        Err(unacceptable) => Err(unacceptable.to_string()),
                    },
                );
            match checked {
                Ok(value) => {
                    let (part, revision, until) = (wish.part, wish.revision, wish.until);
                    wanted.insert(number, Wish { part, revision, value, until });
                }
                Err(reason) => {
                    let outcome = wish.outcome(WriteResult::Refused { reason }, now);
                    let mut outbox = self.outbox();
                    // The same wish may come again with every change of the delta: it is answered once.
                    let answers = |o: &WriteOutcome| {
                        (o.part, o.revision, &o.value) == (outcome.part, outcome.revision, &outcome.value)
                    };
                    if !outbox.outcome(number).is_some_and(answers) {
                        outbox.set_outcome(number, outcome);
                        told = true;
                    }
                }
            }
        }
        (self.wishes().handle_wanted(wanted), told)
    }

    pub(crate) fn set_outcome(&self, property: usize, wish: &Wish, result: WriteResult, at: Timestamp) {
        self.outbox().set_outcome(property, wish.outcome(result, at));
    }

    /// The driver broke down while it served the device's lane.
    pub(crate) fn handle_breakdown(&self, now: Timestamp) {
        for (property, wish) in self.wishes().handle_breakdown() {
            let reason = "the driver broke down at this write".to_owned();
            self.set_outcome(property, &wish, WriteResult::Refused { reason }, now);
        }
        self.handle_stopped();
    }

    /// Nobody reads the device any more: no value of it may look fresh.
    pub(crate) fn handle_stopped(&self) {
        for property in self.polls.iter().flat_map(|(_, properties)| properties) {
            self.outbox().set_observation(*property, Observation::bad(Quality::Bad(Why::MapperDown)));
        }
    }

    /// The mapper serves it no longer: what its lane may still say of it does not count.
    pub(crate) fn handle_retired(&self) {
        self.handle_stopped();
        self.outbox().seal();
    }
}
