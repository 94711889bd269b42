//! The history on its way to the cloud: both processes killed half way, and every sample is there once.

use std::time::Duration;

use integration_tests::harness::{Cloud, Edge, Mqtt, Uplink, eventually_within, request};
use serde_json::{Map, Value, json};

const NODE: &str = "plant-11";
const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const PROPERTIES: usize = 40;
/// Each of them in this many messages.
const TIMES: usize = 400;
/// Properties in a message.
const TOGETHER: usize = 20;
const LONG: Duration = Duration::from_secs(60);

fn devices() -> String {
    let mut devices = "devices:\n  dev-0:\n    properties:\n      plain: { type: int }\n".to_owned();
    for n in 0..PROPERTIES {
        devices.push_str(&format!("      p{n}: {{ type: int, history: 30d }}\n"));
    }
    devices
}

fn message(first: usize, value: usize) -> Value {
    let change = |n| (format!("p{n}"), json!({"actual": {"value": value}}));
    let twin: Map<String, Value> = (first..first + TOGETHER).map(change).collect();
    json!({"twin": twin})
}

/// All samples of a property, page by page.
async fn samples(address: &str, path: &str, property: &str) -> Result<Vec<Value>, String> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let path =
            format!("{path}/{DEVICE}/history?property={property}&from=0&to=9999999999999&limit=150{after}");
        let answer = request(address, "GET", &path, None).await.map_err(|e| e.to_string())?;
        if answer.status != 200 {
            return Err(answer.body.to_string());
        }
        items.extend(answer.body["items"].as_array().cloned().unwrap_or_default());
        match answer.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(items),
        }
    }
}

async fn at_edge(edge: &Edge, property: &str) -> Result<Vec<Value>, String> {
    samples(&edge.api(), "/api/v1/devices", property).await
}

async fn in_cloud(cloud: &Cloud, property: &str) -> Result<Vec<Value>, String> {
    samples(&cloud.rest(), &format!("/api/v1/nodes/{NODE}/devices"), property).await
}

async fn arrived(cloud: &Cloud, least: usize) {
    eventually_within(LONG, "samples arrive", async || {
        let count = in_cloud(cloud, "p0").await?.len();
        if count >= least { Ok(()) } else { Err(format!("{count} samples")) }
    })
    .await;
}

#[tokio::test]
async fn after_kill_9_of_both_sides_half_way_through_the_upload_every_sample_is_in_the_cloud_once() {
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices()).await;
    eventually_within(LONG, "the cloud knows the device", async || {
        cloud.twin(NODE, DEVICE).await.map(|_| ())
    })
    .await;
    cloud.process().kill();

    let mut mqtt = Mqtt::connect(edge.mqtt(), "flapper");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    for value in 1..=TIMES {
        for first in (0..PROPERTIES).step_by(TOGETHER) {
            let message = message(first, value);
            if value % 50 == 0 {
                let answer = mqtt.ask(TOPIC, message, Duration::from_secs(30)).await.expect("an answer");
                assert!(answer.get("code").is_none(), "{answer}");
            } else {
                mqtt.publish_unsure(TOPIC, message.to_string()).await;
            }
        }
    }
    let logged = at_edge(&edge, "p0").await.unwrap();
    assert!(logged.len() > TIMES / 2, "only {} of {TIMES} changes are in the history", logged.len());
    assert_eq!(logged.last().unwrap()["value"], json!(TIMES), "what was answered is in the history");

    cloud.start_again().await;
    arrived(&cloud, 1).await;
    edge.process().kill();
    edge.start_again().await;
    arrived(&cloud, TIMES / 8).await;
    cloud.process().kill();
    cloud.start_again().await;
    edge.process().kill();
    edge.start_again().await;

    for n in 0..PROPERTIES {
        let property = format!("p{n}");
        let same = eventually_within(LONG, "both have the same samples", async || {
            let (here, there) = (at_edge(&edge, &property).await?, in_cloud(&cloud, &property).await?);
            if here == there {
                Ok(here)
            } else {
                Err(format!("{property}: {} at the edge, {} in the cloud", here.len(), there.len()))
            }
        })
        .await;
        let values: Vec<i64> = same.iter().filter_map(|item| item["value"].as_i64()).collect();
        assert!(values.is_sorted_by(|a, b| a < b), "{property} is out of order or has a double: {values:?}");
        let doubts = same.iter().filter(|item| item["why"] == "not_read_yet").count();
        assert!(doubts >= 1, "a restart leaves a gap that can be seen");
    }
    edge.assert_no_panic();
    assert!(!cloud.process().log().contains("panicked"));
}

#[tokio::test]
async fn the_history_is_put_together_in_steps_and_wrong_questions_are_answered_with_what_to_write() {
    let mut edge = Edge::start(NODE, None, &devices()).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "teller");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    for value in [3, 1, 2] {
        let answer = mqtt.ask(TOPIC, message(0, value), Duration::from_secs(30)).await.expect("an answer");
        assert!(answer.get("code").is_none(), "{answer}");
    }
    let ask = async |query: &str| {
        let path = format!("/api/v1/devices/{DEVICE}/history?{query}");
        request(&edge.api(), "GET", &path, None).await.unwrap()
    };
    let samples = ask("property=p1").await.body;
    let values: Vec<_> = samples["items"].as_array().unwrap().iter().map(|i| i["value"].clone()).collect();
    assert_eq!(values, [json!(3), json!(1), json!(2)]);
    for (fold, wanted) in [("min", json!(1)), ("max", json!(3)), ("mean", json!(2.0)), ("last", json!(2))] {
        let page = ask(&format!("property=p1&from=-100d&step=200d&fn={fold}")).await.body;
        let item = &page["items"][0];
        assert_eq!((&item["value"], &item["count"], &item["bad"]), (&wanted, &json!(3), &json!(0)), "{page}");
    }
    for (query, status, slug) in [
        ("property=plain", 422, "no-history"),
        ("property=nosuch", 404, "unknown-property"),
        ("property=p1&from=-30d&step=1ms", 400, "bad-request"),
        ("property=p1&nonsense=1", 400, "bad-request"),
        ("", 400, "bad-request"),
    ] {
        let answer = ask(query).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.body["type"], json!(format!("urn:twinspan:problem:{slug}")), "{}", answer.body);
    }
    edge.assert_no_panic();
}
