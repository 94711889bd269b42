//! Alarms through the whole stack, overrides over MQTT, and an interlock before a real Modbus device.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use integration_tests::harness::{
    Cloud, Edge, ModbusPlc, Mqtt, Uplink, eventually, eventually_within, request,
};
use serde_json::{Value, json};

const NODE: &str = "plant-12";
const TOPIC: &str = "$hw/events/device/default/boiler";
const WAIT: Duration = Duration::from_secs(10);

const DEVICES: &str = "devices:
  boiler:
    properties:
      temperature:
        type: float
        unit: °C
        alarms:
          hot: { high: 80, hysteresis: 2, severity: critical, message: the boiler is too hot }
          cold: { low: 5 }
      setpoint: { type: float, access: read_write, range: [0, 90] }
";

/// The states of the alarms at an address, as `rule state`.
async fn states(address: &str, path: &str) -> Result<Vec<String>, String> {
    let answer = request(address, "GET", path, None).await.map_err(|e| e.to_string())?;
    let items = answer.body["items"].as_array().ok_or_else(|| answer.body.to_string())?;
    let words =
        items.iter().map(|a| format!("{} {}", a["rule"].as_str().unwrap(), a["state"].as_str().unwrap()));
    Ok(words.collect())
}

async fn shows(address: &str, path: &str, wanted: &[&str]) {
    eventually_within(Duration::from_secs(45), &format!("{address}{path} shows {wanted:?}"), async || {
        let found = states(address, path).await?;
        if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

async fn temperature(mqtt: &mut Mqtt, value: f64) {
    let body = json!({"twin": {"temperature": {"actual": {"value": value}}}});
    let answer = mqtt.ask(&format!("{TOPIC}/twin/update"), body, WAIT).await.expect("an answer");
    assert!(answer.get("code").is_none(), "{answer}");
}

#[tokio::test]
async fn an_alarm_raised_while_the_link_is_down_reaches_the_cloud_and_survives_a_kill() {
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), DEVICES).await;
    eventually("the cloud knows the device", async || cloud.twin(NODE, "default/boiler").await.map(|_| ()))
        .await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "boiler-mapper");
    mqtt.subscribe(&format!("{TOPIC}/#")).await;
    let mut listener = Mqtt::connect(edge.mqtt(), "boiler-listener");
    listener.subscribe(&format!("{TOPIC}/#")).await;
    temperature(&mut mqtt, 20.0).await;
    cloud.process().terminate();
    assert_eq!(cloud.process().end(Duration::from_secs(11)).await.code(), Some(0));

    temperature(&mut mqtt, 81.5).await;
    let topic = format!("{TOPIC}/alarm/state/temperature/hot");
    let raised = listener.find(WAIT, |message| message.topic == topic).await.expect("an alarm").json();
    assert_eq!(raised["alarm"]["state"], "active", "{raised}");
    assert_eq!((&raised["alarm"]["value"], &raised["alarm"]["severity"]), (&json!(81.5), &json!("critical")));
    assert_eq!(states(&edge.api(), "/api/v1/alarms").await.unwrap(), ["hot active"]);
    let api = edge.api();
    let asked = format!("GET /metrics HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n\r\n");
    let metrics = integration_tests::harness::raw(&api, asked.as_bytes()).await.unwrap();
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("twinspan_alarms{severity=\"critical\"} 1"), "{metrics}");

    cloud.start_again().await;
    shows(&cloud.rest(), "/api/v1/alarms", &["hot active"]).await;
    let path = "/api/v1/alarms/default/boiler/temperature/hot";
    let note = json!({"by": "anna", "comment": "I go and look"});
    let known = request(&edge.api(), "POST", &format!("{path}/acknowledge"), Some(&note)).await.unwrap();
    assert_eq!((known.status, &known.body["acknowledged"]["by"]), (200, &json!("anna")), "{}", known.body);
    shows(&cloud.rest(), &format!("/api/v1/nodes/{NODE}/alarms?severity=critical"), &["hot acknowledged"])
        .await;
    shows(&cloud.rest(), "/api/v1/alarms?state=active,shelved", &[]).await;

    edge.process().kill();
    edge.start_again().await;
    assert_eq!(states(&edge.api(), "/api/v1/alarms").await.unwrap(), ["hot acknowledged"]);
    let mut mqtt = Mqtt::connect(edge.mqtt(), "boiler-mapper-again");
    mqtt.subscribe(&format!("{TOPIC}/#")).await;
    let retained = mqtt.find(WAIT, |message| message.topic == topic).await.expect("it is retained").json();
    assert_eq!(
        (&retained["alarm"]["state"], &retained["alarm"]["raised"]),
        (&json!("acknowledged"), &json!(1))
    );
    temperature(&mut mqtt, 70.0).await;
    shows(&cloud.rest(), "/api/v1/alarms", &["hot cleared"]).await;

    let shelve = json!({"property": "temperature", "rule": "cold", "action": "shelve", "for_ms": 60_000, "by": "bert"});
    let answer = mqtt.ask(&format!("{TOPIC}/alarm/update"), shelve, WAIT).await.expect("an answer");
    assert_eq!(
        (&answer["alarm"]["state"], &answer["alarm"]["shelved_by"]),
        (&json!("shelved"), &json!("bert"))
    );
    shows(&cloud.rest(), "/api/v1/alarms", &["cold shelved", "hot cleared"]).await;
    let unshelve = json!({"property": "temperature", "rule": "cold", "action": "unshelve"});
    let answer = mqtt.ask(&format!("{TOPIC}/alarm/update"), unshelve, WAIT).await.expect("an answer");
    assert_eq!(answer["alarm"], Value::Null, "{answer}");
    shows(&cloud.rest(), "/api/v1/alarms", &["hot cleared"]).await;
    let unknown = json!({"property": "temperature", "rule": "hto", "action": "acknowledge"});
    let answer = mqtt.ask(&format!("{TOPIC}/alarm/update"), unknown, WAIT).await.expect("an answer");
    assert_eq!(answer["error"], "not_acceptable", "{answer}");
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_local_operator_sets_and_releases_values_over_mqtt_and_they_end_by_themselves() {
    let mut edge = Edge::start(NODE, None, DEVICES).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "operator-panel");
    mqtt.subscribe(&format!("{TOPIC}/#")).await;
    let topic = format!("{TOPIC}/twin/override/update");
    let shown = async |edge: &Edge| {
        Ok::<_, String>(edge.twin("default/boiler").await?["properties"]["setpoint"].clone())
    };

    let body = json!({"by": "anna", "override": {"setpoint": {"value": 60}}});
    let answer = mqtt.ask(&topic, body, WAIT).await.expect("an answer");
    assert_eq!(answer["twin"]["setpoint"]["expected"]["typed"], 60.0, "{answer}");
    assert_eq!(answer["twin"]["setpoint"]["convergence"]["state"], "pending", "{answer}");
    let setpoint = shown(&edge).await.unwrap();
    assert_eq!(
        (&setpoint["override"]["set_by"], &setpoint["effective"]["part"]),
        (&json!("anna"), &json!("override"))
    );
    let body = json!({"override": {"setpoint": null}});
    mqtt.ask(&topic, body, WAIT).await.expect("an answer");
    assert_eq!(shown(&edge).await.unwrap()["convergence"]["state"], "none");

    let body = json!({"override": {"setpoint": {"value": 50, "expires_in_ms": 400}}});
    mqtt.ask(&topic, body, WAIT).await.expect("an answer");
    eventually("the override ends by itself", async || {
        let setpoint = shown(&edge).await?;
        if setpoint.get("override").is_none() { Ok(()) } else { Err(setpoint.to_string()) }
    })
    .await;
    for (wanted, error) in [
        (json!({"setpoint": {"value": 100}}), "not_acceptable"),
        (json!({"setpoint": {"value": 1, "until": 5}}), "not_acceptable"),
        (json!({"nothing": {"value": 1}}), "unknown_property"),
        (json!({"setpoint": {"value": "warm"}}), "wrong_type"),
    ] {
        let answer = mqtt.ask(&topic, json!({"override": wanted}), WAIT).await.expect("an answer");
        assert_eq!(answer["error"], error, "{wanted}: {answer}");
    }
    edge.assert_no_panic();
}

