//! The whole line with real peers: a PLC by pymodbus, the gateway, the cloud, over TLS and joined by token.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use integration_tests::harness::{Cloud, Edge, ModbusPlc, Uplink, eventually, eventually_within};
use serde_json::{Value, json};

const NODE: &str = "plant-7";
/// A device that was away is asked again after a pause that has grown meanwhile.
const BACK: Duration = Duration::from_secs(40);

struct Line {
    first: ModbusPlc,
    second: ModbusPlc,
    cloud: Cloud,
    edge: Edge,
}

impl Line {
    /// Two PLCs, and everything good in the cloud; none when peers are to be skipped.
    async fn start() -> Option<Self> {
        let (first, second) = (ModbusPlc::start().await?, ModbusPlc::start().await?);
        let cloud = Cloud::start().await;
        let devices = devices(&[("pump-1", &first), ("pump-2", &second)]);
        let edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices).await;
        let line = Self { first, second, cloud, edge };
        line.reported("pump-1", "level", |level| level["value"] == 6).await;
        line.reported("pump-2", "level", |level| level["value"] == 6).await;
        Some(line)
    }

    async fn property(&self, device: &str, property: &str) -> Result<Value, String> {
        let twin = self.cloud.twin(NODE, &format!("default/{device}")).await?;
        Ok(twin["properties"][property].clone())
    }

    /// Waits until the cloud shows what is wanted of a property.
    async fn shows(&self, device: &str, property: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_within(BACK, &format!("the cloud shows {device} {property}"), async || {
            let found = self.property(device, property).await?;
            if wanted(&found) { Ok(found) } else { Err(found.to_string()) }
        })
        .await
    }

    async fn reported(&self, device: &str, property: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.shows(device, property, |found| wanted(&found["reported"])).await;
        found["reported"].clone()
    }

    async fn want(&self, device: &str, patch: Value) -> (u16, Value) {
        let answer = self.cloud.want(NODE, &format!("default/{device}"), &patch).await.unwrap();
        (answer.status, answer.body)
    }
}

fn devices(plcs: &[(&str, &ModbusPlc)]) -> String {
    let mut text = "models:\n  pump:\n    properties:\n".to_owned();
    text.push_str("      level: { type: int, every: 100ms, modbus: { holding: 5 } }\n");
    text.push_str(
        "      setpoint: { type: int, access: read_write, range: [0, 1000], every: 100ms, modbus: { holding: 10 } }\n",
    );
    text.push_str(
        "      mode: { type: int, access: read_write, one_of: [0, 1, 2], every: 100ms, modbus: { holding: 12 } }\n",
    );
    text.push_str("devices:\n");
    for (name, plc) in plcs {
        let address = plc.address();
        text.push_str(&format!(
            "  {name}: {{ model: pump, modbus: {{ tcp: \"{address}\", timeout: 500ms }} }}\n"
        ));
    }
    text
}

#[tokio::test]
async fn a_register_that_changes_shows_in_the_cloud_and_a_wish_in_the_cloud_changes_a_register() {
    let Some(mut line) = Line::start().await else { return };

    line.first.set_holding(5, 4242);
    let level = line.reported("pump-1", "level", |level| level["value"] == 4242).await;
    assert_eq!(level["quality"], "good");
    assert!(level["gateway_time"].is_i64() && level["cloud_time"].is_i64(), "{level}");
    assert_eq!(line.property("pump-2", "level").await.unwrap()["reported"]["value"], 6);

    let (status, twin) = line.want("pump-1", json!({"setpoint": 777})).await;
    assert_eq!(status, 200, "{twin}");
    let revision = twin["properties"]["setpoint"]["desired"]["revision"].clone();
    let setpoint = line
        .shows("pump-1", "setpoint", |s| {
            s["convergence"]["state"] == "in_sync" && s["reported"]["value"] == 777
        })
        .await;
    assert_eq!(line.first.holding(10), 777);
    assert_eq!(line.second.holding(10), 11);
    let outcome = &setpoint["reported"]["outcome"];
    assert_eq!((&outcome["result"], &outcome["revision"]), (&json!("applied"), &revision), "{setpoint}");

    // The device changes by itself: that is said, and not undone.
    line.first.set_holding(10, 5);
    line.shows("pump-1", "setpoint", |s| {
        s["convergence"]["state"] == "drifted" && s["reported"]["value"] == 5
    })
    .await;
    assert_eq!(line.first.holding(10), 5);
    line.edge.assert_no_panic();
}

