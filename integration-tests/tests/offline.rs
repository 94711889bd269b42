//! The cloud is away while values flap: what is owed is the newest state, not the way there.

use std::time::{Duration, Instant};

use integration_tests::harness::{Cloud, Edge, Mqtt, Uplink, difference, eventually_within};
use serde_json::{Map, Value, json};

const NODE: &str = "plant-10";
const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const PROPERTIES: usize = 200;
/// Each of them in this many messages.
const TIMES: usize = 150;
/// Properties in a message.
const TOGETHER: usize = 20;

fn message(first: usize, value: usize) -> Value {
    let change = |n| (format!("p{n}"), json!({"actual": {"value": value}}));
    let twin: Map<String, Value> = (first..first + TOGETHER).map(change).collect();
    json!({"twin": twin})
}

#[tokio::test]
async fn after_tens_of_thousands_of_updates_without_a_cloud_it_is_equal_within_seconds_of_its_return() {
    let mut cloud = Cloud::start().await;
    let mut devices = "devices:\n  dev-0:\n    properties:\n".to_owned();
    for n in 0..PROPERTIES {
        devices.push_str(&format!("      p{n}: {{ type: int }}\n"));
    }
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices).await;
    eventually_within(Duration::from_secs(20), "the cloud knows the device", async || {
        cloud.twin(NODE, DEVICE).await.map(|_| ())
    })
    .await;
    cloud.process().terminate();
    assert_eq!(cloud.process().end(Duration::from_secs(11)).await.code(), Some(0));

    let begun = Instant::now();
    let mut mqtt = Mqtt::connect(edge.mqtt(), "flapper");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    for value in 1..TIMES {
        for first in (0..PROPERTIES).step_by(TOGETHER) {
            mqtt.publish_unsure(TOPIC, message(first, value).to_string()).await;
        }
    }
    for first in (0..PROPERTIES).step_by(TOGETHER) {
        let answer =
            mqtt.ask(TOPIC, message(first, TIMES), Duration::from_secs(30)).await.expect("an answer");
        assert!(answer.get("code").is_none(), "{answer}");
    }
    eprintln!("{} updates in {} ms", PROPERTIES * TIMES, begun.elapsed().as_millis());
    // What is left of those nobody waited for is overtaken by them, never the other way round.
    let quiet = eventually_within(Duration::from_secs(20), "the edge is quiet", async || {
        let before = edge.twin(DEVICE).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        if edge.twin(DEVICE).await? == before { Ok(before) } else { Err("it still changes".to_owned()) }
    })
    .await;
    for n in 0..PROPERTIES {
        let reported = &quiet["properties"][format!("p{n}")]["reported"];
        assert_eq!(reported["value"], json!(TIMES), "p{n}");
    }

    cloud.start_again().await;
    eventually_within(Duration::from_secs(45), "the node is connected", async || cloud.linked(NODE).await)
        .await;
    let linked = Instant::now();
    eventually_within(Duration::from_secs(5), "both sides are equal", async || {
        let (at_edge, in_cloud) = (edge.twin(DEVICE).await?, cloud.twin(NODE, DEVICE).await?);
        difference(&at_edge, &in_cloud).map_or(Ok(()), Err)
    })
    .await;
    eprintln!("equal {} ms after the link was up", linked.elapsed().as_millis());
    edge.assert_no_panic();
}
