//! `twin/get` and its result: the whole twin of a device. `membership/get` has the same request.

use serde::{Deserialize, Serialize};
use twin_core::Timestamp;

use crate::error::Refusal;
use crate::property::{Twin, twin_from_wire, twin_to_wire};
use crate::result::{Answer, answer};
use crate::wire::{self, WireTwin};

/// The body of `twin/get` and `membership/get`; an empty one is taken as well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GetRequest {
    /// Echoed in the answer; may be empty.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// The sender's clock, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "wire::millis")]
    pub timestamp: Option<i64>,
}

/// The body of `twin/get/result`.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinGetResult {
    /// The event id of the request.
    pub event_id: String,
    /// When it was answered.
    pub timestamp: Timestamp,
    /// Every property that has a state.
    pub twin: Twin,
}

impl GetRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] with the event id as far as one can be found.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let mut request: Self = wire::read(body)?;
        request.event_id = wire::checked_event_id(request.event_id)?;
        Ok(request)
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }
}

impl TwinGetResult {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&WireTwin {
            event_id: self.event_id.clone(),
            timestamp: Some(self.timestamp.as_millis()),
            twin: Some(twin_to_wire(&self.twin)),
        })
    }

    /// Reads a body, which may be an error.
    ///
    /// # Errors
    /// [`Refusal`] when it is neither.
    pub fn parse(body: &[u8]) -> Result<Answer<Self>, Refusal> {
        answer(body, |body| {
            let wire: WireTwin = wire::read(body)?;
            let event_id = wire.event_id;
            match twin_from_wire(wire.twin.unwrap_or_default()) {
                Ok(twin) => {
                    let timestamp = Timestamp::from_millis(wire.timestamp.unwrap_or_default());
                    Ok(Self { event_id, timestamp, twin })
                }
                Err(error) => Err(Refusal { event_id, error }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::{any_time, any_twin};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_and_its_result_survive_the_wire(
            event_id in ".{0,20}", sent in proptest::option::of(any::<i64>()), timestamp in any_time(), twin in any_twin()
        ) {
            let request = GetRequest { event_id: event_id.clone(), timestamp: sent };
            prop_assert_eq!(GetRequest::parse(&request.encode()).unwrap(), request);
            let result = TwinGetResult { event_id, timestamp, twin };
            prop_assert_eq!(TwinGetResult::parse(&result.encode()).unwrap(), Answer::Taken(result));
        }

        #[test]
        fn no_bytes_make_a_request_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = GetRequest::parse(&bytes);
            let _ = TwinGetResult::parse(&bytes);
        }
    }
}
