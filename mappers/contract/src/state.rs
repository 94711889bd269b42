//! `state/update` and its result: whether a device answers.

use serde::{Deserialize, Serialize};
use twin_core::{DeviceId, DeviceState, Timestamp};

use crate::error::{ContractError, Refusal};
use crate::result::{Answer, answer};
use crate::wire;

/// The body of `state/update`.
#[derive(Debug, Clone, PartialEq)]
pub struct StateUpdate {
    /// Echoed in the answer; may be empty.
    pub event_id: String,
    /// The sender's clock.
    pub timestamp: Option<Timestamp>,
    /// Whether the device answers.
    pub state: DeviceState,
}

/// The body of `state/update/result`.
#[derive(Debug, Clone, PartialEq)]
pub struct StateResult {
    /// The event id of the update.
    pub event_id: String,
    /// When it was taken.
    pub timestamp: Timestamp,
    /// The name of the device, without its namespace, as in KubeEdge.
    pub name: String,
    /// Its state now.
    pub state: DeviceState,
    /// When it was last online, in whole seconds, as in KubeEdge; none when it never was.
    pub last_online: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct WireUpdate {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "wire::millis")]
    timestamp: Option<i64>,
    #[serde(default)]
    state: String,
}

#[derive(Serialize, Deserialize)]
struct WireResult {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, deserialize_with = "wire::millis")]
    timestamp: Option<i64>,
    device: WireDevice,
}

#[derive(Serialize, Deserialize)]
struct WireDevice {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default, rename = "lastOnlineTime", skip_serializing_if = "Option::is_none")]
    last_online: Option<String>,
}

/// The word of a state.
#[must_use]
pub fn state_word(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Online => "online",
        DeviceState::Offline => "offline",
        DeviceState::Unknown => "unknown",
    }
}

/// The state of a word. KubeEdge's `ok` is online; its `unhealthy` says nothing of whether the device answers.
fn state_from_word(word: &str) -> Result<DeviceState, ContractError> {
    match word {
        "online" | "ok" => Ok(DeviceState::Online),
        "offline" => Ok(DeviceState::Offline),
        "unknown" | "unhealthy" => Ok(DeviceState::Unknown),
        _ => Err(ContractError::BadState { found: word.chars().take(80).collect() }),
    }
}

impl StateUpdate {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] with the event id as far as one can be found.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wire: WireUpdate = wire::read(body)?;
        let event_id = wire::checked_event_id(wire.event_id)?;
        match state_from_word(&wire.state) {
            Ok(state) => Ok(Self { event_id, timestamp: wire.timestamp.map(Timestamp::from_millis), state }),
            Err(error) => Err(Refusal { event_id, error }),
        }
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&WireUpdate {
            event_id: self.event_id.clone(),
            timestamp: self.timestamp.map(Timestamp::as_millis),
            state: state_word(self.state).to_owned(),
        })
    }
}

impl StateResult {
    /// The answer to `update` about `device`.
    #[must_use]
    pub fn new(
        update: &StateUpdate,
        device: &DeviceId,
        last_online: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        Self {
            event_id: update.event_id.clone(),
            timestamp: now,
            name: device.name().to_owned(),
            state: update.state,
            last_online: last_online.map(whole_seconds),
        }
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&WireResult {
            event_id: self.event_id.clone(),
            timestamp: Some(self.timestamp.as_millis()),
            device: WireDevice {
                name: self.name.clone(),
                state: state_word(self.state).to_owned(),
                last_online: self.last_online.map(whole_seconds).and_then(|at| {
                    jiff::Timestamp::from_millisecond(at.as_millis()).ok().map(|at| at.to_string())
                }),
            },
        })
    }

    /// Reads a body, which may be an error.
    ///
    /// # Errors
    /// [`Refusal`] when it is neither.
    pub fn parse(body: &[u8]) -> Result<Answer<Self>, Refusal> {
        answer(body, |body| {
            let wire: WireResult = wire::read(body)?;
            let event_id = wire::checked_event_id(wire.event_id)?;
            let state = match state_from_word(&wire.device.state) {
                Ok(state) => state,
                Err(error) => return Err(Refusal { event_id, error }),
            };
            let last_online = wire.device.last_online.and_then(|text| text.parse::<jiff::Timestamp>().ok());
            Ok(Self {
                event_id,
                timestamp: Timestamp::from_millis(wire.timestamp.unwrap_or_default()),
                name: wire.device.name,
                state,
                last_online: last_online.map(|at| Timestamp::from_millis(at.as_millisecond())),
            })
        })
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_euclid(1000).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::any_time;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = DeviceState> {
        prop_oneof![Just(DeviceState::Online), Just(DeviceState::Offline), Just(DeviceState::Unknown)]
    }

    proptest! {
        #[test]
        fn a_state_and_its_result_survive_the_wire(
            event_id in ".{0,20}", timestamp in proptest::option::of(any_time()), state in any_state(),
            online in proptest::option::of(0i64..4_000_000_000_000), now in any_time()
        ) {
            let update = StateUpdate { event_id, timestamp, state };
            prop_assert_eq!(StateUpdate::parse(&update.encode()).unwrap(), update.clone());
            let device = "plant/pump-1".parse().unwrap();
            let result = StateResult::new(&update, &device, online.map(Timestamp::from_millis), now);
            prop_assert_eq!(StateResult::parse(&result.encode()).unwrap(), Answer::Taken(result));
        }

        #[test]
        fn no_bytes_make_a_state_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = StateUpdate::parse(&bytes);
            let _ = StateResult::parse(&bytes);
        }
    }

    #[test]
    fn a_word_that_is_no_state_is_refused_with_the_words_that_are() {
        let refusal = StateUpdate::parse(br#"{"event_id":"s","state":"fine"}"#).unwrap_err();
        assert_eq!((refusal.event_id.as_str(), refusal.error.code()), ("s", 400));
        assert!(refusal.error.to_string().contains("online, offline or unknown"));
    }
}
