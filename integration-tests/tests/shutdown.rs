//! How the programs end, and how they refuse to begin.

use std::process::Command;
use std::time::{Duration, Instant};

use integration_tests::harness::{
    Cloud, Edge, ModbusPlc, Mqtt, Port, Uplink, binary, eventually, eventually_within,
};
use serde_json::json;

const NODE: &str = "plant-12";
const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int }\n      b: { type: int, access: read_write }\n";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
/// The gateway's default, and a moment for a busy machine.
const GRACE: Duration = Duration::from_secs(11);

/// Tells it to stop; it ends cleanly, and soon enough.
async fn assert_stops(edge: &mut Edge, within: Duration) {
    let begun = Instant::now();
    edge.process().terminate();
    let status = edge.process().end(within).await;
    eprintln!("stopped in {} ms", begun.elapsed().as_millis());
    assert_eq!(status.code(), Some(0), "{}", edge.process().log());
    edge.assert_no_panic();
}

/// Listens on an address. A process that another thread is just starting may hold it a moment longer.
async fn hold(address: &str) -> std::net::TcpListener {
    eventually("the address is free", async || {
        std::net::TcpListener::bind(address).map_err(|e| e.to_string())
    })
    .await
}

async fn report(mqtt: &mut Mqtt, value: i64) -> bool {
    let body = json!({"twin": {"a": {"actual": {"value": value}}}});
    mqtt.ask(TOPIC, body, Duration::from_secs(2)).await.is_some_and(|answer| answer.get("code").is_none())
}

#[tokio::test]
async fn without_a_cloud_a_gateway_stops_cleanly_and_holds_afterwards_what_it_had_answered() {
    let mut edge = Edge::start(NODE, None, DEVICES).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "app");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    assert!(report(&mut mqtt, 7).await);
    assert_stops(&mut edge, GRACE).await;
    edge.start_again().await;
    assert_eq!(edge.twin("default/dev-0").await.unwrap()["properties"]["a"]["reported"]["value"], 7);
    assert_stops(&mut edge, GRACE).await;
}

#[tokio::test]
async fn with_a_cloud_a_gateway_that_stops_has_told_it_everything() {
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), DEVICES).await;
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "app");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    for value in 1..=50 {
        assert!(report(&mut mqtt, value).await);
    }
    assert_stops(&mut edge, GRACE).await;
    let twin = cloud.twin(NODE, "default/dev-0").await.unwrap();
    assert_eq!(twin["properties"]["a"]["reported"]["value"], 50);
    let begun = Instant::now();
    cloud.process().terminate();
    assert_eq!(cloud.process().end(GRACE).await.code(), Some(0));
    eprintln!("the cloud stopped in {} ms", begun.elapsed().as_millis());
}

#[tokio::test]
async fn with_a_cloud_that_is_away_a_gateway_stops_cleanly_all_the_same() {
    let port = Port::free();
    let mut edge = Edge::start(NODE, Some(Uplink::nowhere(&port)), DEVICES).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "app");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    assert!(report(&mut mqtt, 8).await);
    assert_stops(&mut edge, GRACE).await;
    edge.start_again().await;
    assert_eq!(edge.twin("default/dev-0").await.unwrap()["properties"]["a"]["reported"]["value"], 8);
}

#[tokio::test]
async fn with_a_dead_device_a_gateway_stops_cleanly() {
    let Some(mut plc) = ModbusPlc::start().await else { return };
    let devices = format!(
        "devices:\n  pump:\n    modbus: {{ tcp: \"{}\", timeout: 5s }}\n    properties:\n      \
         level: {{ type: int, every: 100ms, modbus: {{ holding: 5 }} }}\n",
        plc.address()
    );
    let mut edge = Edge::start(NODE, None, &devices).await;
    let quality = async |edge: &Edge| {
        let twin = edge.twin("default/pump").await?;
        Ok::<_, String>(twin["properties"]["level"]["reported"]["quality"].as_str().unwrap_or("").to_owned())
    };
    let is = async |edge: &Edge, wanted: &str| {
        let found = quality(edge).await?;
        if found == wanted { Ok(()) } else { Err(found) }
    };
    eventually("the device answers", async || is(&edge, "good").await).await;
    plc.kill();
    // An address that swallows what it is sent, as a device does that hangs.
    let hanging = hold(&plc.address()).await;
    eventually("the device does not answer", async || is(&edge, "bad").await).await;
    assert_stops(&mut edge, GRACE).await;
    drop(hanging);
}

