//! `twin/update`: a mapper tells what the device holds and how writes ended; an application may want a value.

use twin_core::Timestamp;

use crate::error::{ContractError, Refusal};
use crate::property::{Twin, twin_from_wire, twin_to_wire};
use crate::wire::{self, WireTwin};

/// The body of `twin/update`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwinUpdate {
    /// Echoed in the answer; may be empty.
    pub event_id: String,
    /// The sender's clock.
    pub timestamp: Option<Timestamp>,
    /// What is said of each property; `None` deletes it. A quality without a value is legal: so a property turns bad
    /// without a fresh value.
    pub twin: Twin,
}

impl TwinUpdate {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] with the event id as far as one can be found.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wire: WireTwin = wire::read(body)?;
        let event_id = wire::checked_event_id(wire.event_id)?;
        match wire.twin.ok_or(ContractError::TwinMissing).and_then(twin_from_wire) {
            Ok(twin) => Ok(Self { event_id, timestamp: wire.timestamp.map(Timestamp::from_millis), twin }),
            Err(error) => Err(Refusal { event_id, error }),
        }
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&WireTwin {
            event_id: self.event_id.clone(),
            timestamp: self.timestamp.map(Timestamp::as_millis),
            twin: Some(twin_to_wire(&self.twin)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_BODY_BYTES, MAX_PROPERTIES};
    use crate::property::tests::{any_time, any_twin};
    use proptest::prelude::*;
    use serde_json::json;
    use twin_core::{Quality, Value, ValueType, Why};

    proptest! {
        #[test]
        fn an_update_survives_the_wire(event_id in ".{0,20}", timestamp in proptest::option::of(any_time()), twin in any_twin()) {
            let update = TwinUpdate { event_id, timestamp, twin };
            prop_assert_eq!(TwinUpdate::parse(&update.encode()).unwrap(), update);
        }

        #[test]
        fn no_bytes_make_an_update_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = TwinUpdate::parse(&bytes);
        }

        #[test]
        fn no_cut_or_flipped_body_makes_an_update_panic(twin in any_twin(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = TwinUpdate { event_id: "e".into(), timestamp: None, twin }.encode();
            let at = cut.index(body.len());
            let _ = TwinUpdate::parse(&body[..at]);
            body[at] = byte;
            let _ = TwinUpdate::parse(&body);
        }
    }

    fn word(body: &serde_json::Value) -> &'static str {
        let refusal = TwinUpdate::parse(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(refusal.event_id, "e", "{refusal}");
        refusal.error.word()
    }

    #[test]
    fn every_fault_has_its_name_and_the_event_id_is_kept() {
        let with = |twin: serde_json::Value| json!({"event_id": "e", "twin": twin});
        assert_eq!(word(&json!({"event_id": "e"})), "twin_missing");
        assert_eq!(word(&with(json!(5))), "wrong_shape");
        assert_eq!(word(&with(json!({"a b": null}))), "bad_property_name");
        assert_eq!(word(&with(json!({"a": {"quality": "excellent"}}))), "bad_quality");
        assert_eq!(word(&with(json!({"a": {"outcome": {"revision": 1}}}))), "bad_outcome");
        assert_eq!(word(&with(json!({"a": {"actual": {"value": "x".repeat(90_000)}}}))), "value_too_large");
        assert_eq!(word(&with(json!({"a": {"actual": {"value": vec![0; 90_000]}}}))), "value_too_large");
        let many: serde_json::Map<_, _> =
            (0..=MAX_PROPERTIES).map(|n| (n.to_string(), json!(null))).collect();
        assert_eq!(word(&with(many.into())), "too_many_properties");
        assert_eq!(word(&json!({"event_id": "e", "twin": {}, "x": " ".repeat(MAX_BODY_BYTES)})), "too_large");
    }

    #[test]
    fn what_is_not_json_is_refused_however_it_is_broken() {
        let deep = format!("{{\"twin\":{{\"a\":{{\"actual\":{{\"value\":{}", "[".repeat(100_000));
        for body in [&b"not json"[..], b"", b"\xff\xfe", b"{\"event_id\":\"\xff\"}", deep.as_bytes()] {
            assert_eq!(TwinUpdate::parse(body).unwrap_err().error.word(), "not_json");
        }
    }

    #[test]
    fn a_value_without_a_quality_is_good_and_a_quality_may_come_without_a_value() {
        let body = br#"{"twin":{"a":{"actual":{"value":21.5}},"b":{"quality":"bad","why":"device_unreachable"},"c":{}}}"#;
        let update = TwinUpdate::parse(body).unwrap();
        let of = |name: &str| update.twin[&name.parse().unwrap()].clone().unwrap();
        assert_eq!(of("a").quality_of_value(), Some(Quality::Good));
        assert_eq!(
            of("a").actual.unwrap().value.decode(ValueType::Float).unwrap(),
            Value::float(21.5).unwrap()
        );
        assert_eq!(of("b").quality_of_value(), Some(Quality::Bad(Why::DeviceUnreachable)));
        assert_eq!(of("b").actual, None);
        assert_eq!(of("c").quality_of_value(), None);
    }
}
