//! `twin/update/result`: what became of an update.

use serde_json::Value as Json;
use twin_core::Timestamp;

use crate::error::{ErrorAnswer, Refusal};
use crate::property::{Twin, twin_from_wire, twin_to_wire};
use crate::wire::{self, WireTwin};

/// The answer to an update that was taken: its properties as they now stand.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateResult {
    /// The event id of the update.
    pub event_id: String,
    /// When it was taken.
    pub timestamp: Timestamp,
    /// The properties that it named; `None` where it deleted one.
    pub twin: Twin,
}

/// What comes on a `.../result` topic: what was asked for, or an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// The request was taken.
    Taken(T),
    /// It was not.
    Refused(ErrorAnswer),
}

impl UpdateResult {
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

/// Tells an error answer, which has a `code`, from what was asked for.
pub(crate) fn answer<T>(
    body: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<T, Refusal>,
) -> Result<Answer<T>, Refusal> {
    #[derive(serde::Deserialize)]
    struct HasCode {
        #[serde(default)]
        code: Option<Json>,
    }
    if wire::read::<HasCode>(body)?.code.is_some() {
        return ErrorAnswer::parse(body).map(Answer::Refused);
    }
    parse(body).map(Answer::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ContractError;
    use crate::property::tests::{any_time, any_twin};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_result_survives_the_wire(event_id in ".{0,20}", timestamp in any_time(), twin in any_twin()) {
            let result = UpdateResult { event_id, timestamp, twin };
            prop_assert_eq!(UpdateResult::parse(&result.encode()).unwrap(), Answer::Taken(result));
        }

        #[test]
        fn no_bytes_make_a_result_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = UpdateResult::parse(&bytes);
        }
    }

    #[test]
    fn an_error_is_told_from_a_result() {
        let error = ErrorAnswer::new("e", &ContractError::TwinMissing, Timestamp::from_millis(1));
        assert_eq!(UpdateResult::parse(&error.encode()).unwrap(), Answer::Refused(error));
    }
}