#[tokio::test]
async fn under_load_a_gateway_stops_cleanly_and_loses_nothing_that_it_had_answered() {
    let cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::plain(&cloud)), DEVICES).await;
    let mut writer = Mqtt::connect(edge.mqtt(), "writer");
    writer.subscribe(&format!("{TOPIC}/result")).await;
    let flood = Mqtt::connect(edge.mqtt(), "flood");
    let mut answered = 0;
    let load = async {
        for value in 1.. {
            for _ in 0..20 {
                let body = json!({"twin": {"b": {"actual": {"value": value}}}}).to_string();
                flood.publish_unsure(TOPIC, body).await;
            }
            if report(&mut writer, value).await {
                answered = value;
            } else {
                break;
            }
        }
    };
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_stops(&mut edge, GRACE).await;
    };
    tokio::join!(load, stopping);
    assert!(answered > 10, "too little was answered: {answered}");
    edge.start_again().await;
    let held = edge.twin("default/dev-0").await.unwrap()["properties"]["a"]["reported"]["value"].as_i64();
    assert!(held >= Some(answered), "{held:?}, answered was {answered}");
}

#[tokio::test]
async fn a_bad_configuration_ends_with_64_and_all_its_faults() {
    let text = "gateway: { node: Plant_7, api: { listen: \"0.0.0.0:1\" } }\n\
                devices:\n  pump:\n    modbus: { tcp: \"x\" }\n    properties:\n      a: { type: integer }\n      b: { type: int, evry: 1s }\n";
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, text).unwrap();
    for command in ["run", "check"] {
        let output = Command::new(binary("twinspan")).arg(command).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{command}");
        let said = String::from_utf8(output.stderr).unwrap();
        for word in ["Plant_7", "0.0.0.0:1", "integer", "evry", "did you mean `every`", "bad.yaml"] {
            assert!(said.contains(word), "{command} does not say {word}:\n{said}");
        }
    }
    for arguments in [vec!["run", "/nowhere/twinspan.yaml"], vec!["no-such-command"], vec![]] {
        let output = Command::new(binary("twinspan")).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_good_configuration_is_found_good() {
    let edge = Edge::prepare(NODE, None, None, DEVICES);
    let output = Command::new(binary("twinspan")).arg("check").arg(edge.config()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("is right: 1 device (1 over MQTT), 2 properties, 1 writable"), "{said}");
}

#[tokio::test]
async fn an_address_that_is_in_use_ends_a_gateway_with_1_and_says_what_to_change() {
    for (busy, mend) in [("api", "gateway.api.listen"), ("mqtt", "is another broker running there?")] {
        let mut edge = Edge::prepare(NODE, None, None, DEVICES);
        let address = if busy == "api" { edge.api() } else { format!("127.0.0.1:{}", edge.mqtt()) };
        let held = hold(&address).await;
        edge.launch();
        let status = edge.process().end(GRACE).await;
        let log = edge.process().log();
        assert_eq!(status.code(), Some(1), "{busy}: {log}");
        assert!(log.contains(mend) && log.contains(&address), "{busy}: {log}");
        edge.assert_no_panic();
        drop(held);
        drop(hold(&address).await);
        edge.start_again().await;
    }
}

#[tokio::test]
async fn two_gateways_on_one_folder_do_not_work_side_by_side() {
    let mut edge = Edge::start(NODE, None, DEVICES).await;
    let mut second = Edge::prepare(NODE, None, None, DEVICES);
    let text = std::fs::read_to_string(second.config()).unwrap();
    let own = second.folder().join("data").display().to_string();
    let taken = edge.folder().join("data").display().to_string();
    std::fs::write(second.config(), text.replace(&own, &taken)).unwrap();
    second.launch();
    let ended = eventually_within(GRACE, "the second one ends", async || {
        second.process().ended().ok_or_else(|| "it runs".to_owned())
    });
    assert_eq!(ended.await.code(), Some(1), "{}", second.process().log());
    assert!(edge.process().ended().is_none(), "the first one goes on");
}