#[tokio::test]
async fn an_interlock_refuses_just_before_the_write_and_nothing_reaches_the_device() {
    let Some(plc) = ModbusPlc::start().await else { return };
    let address = plc.address();
    let devices = format!(
        "devices:
  pump:
    modbus: {{ tcp: \"{address}\", timeout: 500ms }}
    properties:
      level: {{ type: int, every: 100ms, modbus: {{ holding: 5 }} }}
      speed:
        type: int
        access: read_write
        every: 100ms
        modbus: {{ holding: 10 }}
        guard: {{ step: 500, when: \"level < 90\", message: the tank is full }}
"
    );
    plc.set_holding(5, 95);
    let before = plc.writes().len();
    let mut edge = Edge::start(NODE, None, &devices).await;
    let speed =
        async |edge: &Edge| Ok::<_, String>(edge.twin("default/pump").await?["properties"]["speed"].clone());
    eventually("the level and the speed are read", async || {
        let twin = edge.twin("default/pump").await?;
        let read = |name: &str| twin["properties"][name]["reported"]["quality"] == "good";
        if read("level") && read("speed") { Ok(()) } else { Err(twin.to_string()) }
    })
    .await;
    let path = "/api/v1/devices/default/pump/override";
    let now = speed(&edge).await.unwrap()["reported"]["value"].as_i64().unwrap();
    let far = request(&edge.api(), "PATCH", path, Some(&json!({"speed": now + 501}))).await.unwrap();
    assert_eq!(far.status, 422, "{}", far.body);
    assert!(far.body["detail"].as_str().unwrap().contains("more than the 500"), "{}", far.body);

    let answer = request(&edge.api(), "PATCH", path, Some(&json!({"speed": now + 1}))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    eventually("the interlock refuses", async || {
        let speed = speed(&edge).await?;
        if speed["convergence"]["state"] == "refused" { Ok(()) } else { Err(speed.to_string()) }
    })
    .await;
    let refused = speed(&edge).await.unwrap();
    let reason = refused["convergence"]["reason"].as_str().unwrap();
    assert_eq!(reason, "the tank is full (interlock `level < 90`; level is 95)");
    assert_eq!(i64::from(plc.holding(10)), now);
    assert_eq!(plc.writes().len(), before, "{:?}", plc.writes());

    // The tank is emptied: what was refused stays so, and is asked for again.
    plc.set_holding(5, 40);
    let written = plc.writes().len();
    eventually("the level is read", async || {
        let twin = edge.twin("default/pump").await?;
        if twin["properties"]["level"]["reported"]["value"] == 40 { Ok(()) } else { Err(twin.to_string()) }
    })
    .await;
    assert_eq!(speed(&edge).await.unwrap()["convergence"]["state"], "refused");
    let answer = request(&edge.api(), "PATCH", path, Some(&json!({"speed": now + 1}))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    eventually("the device takes it", async || {
        let speed = speed(&edge).await?;
        if speed["convergence"]["state"] == "in_sync" { Ok(()) } else { Err(speed.to_string()) }
    })
    .await;
    assert_eq!(i64::from(plc.holding(10)), now + 1);
    assert_eq!(plc.writes().len(), written + 1, "{:?}", plc.writes());
    edge.assert_no_panic();
}
