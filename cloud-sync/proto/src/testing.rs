//! Any frame, for the round-trip tests.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use twin_core::history;
use twin_core::replica::{Base, Batch, Message};
use twin_core::{
    Change, Cursor, Desired, Device, DeviceState, Entry, Incarnation, NodeName, Outcome, Override, Part,
    PropertyId, Quality, Reported, Revision, Timestamp, Value, WriteResult,
};

use crate::{Code, Decoded, Frame, FrameLimits, StreamId, decode, encode};

pub(crate) fn round_trip(frame: Frame) -> Result<(), TestCaseError> {
    let bytes = encode(&frame, FrameLimits::default()).unwrap();
    let decoded = decode(&bytes, FrameLimits::default()).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(decoded, Decoded::Frame(Box::new(frame)));
    Ok(())
}

pub(crate) fn any_node() -> impl Strategy<Value = NodeName> {
    "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn any_stream() -> impl Strategy<Value = StreamId> {
    any::<u8>().prop_map(StreamId::new)
}

pub(crate) fn any_code() -> impl Strategy<Value = Code> {
    prop_oneof![
        Just(Code::Version),
        Just(Code::NodeMismatch),
        Just(Code::Busy),
        Just(Code::Superseded),
        Just(Code::Stopping),
        Just(Code::Protocol),
        Just(Code::TooLarge),
        Just(Code::Silent),
        Just(Code::Store),
        "x_[a-z]{0,20}".prop_map(Code::from),
    ]
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        proptest::option::of(any_cursor()).prop_map(Message::Hello),
        any_cursor().prop_map(Message::Ack),
        any_batch(),
    ]
}

fn any_batch() -> impl Strategy<Value = Message> {
    (any_base(), any_cursor(), proptest::collection::vec(any_entry(), 0..12))
        .prop_map(|(base, cursor, entries)| Message::Batch(Batch { base, cursor, entries }))
}

fn any_base() -> impl Strategy<Value = Base> {
    prop_oneof![
        any_cursor().prop_map(Base::Cursor),
        (proptest::option::of(any_cursor()), any::<bool>())
            .prop_map(|(after, last)| Base::Reset { after, last }),
    ]
}

fn any_cursor() -> impl Strategy<Value = Cursor> {
    (any::<u64>(), any::<u64>()).prop_map(|(incarnation, revision)| Cursor {
        incarnation: Incarnation::new(incarnation),
        revision: Revision::new(revision),
    })
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter_map("finite", |f| Value::float(f).ok()),
        ".{0,40}".prop_map(Value::String),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        any_json().prop_map(Value::Json),
    ]
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let result = prop_oneof![
        Just(WriteResult::Sent),
        Just(WriteResult::Applied),
        ".{0,9}".prop_map(|reason| WriteResult::Refused { reason }),
        (".{0,9}", proptest::option::of(any_time()))
            .prop_map(|(reason, retry_at)| WriteResult::Failed { reason, retry_at }),
    ];
    let part = prop_oneof![Just(Part::Desired), Just(Part::Override)];
    (part, any::<u64>(), any_value(), result, any_time()).prop_map(|(part, revision, value, result, at)| {
        Outcome { part, revision: Revision::new(revision), value, result, at }
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let property = "[A-Za-z0-9.-]{1,12}"
        .prop_map(|name| PropertyId::new("plant/pump".parse().unwrap(), name.parse().unwrap()));
    let time = || proptest::option::of(any_time());
    let change = (property, any::<u8>(), any_value(), time(), time(), proptest::option::of(any_outcome()))
        .prop_map(|(id, shape, value, a, b, outcome)| match shape % 8 {
            0 => Change::Device(id.device, None),
            1 => {
                let device =
                    Device { definition: Default::default(), state: DeviceState::Online, state_since: a };
                Change::Device(id.device, Some(device))
            }
            2 => Change::Override(id, None),
            3 => {
                let set_at = Timestamp::from_millis(7);
                Change::Override(id, Some(Override { value, set_by: "bob".into(), set_at, expires_at: a }))
            }
            4 => Change::Desired(id, None),
            5 => {
                let set_at = Timestamp::from_millis(7);
                Change::Desired(id, Some(Desired { value, set_by: "al".into(), set_at, valid_until: a }))
            }
            6 => Change::Reported(id, None),
            _ => {
                let quality = Quality::from_words(if a.is_some() { "good" } else { "bad" }, Some("stale"));
                Change::Reported(
                    id,
                    Some(Reported {
                        value: Some(value),
                        quality: quality.unwrap(),
                        source_time: a,
                        gateway_time: b,
                        outcome,
                    }),
                )
            }
        });
    (any::<u64>(), change).prop_map(|(revision, change)| Entry { revision: Revision::new(revision), change })
}

pub(crate) fn any_history_message() -> impl Strategy<Value = history::Message> {
    prop_oneof![
        proptest::collection::vec(any_place(), 0..4).prop_map(|known| history::Message::Hello { known }),
        any_place().prop_map(history::Message::Ack),
        any_history_batch().prop_map(history::Message::Batch),
    ]
}

fn any_place() -> impl Strategy<Value = history::Place> {
    (any::<u64>(), any::<u64>())
        .prop_map(|(incarnation, seq)| history::Place { incarnation: Incarnation::new(incarnation), seq })
}

fn any_history_batch() -> impl Strategy<Value = history::Batch> {
    let property = "[A-Za-z0-9.-]{1,12}"
        .prop_map(|name| PropertyId::new("plant/pump".parse().unwrap(), name.parse().unwrap()));
    let properties = proptest::collection::vec(property, 0..4);
    let samples = proptest::collection::vec(any_packed_sample(), 0..12);
    (proptest::option::of(any_place()), any_place(), properties, samples)
        .prop_map(|(after, end, properties, samples)| history::Batch { after, end, properties, samples })
}

fn any_packed_sample() -> impl Strategy<Value = history::PackedSample> {
    let quality = prop_oneof![
        Just(Quality::Good),
        ".{0,9}".prop_map(|why| Quality::from_words("bad", Some(&why)).unwrap()),
        ".{0,9}".prop_map(|why| Quality::from_words("uncertain", Some(&why)).unwrap()),
    ];
    let source_time = proptest::option::of(any_time());
    let reading = (any_time(), source_time, quality, proptest::option::of(any_value()))
        .prop_map(|(at, source_time, quality, value)| history::Reading { at, source_time, quality, value });
    (any::<u64>(), any::<u32>(), reading).prop_map(|(seq, property, reading)| history::PackedSample {
        seq,
        property,
        reading,
    })
}

proptest! {
    #[test]
    fn a_message_of_the_history_reads_back_the_same(message in any_history_message()) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&message, &mut bytes).unwrap();
        prop_assert_eq!(ciborium::from_reader::<history::Message, _>(bytes.as_slice()).unwrap(), message);
    }
}
