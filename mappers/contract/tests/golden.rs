//! What a stock KubeEdge edge and its clients say, recorded: every request is read, and what we answer has at least the
//! fields of what was answered there.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::str::FromStr as _;

use mapper_contract::{
    Answer, Delta, DeviceTopic, ErrorAnswer, GetRequest, Held, NodeTopic, StateResult, StateUpdate, Topic,
    TwinDocument, TwinGetResult, TwinUpdate, UpdateResult, Wanted, WireValue, membership,
};
use serde_json::Value as Json;
use twin_core::{DeviceState, Part, Revision, Timestamp, ValueType};

struct Recorded {
    topic: String,
    body: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let lines = include_str!("golden/exchanges.jsonl").lines();
    lines
        .map(|line| {
            let line: Json = serde_json::from_str(line).unwrap();
            let body = match line.get("text") {
                Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
                None => serde_json::to_vec(&line["body"]).unwrap(),
            };
            Recorded { topic: line["topic"].as_str().unwrap().to_owned(), body }
        })
        .collect()
}

fn on(topic: DeviceTopic) -> Vec<Recorded> {
    let is = |recorded: &Recorded| matches!(Topic::from_str(&recorded.topic), Ok(Topic::Device(_, t)) if t == topic);
    let found: Vec<_> = recorded().into_iter().filter(is).collect();
    assert!(!found.is_empty(), "no message on {}", topic.suffix());
    found
}

/// Every field of `there` is in `ours`, with the same value.
fn assert_contains(ours: &Json, there: &Json, path: &str) {
    match (ours, there) {
        (Json::Object(ours), Json::Object(there)) => {
            for (key, value) in there {
                let mine = ours.get(key).unwrap_or_else(|| panic!("{path}.{key} is missing"));
                assert_contains(mine, value, &format!("{path}.{key}"));
            }
        }
        (Json::Array(ours), Json::Array(there)) => {
            assert_eq!(ours.len(), there.len(), "{path}");
            ours.iter().zip(there).for_each(|(a, b)| assert_contains(a, b, path));
        }
        (ours, there) => assert_eq!(ours, there, "{path}"),
    }
}

fn json(body: &[u8]) -> Json {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn every_recorded_topic_parses_but_the_one_where_the_device_was_lost() {
    for message in recorded() {
        match message.topic.parse::<Topic>() {
            Ok(topic) => assert_eq!(topic.to_string(), message.topic),
            Err(_) => assert_eq!(message.topic, "$hw/events/device//twin/update/result"),
        }
    }
}

#[test]
fn every_recorded_request_is_read_and_the_two_that_are_wrong_are_named() {
    let mut refused = Vec::new();
    for message in recorded() {
        let Ok(topic) = message.topic.parse::<Topic>() else { continue };
        match topic {
            Topic::Device(_, DeviceTopic::TwinUpdate) => match TwinUpdate::parse(&message.body) {
                Ok(update) => assert!(!update.event_id.is_empty()),
                Err(refusal) => refused.push((refusal.event_id.clone(), refusal.error.word())),
            },
            Topic::Device(_, DeviceTopic::TwinGet) | Topic::Node(_, NodeTopic::MembershipGet) => {
                GetRequest::parse(&message.body).unwrap();
            }
            Topic::Device(_, DeviceTopic::StateUpdate) => {
                assert_eq!(StateUpdate::parse(&message.body).unwrap().state, DeviceState::Online);
            }
            Topic::Device(..) | Topic::Alarm(_) | Topic::Node(..) => {}
        }
    }
    assert_eq!(refused, [(String::new(), "not_json"), ("e4".to_owned(), "twin_missing")]);
}

#[test]
fn a_recorded_update_gives_its_values() {
    let update = TwinUpdate::parse(&on(DeviceTopic::TwinUpdate)[0].body).unwrap();
    let temperature = update.twin[&"temperature".parse().unwrap()].clone().unwrap();
    assert_eq!(temperature.value_type, Some(ValueType::Int));
    let value = temperature.actual.unwrap().value;
    assert_eq!(value.decode(ValueType::Int).unwrap(), twin_core::Value::Int(21));
    assert!(WireValue::Text("abc".into()).decode(ValueType::Int).is_err());
}

#[test]
fn recorded_answers_are_read_and_ours_have_their_fields() {
    for message in recorded() {
        let there = &message.body;
        let ours = match message.topic.parse::<Topic>() {
            Ok(Topic::Device(_, DeviceTopic::TwinUpdateResult)) => {
                match UpdateResult::parse(there).unwrap() {
                    Answer::Taken(result) => result.encode(),
                    Answer::Refused(error) => error.encode(),
                }
            }
            Ok(Topic::Device(_, DeviceTopic::TwinGetResult)) => match TwinGetResult::parse(there).unwrap() {
                Answer::Taken(result) => result.encode(),
                Answer::Refused(error) => error.encode(),
            },
            Ok(Topic::Device(_, DeviceTopic::TwinUpdateDocument)) => {
                TwinDocument::parse(there).unwrap().encode()
            }
            Ok(Topic::Device(_, DeviceTopic::StateUpdateResult)) => {
                match StateResult::parse(there).unwrap() {
                    Answer::Taken(result) => result.encode(),
                    Answer::Refused(error) => error.encode(),
                }
            }
            Ok(Topic::Node(_, NodeTopic::MembershipGetResult)) => {
                membership::MembershipResult::parse(there).unwrap().encode()
            }
            Ok(Topic::Node(_, NodeTopic::MembershipUpdated)) => {
                membership::MembershipUpdated::parse(there).unwrap().encode()
            }
            Ok(Topic::Device(
                _,
                DeviceTopic::TwinUpdate
                | DeviceTopic::TwinUpdateDelta
                | DeviceTopic::TwinGet
                | DeviceTopic::StateUpdate
                | DeviceTopic::OverrideUpdate
                | DeviceTopic::OverrideUpdateResult
                | DeviceTopic::AlarmUpdate
                | DeviceTopic::AlarmUpdateResult,
            ))
            | Ok(Topic::Alarm(_))
            | Ok(Topic::Node(_, NodeTopic::MembershipGet)) => continue,
            Err(_) => ErrorAnswer::parse(there).unwrap().encode(),
        };
        assert_contains(&json(&ours), &json(there), &message.topic);
    }
}

#[test]
fn our_delta_has_the_fields_of_the_recorded_one() {
    let there = json(&on(DeviceTopic::TwinUpdateDelta)[0].body);
    let property = &there["twin"]["temperature"];
    let time = |part: &str| property[part]["metadata"]["timestamp"].as_i64().map(Timestamp::from_millis);
    let wanted = Wanted {
        part: Part::Desired,
        revision: Revision::new(7),
        value: WireValue::from(&twin_core::Value::Int(25)),
        until: None,
        since: time("expected"),
        value_type: Some(ValueType::Int),
        actual: Some(Held { value: WireValue::Text("22".into()), timestamp: time("actual") }),
    };
    let delta = Delta {
        event_id: there["event_id"].as_str().unwrap().to_owned(),
        timestamp: Timestamp::from_millis(there["timestamp"].as_i64().unwrap()),
        wanted: [("temperature".parse().unwrap(), wanted)].into(),
    };
    assert_contains(&json(&delta.encode()), &there, "delta");
}
