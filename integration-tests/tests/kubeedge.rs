//! What KubeEdge's edge answered to recorded requests, ours answers as well, and more.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use integration_tests::harness::{Edge, Mqtt};
use serde_json::{Value, json};

const NODE: &str = "plant-11";
const GOLDEN: &str = include_str!("../golden/kubeedge-mqtt.jsonl");
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Line {
    topic: String,
    text: String,
}

impl Line {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Whether KubeEdge's edge said it; otherwise it was told it.
    fn is_answer(&self) -> bool {
        ["/result", "/document", "/delta", "/updated"].iter().any(|end| self.topic.ends_with(end))
    }
}

/// Each request with the answers to it.
fn exchanges() -> Vec<(Line, Vec<Line>)> {
    let mut exchanges: Vec<(Line, Vec<Line>)> = Vec::new();
    for line in GOLDEN.lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| recorded[name].as_str().unwrap().to_owned();
        let line = Line { topic: text("topic"), text: text("payload") };
        match exchanges.last_mut() {
            Some((_, answers)) if line.is_answer() => answers.push(line),
            _ => exchanges.push((line, Vec::new())),
        }
    }
    exchanges
}

/// Where ours deliberately differs from the recording, besides times and ids of its own.
fn expected(answer: &Line, request: &Line) -> (String, Value) {
    let mut body = answer.json();
    let mut topic = answer.topic.clone();
    if answer.topic.contains("device//") {
        // KubeEdge loses the device of a request that it refuses early, and answers on a topic that nobody listens on.
        topic = format!("{}/result", request.topic);
    }
    let is_error = body["code"].is_number();
    let object = body.as_object_mut().unwrap();
    object.remove("timestamp");
    if is_error {
        // The reason is for people, and ours says how it is mended. The id is given back wherever one was sent.
        object.remove("reason");
        object.insert("event_id".to_owned(), request.json().get("event_id").cloned().unwrap_or(json!("")));
    } else if topic.ends_with("/delta") {
        // An id that the gateway draws.
        object.remove("event_id");
    } else if topic.ends_with("state/update/result") {
        // KubeEdge draws an id of its own; ours is the one of the request.
        object.insert("event_id".to_owned(), request.json()["event_id"].clone());
    }
    if topic.ends_with("/document") {
        for (_, change) in object["twin"].as_object_mut().unwrap() {
            if change["current"].is_null() {
                // Deleted is what was reported; what somebody wants of it has another author, and stays.
                change["last"].as_object_mut().unwrap().remove("expected");
            }
        }
    }
    if answer.topic.ends_with("state/update/result") {
        assert!(object["device"].as_object_mut().unwrap().remove("lastOnlineTime").is_some());
    }
    (topic, body)
}

/// Whether everything in `wanted` is in `found` with the same value; times may differ, but must be there.
fn lacks(wanted: &Value, found: &Value, path: &str) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match found.get(name) {
                None => Some(format!("{path} is missing")),
                Some(found) if name == "timestamp" => {
                    (!found.is_i64()).then(|| format!("{path} is {found}, no time"))
                }
                Some(found) => lacks(value, found, &path),
            }
        }),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            wanted.iter().zip(found).find_map(|(wanted, found)| lacks(wanted, found, &format!("{path}[]")))
        }
        _ if wanted == found => None,
        _ => Some(format!("{path} is {found}, recorded was {wanted}")),
    }
}

#[tokio::test]
async fn to_recorded_requests_of_kubeedge_ours_answers_what_kubeedge_answered() {
    let mut edge = Edge::start(NODE, None, "devices: { dev-0: {} }\n").await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "replay");
    mqtt.subscribe("$hw/#").await;
    let mut compared = 0;
    for (request, answers) in exchanges() {
        let told = request.json();
        mqtt.publish(&request.topic, request.text.as_str()).await;
        let mut wanted: Vec<(String, Value)> = answers.iter().map(|a| expected(a, &request)).collect();
        let mut closest = String::new();
        while !wanted.is_empty() {
            let Some(message) = mqtt.find(LIMIT, |m| wanted.iter().any(|(topic, _)| *topic == m.topic)).await
            else {
                panic!("to {} {} there was no {:?}; {closest}", request.topic, told, wanted);
            };
            let found = message.json();
            let place = wanted.iter().position(|(topic, body)| {
                let lack = lacks(body, &found, "");
                if let Some(lack) = &lack {
                    closest = format!("{topic} came, but {lack}: {found}");
                }
                *topic == message.topic && lack.is_none()
            });
            if let Some(place) = place {
                if found["code"].is_number() {
                    assert!(found["reason"].as_str().is_some_and(|r| !r.is_empty()), "{found}");
                    assert!(found["error"].as_str().is_some_and(|word| !word.is_empty()), "{found}");
                }
                wanted.swap_remove(place);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 19, "as many answers were recorded");
    edge.assert_no_panic();
}
