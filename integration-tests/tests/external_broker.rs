//! The gateway on a broker of somebody else: mosquitto.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use integration_tests::harness::{
    Cloud, Edge, ModbusPlc, Mosquitto, Mqtt, Process, Uplink, binary, eventually_within,
};
use serde_json::{Value, json};

const NODE: &str = "plant-8";

fn devices(plc: &ModbusPlc) -> String {
    format!(
        "devices:\n  pump:\n    modbus: {{ tcp: \"{}\", timeout: 500ms }}\n    properties:\n      \
         level: {{ type: int, every: 100ms, report: {{ max_silence: 500ms }}, modbus: {{ holding: 5 }} }}\n      \
         setpoint: {{ type: int, access: read_write, range: [0, 1000], every: 100ms, modbus: {{ holding: 10 }} }}\n  \
         dev-0: {{ properties: {{ temperature: {{ type: int, access: read_write }} }} }}\n",
        plc.address()
    )
}

async fn shows(cloud: &Cloud, device: &str, property: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let what = format!("the cloud shows {device} {property}");
    eventually_within(Duration::from_secs(40), &what, async || {
        let twin = cloud.twin(NODE, &format!("default/{device}")).await?;
        let found = twin["properties"][property].clone();
        if wanted(&found) { Ok(found) } else { Err(found.to_string()) }
    })
    .await
}

#[tokio::test]
async fn over_mosquitto_the_mapper_and_a_foreign_device_reach_the_cloud_and_wishes_come_down() {
    let (Some(plc), Some(mut broker)) = (ModbusPlc::start().await, Mosquitto::start().await) else { return };
    let cloud = Cloud::start().await;
    let uplink = Some(Uplink::tls(&cloud, NODE));
    let mut edge = Edge::prepare(NODE, uplink, Some(&broker.url()), &devices(&plc));
    edge.start_again().await;

    // Up and down through the gateway's own mapper.
    shows(&cloud, "pump", "level", |p| p["reported"]["value"] == 6).await;
    plc.set_holding(5, 900);
    shows(&cloud, "pump", "level", |p| p["reported"]["value"] == 900).await;
    assert_eq!(cloud.want(NODE, "default/pump", &json!({"setpoint": 70})).await.unwrap().status, 200);
    shows(&cloud, "pump", "setpoint", |p| p["convergence"]["state"] == "in_sync").await;
    assert_eq!(plc.holding(10), 70);

    // A device of others, as KubeEdge's mappers speak.
    let topic = "$hw/events/device/default/dev-0/twin/update";
    let mut listener = Mqtt::connect(broker.port(), "listener");
    listener.subscribe("$hw/events/device/default/dev-0/twin/update/+").await;
    let body =
        r#"{"event_id":"k1","twin":{"temperature":{"actual":{"value":"21"},"metadata":{"type":"int"}}}}"#;
    broker.publish(topic, body);
    let result = listener
        .find(Duration::from_secs(10), |m| m.topic.ends_with("/result") && m.json()["event_id"] == "k1")
        .await
        .expect("an answer");
    assert_eq!(result.json()["twin"]["temperature"]["actual"]["value"], "21");
    shows(&cloud, "dev-0", "temperature", |p| p["reported"]["value"] == 21).await;
    // The older form without a namespace.
    broker.publish("$hw/events/device/dev-0/twin/update", &body.replace("21", "22").replace("k1", "k2"));
    shows(&cloud, "dev-0", "temperature", |p| p["reported"]["value"] == 22).await;

    // What is wanted of it comes as a delta; its mapper answers with an outcome.
    assert_eq!(cloud.want(NODE, "default/dev-0", &json!({"temperature": 25})).await.unwrap().status, 200);
    let delta = listener
        .find(Duration::from_secs(10), |m| {
            m.topic.ends_with("/delta") && !m.json()["twin"]["temperature"].is_null()
        })
        .await
        .expect("a delta")
        .json();
    let wanted = &delta["twin"]["temperature"];
    assert_eq!((&wanted["expected"]["value"], &delta["delta"]["temperature"]), (&json!("25"), &json!("25")));
    let outcome =
        json!({"part": wanted["part"], "revision": wanted["revision"], "value": "25", "result": "applied"});
    let answer = json!({"twin": {"temperature": {"actual": {"value": "25"}, "outcome": outcome}}});
    broker.publish(topic, &answer.to_string());
    shows(&cloud, "dev-0", "temperature", |p| p["convergence"]["state"] == "in_sync").await;

    // The broker goes and comes, and has forgotten what it held.
    broker.kill();
    assert_eq!(cloud.want(NODE, "default/pump", &json!({"setpoint": 71})).await.unwrap().status, 200);
    broker.start_again().await;
    shows(&cloud, "pump", "setpoint", |p| p["convergence"]["state"] == "in_sync").await;
    assert_eq!(plc.holding(10), 71);
    edge.assert_no_panic();
}

fn mapper(config: &Path, broker: &Mosquitto, log: &Path) -> Process {
    let mut command = Command::new(binary("twinspan"));
    command.args(["mapper", "modbus", "--config"]).arg(config).args(["--broker", &broker.url()]);
    Process::start("the mapper", command.env_remove("RUST_LOG"), log)
}

#[tokio::test]
async fn a_mapper_that_is_a_process_of_its_own_serves_a_gateway_that_knows_its_device_as_an_outside_one() {
    let (Some(plc), Some(broker)) = (ModbusPlc::start().await, Mosquitto::start().await) else { return };
    let cloud = Cloud::start().await;
    let outside = "devices:\n  pump:\n    properties:\n      level: { type: int, stale_after: 3s }\n      \
                   setpoint: { type: int, access: read_write, range: [0, 1000] }\n";
    let uplink = Some(Uplink::plain(&cloud));
    let mut edge = Edge::prepare(NODE, uplink, Some(&broker.url()), outside);
    edge.start_again().await;
    let config = edge.folder().join("mapper.yaml");
    std::fs::write(&config, format!("gateway: {{ node: {NODE} }}\n{}", devices(&plc))).unwrap();
    let log = edge.folder().join("mapper.log");
    let mut process = mapper(&config, &broker, &log);

    shows(&cloud, "pump", "level", |p| p["reported"]["value"] == 6).await;
    assert_eq!(cloud.want(NODE, "default/pump", &json!({"setpoint": 99})).await.unwrap().status, 200);
    shows(&cloud, "pump", "setpoint", |p| p["convergence"]["state"] == "in_sync").await;
    assert_eq!(plc.holding(10), 99);

    // It is killed and started again: the retained wish is not written a second time over what the device holds now.
    process.kill();
    plc.set_holding(10, 55);
    let mut process = mapper(&config, &broker, &log);
    shows(&cloud, "pump", "setpoint", |p| p["reported"]["value"] == 55).await;
    assert_eq!(plc.holding(10), 55);

    process.terminate();
    let status = process.end(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", process.log());
    shows(&cloud, "pump", "level", |p| p["reported"]["why"] == "mapper_down").await;

    // One that cannot say so falls silent: its values get stale.
    let mut process = mapper(&config, &broker, &log);
    shows(&cloud, "pump", "level", |p| p["reported"]["quality"] == "good").await;
    process.kill();
    shows(&cloud, "pump", "level", |p| p["reported"]["quality"] == "bad" && p["reported"]["why"] == "stale")
        .await;
    edge.assert_no_panic();
}
