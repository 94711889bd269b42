//! The clock of the gateway's machine is set back and ahead by a day while it runs, through libfaketime.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::time::Duration;

use integration_tests::harness::{
    Cloud, Edge, Mqtt, SKIP_PEERS, Uplink, difference, eventually, eventually_within, request,
};
use serde_json::{Value, json};

const NODE: &str = "plant-5";
const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      count: { type: int }\n      \
     quick: { type: int, stale_after: 2s }\n      slow: { type: int, stale_after: 90s }\n      \
     setpoint: { type: int, access: read_write }\n";
const NOTICED: Duration = Duration::from_secs(20);

/// The library that gives a process another time; none when it is to be skipped.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|folder| folder.path());
    let found =
        folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.exists());
    if found.is_none() {
        let skip = std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1");
        assert!(
            skip,
            "libfaketime is missing: scripts/test installs it, or set {SKIP_PEERS}=1 to skip this test"
        );
        eprintln!("skipped: libfaketime is missing");
    }
    found
}

async fn report(mqtt: &mut Mqtt, name: &str, value: i64) {
    let body = json!({"twin": {name: {"actual": {"value": value}}}});
    let answer = mqtt.ask(TOPIC, body, NOTICED).await.expect("an answer");
    assert!(answer.get("code").is_none(), "{answer}");
}

async fn property(edge: &Edge, name: &str) -> Result<Value, String> {
    Ok(edge.twin(DEVICE).await?["properties"][name].clone())
}

async fn arrives(edge: &Edge, cloud: &Cloud, what: &str) {
    eventually_within(Duration::from_secs(40), what, async || {
        let (at_edge, in_cloud) = (edge.twin(DEVICE).await?, cloud.twin(NODE, DEVICE).await?);
        difference(&at_edge, &in_cloud).map_or(Ok(()), Err)
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_by_a_day_stops_nothing() {
    let Some(library) = faketime() else { return };
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::prepare(NODE, Some(Uplink::tls(&cloud, NODE)), None, DEVICES);
    let clock = edge.folder().join("clock");
    let set = |to: &str| std::fs::write(&clock, format!("{to}\n")).unwrap();
    set("+0");
    edge.set_environment("LD_PRELOAD", &library.display().to_string());
    edge.set_environment("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string());
    edge.set_environment("FAKETIME_NO_CACHE", "1");
    edge.set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    edge.set_environment("DONT_FAKE_MONOTONIC", "1");
    edge.start_again().await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "writer");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    report(&mut mqtt, "count", 1).await;
    arrives(&edge, &cloud, "the first value is in the cloud").await;

    // A day back.
    report(&mut mqtt, "quick", 1).await;
    report(&mut mqtt, "slow", 1).await;
    set("-1d");
    eventually("its time counts on", async || {
        let quick = property(&edge, "quick").await?;
        if quick["reported"]["why"] == "stale" { Ok(()) } else { Err(quick.to_string()) }
    })
    .await;
    assert_eq!(property(&edge, "slow").await.unwrap()["reported"]["quality"], "good");
    report(&mut mqtt, "count", 2).await;
    arrives(&edge, &cloud, "values go up with the clock a day behind").await;
    let path = format!("/api/v1/nodes/{NODE}/devices/{DEVICE}/desired");
    let wished = request(&cloud.rest(), "PATCH", &path, Some(&json!({"setpoint": 5}))).await.unwrap();
    assert_eq!(wished.status, 200, "{}", wished.body);
    arrives(&edge, &cloud, "wishes come down").await;
    // The certificates hold for a machine that is a day behind.
    cloud.process().kill();
    cloud.start_again().await;
    report(&mut mqtt, "count", 3).await;
    arrives(&edge, &cloud, "the link is made anew with the clock a day behind").await;

    // Two days ahead: a day ahead of the true time.
    report(&mut mqtt, "slow", 2).await;
    let until =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 3_600_000;
    let wish = json!({"setpoint": {"value": 9, "valid_until": u64::try_from(until).unwrap()}});
    let set_it =
        request(&edge.api(), "PATCH", &format!("/api/v1/devices/{DEVICE}/override"), Some(&wish)).await;
    assert_eq!(set_it.unwrap().status, 200);
    set("+1d");
    eventually("the override has run out by the new time", async || {
        let setpoint = property(&edge, "setpoint").await?;
        if setpoint["override"].is_null() { Ok(()) } else { Err(setpoint.to_string()) }
    })
    .await;
    assert_eq!(
        property(&edge, "slow").await.unwrap()["reported"]["quality"],
        "good",
        "it was read seconds ago"
    );
    report(&mut mqtt, "count", 4).await;
    arrives(&edge, &cloud, "values go up with the clock a day ahead").await;
    let said = edge
        .process()
        .log()
        .lines()
        .filter(|line| line.contains("the clock of this machine was set"))
        .count();
    assert_eq!(said, 2);
    edge.process().terminate();
    assert!(edge.process().end(NOTICED).await.success());
    edge.assert_no_panic();
}