#[tokio::test]
async fn a_device_that_dies_turns_bad_with_its_old_time_and_what_is_wanted_meanwhile_is_written_when_it_is_back()
 {
    let Some(mut line) = Line::start().await else { return };
    line.first.set_holding(5, 100);
    let before = line.reported("pump-1", "level", |level| level["value"] == 100).await;

    line.first.kill();
    for property in ["level", "setpoint", "mode"] {
        line.reported("pump-1", property, |r| r["quality"] == "bad" && r["why"] == "device_unreachable")
            .await;
    }
    let after = line.reported("pump-1", "level", |r| r["quality"] == "bad").await;
    assert_eq!(after["value"], before["value"], "the last value stays");
    assert_eq!(after["gateway_time"], before["gateway_time"], "a stale value must not look fresh");

    // The other device goes on.
    line.second.set_holding(5, 2222);
    let other = line.reported("pump-2", "level", |level| level["value"] == 2222).await;
    assert_eq!(other["quality"], "good");

    for value in [301, 302, 303] {
        let (status, body) = line.want("pump-1", json!({"setpoint": value})).await;
        assert_eq!(status, 200, "{body}");
    }
    let waiting = line.shows("pump-1", "setpoint", |s| s["desired"]["value"] == 303).await;
    assert_ne!(waiting["convergence"]["state"], "in_sync", "{waiting}");

    line.first.start_again().await;
    let level = line.reported("pump-1", "level", |r| r["quality"] == "good").await;
    // The registers of the device are as in its beginning.
    assert_eq!(level["value"], 6);
    assert!(level["gateway_time"].as_i64() > before["gateway_time"].as_i64(), "{level}");
    line.shows("pump-1", "setpoint", |s| {
        s["convergence"]["state"] == "in_sync" && s["reported"]["value"] == 303
    })
    .await;
    assert_eq!(line.first.holding(10), 303);
    assert_eq!(line.first.writes(), ["write 5 100", "write 10 303"], "only the newest is written, and once");
    line.edge.assert_no_panic();
}

#[tokio::test]
async fn a_wish_that_breaks_the_rule_of_its_property_is_refused_and_nothing_of_its_patch_is_set() {
    let Some(line) = Line::start().await else { return };
    for (patch, word) in [
        (json!({"setpoint": 1001}), "1000"),
        (json!({"setpoint": -1}), "0"),
        (json!({"mode": 3}), "mode"),
        (json!({"level": 1}), "level"),
        (json!({"setpoint": "fast"}), "setpoint"),
        (json!({"setpoint": 1.5}), "setpoint"),
        (json!({"mode": 1, "setpoint": 5000}), "setpoint"),
    ] {
        let (status, body) = line.want("pump-1", patch.clone()).await;
        assert_eq!(status, 422, "{patch}: {body}");
        assert!(body.to_string().contains(word), "{patch}: {body}");
    }
    for (device, patch) in [("pump-9", json!({"setpoint": 1})), ("pump-1", json!({"mode": 1, "no-such": 1}))]
    {
        let (status, body) = line.want(device, patch).await;
        assert_eq!(status, 404, "{body}");
    }
    let twin = line.cloud.twin(NODE, "default/pump-1").await.unwrap();
    for (name, property) in twin["properties"].as_object().unwrap() {
        assert!(property.get("desired").is_none(), "{name}: {property}");
    }
    assert_eq!((line.first.holding(10), line.first.holding(12)), (11, 13));
}

#[tokio::test]
async fn a_join_token_joins_once_and_a_node_that_has_joined_needs_none() {
    let cloud = Cloud::start().await;
    let uplink = Uplink::tls(&cloud, NODE);
    let devices = "devices:\n  dev-0: { properties: { a: { type: int } } }\n";
    let mut edge = Edge::start(NODE, Some(uplink.clone()), devices).await;
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    edge.process().kill();
    edge.start_again().await;
    eventually("the node is connected again", async || cloud.linked(NODE).await).await;
    edge.process().kill();

    let mut thief = Edge::start(NODE, Some(uplink), devices).await;
    eventually("the second use of a token is refused", async || {
        let log = thief.process().log();
        if log.contains("token_used") || log.contains("used") {
            Ok(())
        } else {
            Err("not in the log".to_owned())
        }
    })
    .await;
    assert!(cloud.linked(NODE).await.is_err(), "the thief must not be connected");
}
