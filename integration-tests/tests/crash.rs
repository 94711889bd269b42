//! `kill -9` at random moments: nothing that was answered is lost, and both sides hold the same in the end.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::harness::{Cloud, Edge, Mqtt, Uplink, difference, eventually_within, request};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NODE: &str = "plant-9";
const DEVICE: &str = "default/dev-0";
const ROUNDS: usize = 20;
/// MQTT clients, each with properties of its own.
const CLIENTS: usize = 4;
const PROPERTIES: usize = 5;
const SETPOINTS: usize = 8;

/// The newest value of each property that was answered; each value is larger than the one before.
type Answered = Arc<Mutex<BTreeMap<String, i64>>>;

fn devices() -> String {
    let mut text = "devices:\n  dev-0:\n    properties:\n".to_owned();
    for client in 0..CLIENTS {
        for property in 0..PROPERTIES {
            text.push_str(&format!("      p{client}-{property}: {{ type: int }}\n"));
        }
    }
    for property in 0..SETPOINTS {
        text.push_str(&format!("      s{property}: {{ type: int, access: read_write }}\n"));
    }
    text
}

/// Reports growing values one after the other, and remembers those that were answered.
async fn report(port: u16, client: usize, answered: Answered, stop: Arc<AtomicBool>) -> u64 {
    let mut mqtt = Mqtt::connect(port, &format!("writer-{client}"));
    let topic = format!("$hw/events/device/{DEVICE}/twin/update");
    let mut losses = u64::MAX;
    let (mut value, mut count) = (0_i64, 0_u64);
    while !stop.load(Ordering::SeqCst) {
        if !mqtt.is_up() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        if losses != mqtt.lost() {
            // A subscription ends with its connection.
            losses = mqtt.lost();
            if !mqtt.try_subscribe(&format!("{topic}/result"), Duration::from_secs(1)).await {
                losses = u64::MAX;
                continue;
            }
        }
        value += 1;
        let name = format!("p{client}-{}", fastrand::usize(..PROPERTIES));
        let body = json!({"twin": {(name.as_str()): {"actual": {"value": value}}}});
        if let Some(answer) = mqtt.ask(&topic, body, Duration::from_millis(1500)).await {
            assert!(answer.get("code").is_none(), "{answer}");
            answered.lock().unwrap().insert(name, value);
            count += 1;
        }
    }
    count
}

/// Sets growing desired values, and remembers those that were answered with 200.
async fn wish(rest: String, answered: Answered, stop: Arc<AtomicBool>) -> u64 {
    let path = format!("/api/v1/nodes/{NODE}/devices/{DEVICE}/desired");
    let (mut value, mut count) = (0_i64, 0_u64);
    while !stop.load(Ordering::SeqCst) {
        value += 1;
        let name = format!("s{}", fastrand::usize(..SETPOINTS));
        let patch = json!({(name.as_str()): value});
        match request(&rest, "PATCH", &path, Some(&patch)).await {
            Ok(answer) if answer.status == 200 => {
                answered.lock().unwrap().insert(name, value);
                count += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(answer) => assert!(answer.status >= 500, "{}: {}", answer.status, answer.body),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    count
}

/// That a twin holds nothing older than what was answered.
fn assert_holds(twin: &Value, part: &str, answered: &BTreeMap<String, i64>, where_: &str) {
    for (name, least) in answered {
        let found = twin["properties"][name][part]["value"].as_i64();
        assert!(
            found.is_some_and(|found| found >= *least),
            "{where_}: {part} {name} was answered as {least}, but is {found:?}"
        );
    }
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_by_kill_9_of_either_side_and_both_are_equal_in_the_end() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices()).await;
    eventually_within(Duration::from_secs(20), "the cloud knows the device", async || {
        cloud.twin(NODE, DEVICE).await.map(|_| ())
    })
    .await;

    let (reported, desired) = (Answered::default(), Answered::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for client in 0..CLIENTS {
        writers.spawn(report(edge.mqtt(), client, Arc::clone(&reported), Arc::clone(&stop)));
    }
    writers.spawn(wish(cloud.rest(), Arc::clone(&desired), Arc::clone(&stop)));

    for round in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(random.u64(50..1200))).await;
        if random.bool() {
            let before = reported.lock().unwrap().clone();
            edge.process().kill();
            edge.start_again().await;
            let twin = edge.twin(DEVICE).await.unwrap();
            assert_holds(&twin, "reported", &before, &format!("round {round}, the edge after its end"));
        } else {
            let before = desired.lock().unwrap().clone();
            cloud.process().kill();
            cloud.start_again().await;
            let twin = cloud.twin(NODE, DEVICE).await.unwrap();
            assert_holds(&twin, "desired", &before, &format!("round {round}, the cloud after its end"));
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut counts = Vec::new();
    while let Some(count) = writers.join_next().await {
        counts.push(count.unwrap());
    }

    let (at_edge, in_cloud) =
        eventually_within(Duration::from_secs(40), "both sides are equal", async || {
            let (at_edge, in_cloud) = (edge.twin(DEVICE).await?, cloud.twin(NODE, DEVICE).await?);
            difference(&at_edge, &in_cloud).map_or(Ok((at_edge, in_cloud)), Err)
        })
        .await;
    let (reported, desired) = (reported.lock().unwrap().clone(), desired.lock().unwrap().clone());
    for (twin, where_) in [(&at_edge, "the edge"), (&in_cloud, "the cloud")] {
        assert_holds(twin, "reported", &reported, where_);
        assert_holds(twin, "desired", &desired, where_);
    }
    eprintln!("answered: {counts:?}");
    assert_eq!((reported.len(), desired.len()), (CLIENTS * PROPERTIES, SETPOINTS), "too little was answered");
    assert!(counts.iter().all(|count| *count > 20), "too little was answered: {counts:?}");
    edge.assert_no_panic();
    assert!(!cloud.process().log().contains("panicked"));
}
