//! The newest state of a device, and what of it has not reached the gateway: memory that does not grow however long the
//! link is down.

use mapper_contract::{Held, PropertyTwin, Twin, TwinUpdate, WriteOutcome};
use twin_core::{DeviceState, PropertyName};

use crate::report::Observation;

/// What is owed to the gateway for one device.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Option<DeviceState>,
    state_is_owed: bool,
    properties: Vec<Property>,
    /// Nothing is taken any more.
    sealed: bool,
}

#[derive(Debug)]
struct Property {
    name: PropertyName,
    observation: Option<Observation>,
    observation_is_owed: bool,
    outcome: Option<WriteOutcome>,
    outcome_is_owed: bool,
}

/// What one message each says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Owed {
    pub(crate) state: Option<DeviceState>,
    pub(crate) update: Option<TwinUpdate>,
}

impl Outbox {
    pub(crate) fn new(names: impl Iterator<Item = PropertyName>) -> Self {
        let property = |name| Property {
            name,
            observation: None,
            observation_is_owed: false,
            outcome: None,
            outcome_is_owed: false,
        };
        Self { state: None, state_is_owed: false, properties: names.map(property).collect(), sealed: false }
    }

    /// Takes nothing from now on: what is in it is the last that is said of the device.
    pub(crate) fn seal(&mut self) {
        self.sealed = true;
    }

    pub(crate) fn set_state(&mut self, state: DeviceState) {
        if self.sealed {
            return;
        }
        self.state = Some(state);
        self.state_is_owed = true;
    }

    pub(crate) fn set_observation(&mut self, property: usize, observation: Observation) {
        if let Some(property) = self.open(property) {
            property.observation = Some(observation);
            property.observation_is_owed = true;
        }
    }

    pub(crate) fn set_outcome(&mut self, property: usize, outcome: WriteOutcome) {
        if let Some(property) = self.open(property) {
            property.outcome = Some(outcome);
            property.outcome_is_owed = true;
        }
    }

    fn open(&mut self, property: usize) -> Option<&mut Property> {
        if self.sealed { None } else { self.properties.get_mut(property) }
    }

    /// The last outcome of a property.
    pub(crate) fn outcome(&self, property: usize) -> Option<&WriteOutcome> {
        self.properties.get(property)?.outcome.as_ref()
    }

    /// The gateway may not know anything of it: everything is owed again.
    pub(crate) fn handle_lost(&mut self) {
        self.state_is_owed = self.state.is_some();
        for property in &mut self.properties {
            property.observation_is_owed = property.observation.is_some();
            property.outcome_is_owed = property.outcome.is_some();
        }
    }

    /// What is owed, which is then taken to be paid.
    pub(crate) fn take(&mut self) -> Owed {
        let state = std::mem::take(&mut self.state_is_owed).then_some(self.state).flatten();
        let mut twin = Twin::new();
        for property in &mut self.properties {
            let observed = std::mem::take(&mut property.observation_is_owed);
            let answered = std::mem::take(&mut property.outcome_is_owed);
            if observed || answered {
                let observation = property.observation.as_ref().filter(|_| observed);
                let outcome = property.outcome.as_ref().filter(|_| answered);
                twin.insert(property.name.clone(), Some(message(observation, outcome)));
            }
        }
        let update = (!twin.is_empty()).then(|| TwinUpdate { twin, ..TwinUpdate::default() });
        Owed { state, update }
    }
}

fn message(observation: Option<&Observation>, outcome: Option<&WriteOutcome>) -> PropertyTwin {
    let held = |o: &Observation| Some(Held { value: o.value.as_ref()?.into(), timestamp: o.gateway_time });
    PropertyTwin {
        actual: observation.and_then(held),
        quality: observation.map(|o| o.quality.clone()),
        source_time: observation.and_then(|o| o.source_time),
        value_type: observation.and_then(|o| o.value.as_ref()).map(twin_core::Value::value_type),
        outcome: outcome.cloned(),
        ..PropertyTwin::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Quality, Timestamp, Value, Why};

    fn outbox() -> Outbox {
        Outbox::new(["a", "b"].into_iter().map(|name| name.parse().unwrap()))
    }

    fn good(value: i64) -> Observation {
        Observation::good(Value::Int(value), Timestamp::from_millis(1))
    }

    #[test]
    fn all_that_came_from_one_poll_is_one_message_and_is_sent_once() {
        let mut outbox = outbox();
        outbox.set_observation(0, good(1));
        outbox.set_observation(1, good(2));
        assert_eq!(outbox.take().update.unwrap().twin.len(), 2);
        assert_eq!(outbox.take(), Owed::default());
    }

    #[test]
    fn only_the_newest_is_kept_and_after_a_loss_everything_is_owed() {
        let mut outbox = outbox();
        outbox.set_observation(0, good(1));
        outbox.set_observation(0, good(2));
        outbox.set_state(DeviceState::Online);
        let first = outbox.take();
        outbox.set_observation(1, Observation::bad(Quality::Bad(Why::PointRefused)));
        outbox.take();
        outbox.handle_lost();
        let again = outbox.take();
        assert_eq!(again.state, first.state);
        let twin = again.update.unwrap().twin;
        assert_eq!(twin.len(), 2);
        let b = twin.values().last().unwrap().as_ref().unwrap();
        assert_eq!((b.actual.as_ref(), b.quality.as_ref()), (None, Some(&Quality::Bad(Why::PointRefused))));
    }
}
